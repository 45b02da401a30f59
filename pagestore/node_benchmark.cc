// Search in nodes, building them and checking them, with 24-byte random keys and 150-byte values.
// All in the nearest caches: what is left is the work itself.

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "pagestore/head_search.h"
#include "pagestore/node.h"
#include "pagestore/node_builder.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = 8192;

// A full node of `level` and the keys in it.
struct FullNode {
  explicit FullNode(uint8_t level) : items(level), page(kPageSize, '\0') {
    std::mt19937_64 random(1);
    std::set<std::string> sorted;
    while (sorted.size() < 1000) {
      std::string key(24, '\0');
      for (char& byte : key) byte = static_cast<char>(random());
      sorted.insert(key);
    }
    const std::string payload(level == 0 ? 150 : kPageRefSize, '\x11');
    for (const std::string& key : sorted) {
      const std::string_view stored = std::string_view(key).substr(0, level == 0 ? 24 : 4);
      const NodeItems::Entry entry = {stored, {}, CellKind::kInline, payload};
      if (items.NodeSizeWith(entry) > kPageSize) break;
      items.Add(entry);
      keys.push_back(key);
    }
    items.Build(0, items.size(), {2, 1}, page.data(), kPageSize);
  }

  NodeItems items;
  std::string page;
  std::vector<std::string> keys;
};

void BM_LeafFind(benchmark::State& state) {
  const FullNode node(0);
  size_t next = 0;
  for (auto _ : state) {
    const LeafView::Position position = LeafView(node.page.data()).Find(node.keys[next]);
    // The next key depends on the answer: latency, not throughput.
    next = (next + 7 + (position.found ? 0 : 1)) % node.keys.size();
  }
}

void BM_InnerChildFor(benchmark::State& state) {
  const FullNode node(1);
  size_t next = 0;
  for (auto _ : state) {
    next = (next + 7 + InnerView(node.page.data()).ChildFor(node.keys[next])) % node.keys.size();
  }
}

void BM_CountHeadsBelow(benchmark::State& state) {
  const auto n = static_cast<uint32_t>(state.range(0));
  const bool portable = state.range(1) != 0;
  std::string heads(n * 4 + kHeadSlack, '\0');
  for (uint32_t i = 0; i < n; ++i) Store32(heads.data() + 4 * i, i * 1000);
  uint32_t head = 0;
  for (auto _ : state) {
    const uint32_t below = portable ? CountHeadsBelowPortable(heads.data(), n, head)
                                    : CountHeadsBelow(heads.data(), n, head);
    head = (below * 7919 + 13) % n * 1000;
  }
}

void BM_BuildLeaf(benchmark::State& state) {
  FullNode node(0);
  for (auto _ : state) {
    node.items.Build(0, node.items.size(), {2, 1}, node.page.data(), kPageSize);
    benchmark::DoNotOptimize(node.page.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(node.items.size()));
}

void BM_CheckLeaf(benchmark::State& state) {
  const FullNode node(0);
  for (auto _ : state) benchmark::DoNotOptimize(CheckNode(node.page.data(), kPageSize, 0).ok());
}

void BM_LeafChecksum(benchmark::State& state) {
  const FullNode node(0);
  for (auto _ : state) benchmark::DoNotOptimize(ComputePageCrc(1, node.page.data(), kPageSize));
  state.SetBytesProcessed(state.iterations() * kPageSize);
}

BENCHMARK(BM_LeafFind);
BENCHMARK(BM_InnerChildFor);
BENCHMARK(BM_CountHeadsBelow)->ArgsProduct({{22, 45, 90, 400, 1600}, {0, 1}});
BENCHMARK(BM_BuildLeaf);
BENCHMARK(BM_CheckLeaf);
BENCHMARK(BM_LeafChecksum);

}  // namespace
}  // namespace emdb
