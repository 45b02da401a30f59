// Random operations on a memtable against a std::map of versions, and readers beside the writer.

#include <algorithm>
#include <atomic>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kv/memtable.h"
#include "kv/memtable_iterator.h"

namespace emdb {
namespace {

std::shared_ptr<Memtable> NewMemtable() {
  constexpr size_t kCapacity = 64 << 20;
  auto table = Memtable::Create(std::make_shared<ArenaPool>(kCapacity), kCapacity);
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

// Keys of several shapes: decimal with long common prefixes, short binary, and long ones.
std::string MakeKey(uint32_t shape, uint32_t n) {
  char buffer[32];
  switch (shape) {
    case 0:
      snprintf(buffer, sizeof(buffer), "%016u", n);
      return buffer;
    case 1:
      return {static_cast<char>(n * 37), static_cast<char>(n >> 5), static_cast<char>(n >> 1)};
    case 2:
      return std::string(60, 'p') + std::to_string(n);
    default:
      return std::string(n % 40 + 1, static_cast<char>('a' + n % 3));
  }
}

// Per key its versions by seq: the value, or no value for a deletion.
struct Version {
  bool is_deletion;
  std::string value;
};
using Model = std::map<std::string, std::map<uint64_t, Version>>;

// The state below `limit`: keys that have a version there.
std::map<std::string, Version> StateAt(const Model& model, uint64_t limit) {
  std::map<std::string, Version> state;
  for (const auto& [key, versions] : model) {
    auto behind = versions.lower_bound(limit);
    if (behind != versions.begin()) state.emplace(key, std::prev(behind)->second);
  }
  return state;
}

void ExpectAt(const MemtableIterator& it, const std::map<std::string, Version>& state,
              std::map<std::string, Version>::const_iterator expected) {
  ASSERT_EQ(it.Valid(), expected != state.end());
  if (!it.Valid()) return;
  ASSERT_EQ(it.key(), expected->first);
  ASSERT_EQ(it.is_deletion(), expected->second.is_deletion);
  ASSERT_EQ(it.value(), expected->second.value);
}

void CheckAgainst(const Memtable& table, const Model& model, uint64_t limit, std::mt19937* random) {
  const std::map<std::string, Version> state = StateAt(model, limit);
  MemtableIterator it(&table, limit);
  it.SeekToFirst();
  for (auto expected = state.begin(); expected != state.end(); ++expected, it.Next()) {
    ASSERT_NO_FATAL_FAILURE(ExpectAt(it, state, expected));
  }
  EXPECT_FALSE(it.Valid());
  it.SeekToLast();
  for (auto expected = state.rbegin(); expected != state.rend(); ++expected, it.Prev()) {
    ASSERT_NO_FATAL_FAILURE(ExpectAt(it, state, std::prev(expected.base())));
  }
  EXPECT_FALSE(it.Valid());
  for (int i = 0; i < 200; ++i) {
    const std::string target = MakeKey((*random)() % 4, (*random)() % 3000);
    auto expected = state.lower_bound(target);
    it.Seek(target);
    ASSERT_NO_FATAL_FAILURE(ExpectAt(it, state, expected));
    auto before = state.upper_bound(target);
    it.SeekForPrev(target);
    ASSERT_NO_FATAL_FAILURE(
        ExpectAt(it, state, before == state.begin() ? state.end() : std::prev(before)));
    // A few steps there and back.
    for (int step = 0; step < 5 && it.Valid(); ++step) it.Next();
    for (int step = 0; step < 3 && it.Valid(); ++step) it.Prev();
    if (it.Valid()) {
      ASSERT_NO_FATAL_FAILURE(ExpectAt(it, state, state.find(std::string(it.key()))));
    }
  }
}

TEST(MemtableModelTest, AgreesWithAMapOfVersions) {
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::shared_ptr<Memtable> table = NewMemtable();
    Model model;
    const uint32_t keys = seed % 2 == 0 ? 3000 : 400;
    uint64_t seq = 0;
    for (int i = 0; i < 6000; ++i) {
      const std::string key = MakeKey(seed % 3 == 0 ? 0 : random() % 4, random() % keys);
      const bool is_deletion = random() % 5 == 0;
      const std::string value = is_deletion ? "" : std::to_string(i);
      table->Add(seq, is_deletion ? RecordKind::kDelete : RecordKind::kPut, key, value);
      model[key][seq] = {is_deletion, value};
      if (random() % 3 != 0) ++seq;  // otherwise the next operation is of the same batch
      if (i % 2000 == 1999) {
        ASSERT_NO_FATAL_FAILURE(CheckAgainst(*table, model, seq + 1, &random));
        ASSERT_NO_FATAL_FAILURE(CheckAgainst(*table, model, seq / 2, &random));
      }
    }
    EXPECT_EQ(table->key_count(), model.size());
    for (const auto& [key, versions] : model) {
      std::string_view value;
      const Memtable::Lookup found = table->Get(key, UINT64_MAX, &value);
      const Version& newest = versions.rbegin()->second;
      ASSERT_EQ(found, newest.is_deletion ? Memtable::Lookup::kDeleted : Memtable::Lookup::kFound);
      if (!newest.is_deletion) {
        ASSERT_EQ(value, newest.value);
      }
    }
  }
}

// The writer puts key n at seq n / many, in a scattered order of keys; whoever reads at limit s
// must find exactly the keys written below s, by lookup and by both ways of walking.
void ReadBesideTheWriter(uint64_t many) {
  constexpr uint64_t kKeys = 20000;
  std::shared_ptr<Memtable> table = NewMemtable();
  std::atomic<uint64_t> visible{0};
  const auto key_of = [](uint64_t n) {
    return MakeKey(0, static_cast<uint32_t>(n * 7919 % kKeys));
  };
  const auto read = [&](uint32_t seed) {
    std::mt19937 random(seed);
    uint64_t limit = 0;
    do {
      limit = visible.load(std::memory_order_acquire);
      for (int i = 0; i < 50; ++i) {
        const uint64_t n = random() % kKeys;
        std::string_view value;
        const bool found = table->Get(key_of(n), limit, &value) == Memtable::Lookup::kFound;
        ASSERT_EQ(found, n / many < limit);
        if (found) {
          ASSERT_EQ(value, std::to_string(n));
        }
      }
      MemtableIterator it(table.get(), limit);
      uint64_t seen = 0;
      std::string last;
      const bool forward = random() % 2 == 0;
      for (forward ? it.SeekToFirst() : it.SeekToLast(); it.Valid();
           forward ? it.Next() : it.Prev()) {
        if (seen > 0) {
          ASSERT_EQ(forward, it.key() > last);
        }
        last = it.key();
        seen++;
      }
      ASSERT_EQ(seen, limit * many) << (forward ? "forward" : "backward");
    } while (limit * many < kKeys);
  };
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (uint32_t seed = 1; seed <= 3; ++seed) readers.emplace_back(read, seed);
  for (uint64_t n = 0; n < kKeys; n += many) {
    std::vector<std::string> keys;
    std::vector<std::string> values;
    for (uint64_t i = n; i < n + many; ++i) {
      keys.push_back(key_of(i));
      values.push_back(std::to_string(i));
    }
    std::vector<Memtable::Change> changes;
    for (uint64_t i = 0; i < many; ++i) {
      changes.push_back({RecordKind::kPut, keys[i], values[i]});
    }
    table->AddMany(n / many, changes);
    visible.store(n / many + 1, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
}

TEST(MemtableModelTest, ReadersBesideTheWriterSeeExactlyWhatIsBelowTheirLimit) {
  ReadBesideTheWriter(1);
}

TEST(MemtableModelTest, ReadersBesideAWriterOfManySeeExactlyWhatIsBelowTheirLimit) {
  ReadBesideTheWriter(Memtable::kMany);
}

}  // namespace
}  // namespace emdb
