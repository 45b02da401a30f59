// Fuzzes what is read of a store file: headers and pages, whose bytes come from the input and whose
// checksums are put right. The checks of a node must let nothing pass that makes a view leave its
// page; opening, reading, verifying, describing and salvaging may fail, and nothing else.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pagestore/header_slots.h"
#include "pagestore/node.h"
#include "pagestore/page_format.h"
#include "pagestore/page_salvager.h"
#include "pagestore/page_store.h"
#include "pagestore/slice.h"
#include "pagestore/slice_filter.h"
#include "storage/aligned_buffer.h"
#include "storage/check.h"
#include "storage/fault_env.h"
#include "storage/fuzz_input.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/disk/store";
constexpr uint32_t kPageSize = kMinPageSize;
constexpr PageId kRoot = 2;
constexpr uint32_t kPages = 5;

// A header is right but for what the input says.
StoreHeader HeaderFrom(FuzzInput* input, uint64_t generation, PageRef root) {
  StoreHeader header;
  header.page_size = static_cast<uint32_t>(input->NumberOr(kPageSize));
  header.generation = input->NumberOr(generation);
  header.next_seq = input->NumberOr(generation);
  header.records = input->NumberOr(1);
  header.key_bytes = input->NumberOr(1);
  header.value_bytes = input->NumberOr(1);
  header.file_pages = static_cast<uint32_t>(input->NumberOr(kPages));
  header.used_pages = static_cast<uint32_t>(input->NumberOr(kPages));
  header.root = {static_cast<PageId>(input->NumberOr(root.id)), root.crc};
  header.height = static_cast<uint32_t>(input->NumberOr(1 + input->Byte() % 2));
  header.map_root = {static_cast<PageId>(input->NumberOr(kPages - 1)),
                     static_cast<uint32_t>(input->Number())};
  header.map_level = static_cast<uint32_t>(input->NumberOr(0));
  header.slice_pages = static_cast<uint32_t>(input->NumberOr(0));
  header.slice_records = input->NumberOr(0);
  return header;
}

bool IsInner(PageKind kind) {
  return kind == PageKind::kInner || kind == PageKind::kBuffered || kind == PageKind::kSliceRoot;
}

// A page: a header that is right but for what the input says, and the input's bytes behind it.
PageRef PageFrom(FuzzInput* input, PageId id, char* page) {
  PageHeader header;
  header.id = static_cast<PageId>(input->NumberOr(id));
  header.kind = PageKind{static_cast<uint8_t>(1 + input->Byte() % 7)};
  header.level = static_cast<uint8_t>(input->NumberOr(IsInner(header.kind) ? 1 : 0));
  header.count = static_cast<uint16_t>(input->NumberOr(input->Byte() % 8));
  header.prefix_size = static_cast<uint16_t>(input->NumberOr(input->Byte() % 4));
  const std::string_view body = input->Bytes(input->Number() % (kPageSize - kPageHeaderSize));
  header.data_end = static_cast<uint16_t>(input->NumberOr(kPageHeaderSize + body.size()));
  header.generation = input->NumberOr(1);
  // Of the slices of a node, or the filter of a slice.
  const bool has_tail = IsInner(header.kind) && header.kind != PageKind::kInner;
  header.position =
      static_cast<uint32_t>(input->NumberOr(has_tail ? kPageHeaderSize + body.size() / 2 : 0));
  std::memset(page, 0, kPageSize);
  EncodePageHeader(header, page);
  std::copy(body.begin(), body.end(), page + kPageHeaderSize);
  return SealPage(CrcSeed(StoreId{}), page, kPageSize);
}

void UseLeaf(const char* page) {
  const LeafView leaf(page);
  for (uint32_t i = 0; i < leaf.count(); ++i) {
    const std::string key = leaf.key(i);
    EMDB_CHECK(!key.empty() && key.size() <= kMaxKeySize);
    const LeafView::Position found = leaf.Find(key);
    EMDB_CHECK(found.found && found.index == i);
    EMDB_CHECK(leaf.LowerBound(key).index == i);
    EMDB_CHECK(leaf.LowerBound(key + '\0').index == i + 1);
    EMDB_CHECK(leaf.cell(i).payload.size() < kPageSize);
  }
}

void UseInner(const char* page) {
  const InnerView node(page);
  for (uint32_t i = 0; i < node.separator_count(); ++i) {
    EMDB_CHECK(node.ChildFor(node.separator(i)) == i + 1);
  }
  for (uint32_t i = 0; i < node.child_count(); ++i) EMDB_CHECK(node.child(i).id >= kHeaderSlots);
  const SliceList slices(page);
  for (uint32_t i = 0; i < slices.size(); ++i) EMDB_CHECK(slices.at(i).root.id >= kHeaderSlots);
  if (PageKindField(page) != PageKind::kSliceRoot) return;
  EMDB_CHECK(!SliceFilter(page).empty());
  FilterMayContain(FilterHash("key"), SliceFilter(page));
}

void UseNode(const char* page) {
  if (CheckNode(page, kPageSize, 0).ok()) UseLeaf(page);
  if (CheckNode(page, kPageSize, 1).ok()) UseInner(page);
}

std::string FileFrom(FuzzInput* input) {
  std::string file(kPages * kPageSize, '\0');
  AlignedBuffer page(kPageSize);
  PageRef root;
  for (PageId id = kRoot; id < kPages; ++id) {
    const PageRef ref = PageFrom(input, id, page.data());
    UseNode(page.data());
    if (id == kRoot) root = ref;
    file.replace(size_t{id} * kPageSize, kPageSize, page.data(), kPageSize);
  }
  for (uint64_t copy = 0; copy < 4; ++copy) {
    char* const sector =
        file.data() + copy / 2 * kPageSize + (copy % 2 == 0 ? 0 : kHeaderCopyOffset);
    EncodeStoreHeader(HeaderFrom(input, 2 + copy / 2, root), sector);
  }
  // And damage, which nothing mends.
  while (!input->empty()) {
    const uint64_t offset = input->Number() % file.size();
    file[offset] = static_cast<char>(input->Byte());
    if (input->Byte() == 1) file.resize(offset + 1);
  }
  return file;
}

void ReadThrough(PageStore* store) {
  const View view = store->GetView();
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    EMDB_CHECK(!cursor->key().empty());
  }
  for (cursor->SeekToLast(); cursor->Valid(); cursor->Prev()) {
    EMDB_CHECK(!cursor->key().empty());
  }
  std::string value;
  view.Get("key", &value).IgnoreError();
  store->Verify().IgnoreError();
  for (uint64_t id = 0; id < kPages; ++id) store->DescribePage(id).status().IgnoreError();
}

void Use(const std::string& file) {
  DiskImage image;
  image.files[kPath] = SparseBytes(file);
  FaultEnv env(image);
  PageStoreOptions options;
  options.env = &env;
  options.cache_size_bytes = size_t{1} << 20;
  options.read_only = true;
  if (auto store = PageStore::Open(kPath, options); store.ok()) ReadThrough(store->get());
  auto salvager = PageSalvager::Open(&env, kPath, StoreId{});
  if (!salvager.ok()) return;
  const auto visit = [](std::string_view key, std::optional<std::string_view>) {
    EMDB_CHECK(!key.empty() && key.size() <= kMaxKeySize);
    return absl::OkStatus();
  };
  EMDB_CHECK((*salvager)->ReadTree(visit).ok());
  EMDB_CHECK((*salvager)->ReadStrays(visit).ok());
}

}  // namespace
}  // namespace emdb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  emdb::FuzzInput input(data, size);
  emdb::Use(emdb::FileFrom(&input));
  return 0;
}
