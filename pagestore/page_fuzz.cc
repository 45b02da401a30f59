// Fuzzes what is read of a store file: headers and pages, whose bytes come from the input.
// Checksums are put right, those of the pages and those beside each reference, from the leaves up
// to the header: so whatever parses as a reference leads on. The checks of a node must let nothing
// pass that makes a view leave its page; opening, reading, verifying, describing, salvaging and
// writing on may fail, and nothing else.
//
// An input that begins with "store" has raw pages and header sectors, as many as it says, without
// the zeros at their ends. The others have three pages and headers that are right but for what they
// say, which is how a few bytes come to mean something.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pagestore/free_map_format.h"
#include "pagestore/node.h"
#include "pagestore/page_format.h"
#include "pagestore/page_salvager.h"
#include "pagestore/page_store.h"
#include "pagestore/slice.h"
#include "pagestore/slice_filter.h"
#include "pagestore/store_testing.h"
#include "storage/aligned_buffer.h"
#include "storage/check.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/fault_env.h"
#include "storage/fuzz_input.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/disk/store";
constexpr uint32_t kPageSize = kMinPageSize;
constexpr PageId kRoot = 2;
constexpr uint32_t kPages = 5;
constexpr std::string_view kRawStore = "store";
constexpr uint32_t kMostRawPages = 64;
// With zeros behind the pages; one bitmap page speaks for half as many.
constexpr uint64_t kMostPages = 2 * BitmapPages(kPageSize);
// Where FORMAT.md has the references of the store header, and its checksum.
constexpr size_t kRootAt = 96;
constexpr size_t kMapRootAt = 108;
constexpr size_t kHeaderCrcAt = kStoreHeaderSize - 4;

bool IsInner(PageKind kind) {
  return kind == PageKind::kInner || kind == PageKind::kBuffered || kind == PageKind::kSliceRoot;
}

// A store file whose checksums are still to be put right.
class UnsealedFile {
 public:
  explicit UnsealedFile(uint32_t pages)
      : bytes_(size_t{pages} * kPageSize, '\0'), states_(pages, State::kUnsealed) {}

  uint32_t pages() const { return static_cast<uint32_t>(states_.size()); }
  char* page(PageId id) { return bytes_.data() + size_t{id} * kPageSize; }
  char* header_sector(uint32_t copy) {
    return page(copy / 2) + (copy % 2 == 0 ? 0 : kHeaderCopyOffset);
  }
  // The page has no checksum: it is of a large value.
  void SetRaw(PageId id) { states_[id] = State::kSealed; }

  // All pages and header sectors.
  void Seal();
  std::string Take() { return std::move(bytes_); }

 private:
  enum class State { kUnsealed, kSealing, kSealed };

  // Puts right what the page refers to, and then the page; a page that leads back to itself is left
  // as it is where it does.
  void SealPageAt(PageId id);
  // `p` is where a reference would stand, if that is within the page.
  void MendReference(char* page, size_t at);
  void MendExtent(char* page, size_t at);
  void MendInner(char* page);
  void MendLeaf(char* page);

  std::string bytes_;
  std::vector<State> states_;
};

void UnsealedFile::Seal() {
  for (PageId id = kHeaderSlots; id < pages(); ++id) SealPageAt(id);
  for (uint32_t copy = 0; copy < 4; ++copy) {
    char* const sector = header_sector(copy);
    if (IsZero({sector, kStoreHeaderSize})) continue;
    MendReference(sector, kRootAt);
    MendReference(sector, kMapRootAt);
    Store32(sector + kHeaderCrcAt, Crc32c({sector, kHeaderCrcAt}));
  }
}

void UnsealedFile::SealPageAt(PageId id) {
  if (states_[id] != State::kUnsealed) return;
  states_[id] = State::kSealing;
  char* const bytes = page(id);
  if (IsInner(PageKindField(bytes))) {
    MendInner(bytes);
  } else if (PageKindField(bytes) == PageKind::kMapIndex) {
    for (uint32_t i = 0; i < MapFanout(kPageSize); ++i) {
      MendReference(bytes, kPageHeaderSize + kMapEntrySize * i);
    }
  } else if (PageKindField(bytes) != PageKind::kBitmap) {
    MendLeaf(bytes);
  }
  SealPage(CrcSeed(StoreId{}), bytes, kPageSize);
  states_[id] = State::kSealed;
}

void UnsealedFile::MendReference(char* page, size_t at) {
  if (at + kPageRefSize > kPageSize) return;
  const PageId id = LoadPageRef(page + at).id;
  if (id < kHeaderSlots || id >= pages()) return;
  SealPageAt(id);
  StorePageRef(page + at, {id, PageCrcField(this->page(id))});
}

void UnsealedFile::MendExtent(char* page, size_t at) {
  ExtentRef extent = DecodeExtentRef(page + at);
  const uint64_t end = uint64_t{extent.first} + extent.pages(kPageSize);
  if (extent.first < kHeaderSlots || end > pages()) return;
  for (PageId id = extent.first; id < end; ++id) SealPageAt(id);
  extent.crc = ExtendCrc32c(CrcSeed(StoreId{}), {this->page(extent.first), extent.size});
  EncodeExtentRef(extent, page + at);
}

void UnsealedFile::MendInner(char* page) {
  const size_t heads_at = (kPageHeaderSize + PagePrefixSizeField(page) + 3) & ~size_t{3};
  const size_t children_at = heads_at + size_t{4} * PageCountField(page);
  for (size_t i = 0; i <= PageCountField(page); ++i) {
    MendReference(page, children_at + kPageRefSize * i);
  }
  if (PageKindField(page) != PageKind::kBuffered) return;
  for (size_t at = PagePositionField(page); at < PageDataEndField(page); at += kSliceRefSize) {
    MendReference(page, at);
  }
}

void UnsealedFile::MendLeaf(char* page) {
  const size_t offsets_at = kPageHeaderSize + size_t{4} * PageCountField(page);
  for (size_t i = 0; i < PageCountField(page) && offsets_at + 2 * i + 2 <= kPageSize; ++i) {
    const char* p = page + std::min<size_t>(Load16(page + offsets_at + 2 * i), kPageSize);
    const char* const limit = page + kPageSize;
    uint32_t suffix_size = 0;
    uint32_t tag = 0;
    if (p = GetVarint32(p, limit, &suffix_size); p == nullptr) continue;
    if (p = GetVarint32(p, limit, &tag); p == nullptr) continue;
    const size_t at = static_cast<size_t>(p - page) + suffix_size;
    if (CellKind{static_cast<uint8_t>(tag & 3)} != CellKind::kExtent) continue;
    if (at + kExtentRefSize <= kPageSize) MendExtent(page, at);
  }
}

// A header is right but for what the input says.
StoreHeader HeaderFrom(FuzzInput* input, uint64_t generation) {
  StoreHeader header;
  header.page_size = static_cast<uint32_t>(input->NumberOr(kPageSize));
  header.generation = input->NumberOr(generation);
  header.next_seq = input->NumberOr(generation);
  header.records = input->NumberOr(1);
  header.key_bytes = input->NumberOr(1);
  header.value_bytes = input->NumberOr(1);
  header.file_pages = static_cast<uint32_t>(input->NumberOr(kPages));
  header.used_pages = static_cast<uint32_t>(input->NumberOr(kPages));
  header.root = {static_cast<PageId>(input->NumberOr(kRoot)), 0};
  header.height = static_cast<uint32_t>(input->NumberOr(1 + input->Byte() % 2));
  header.map_root = {static_cast<PageId>(input->NumberOr(kPages - 1)),
                     static_cast<uint32_t>(input->Number())};
  header.map_level = static_cast<uint32_t>(input->NumberOr(0));
  header.slice_pages = static_cast<uint32_t>(input->NumberOr(0));
  header.slice_records = input->NumberOr(0);
  return header;
}

// A page: a header that is right but for what the input says, and the input's bytes behind it.
void PageFrom(FuzzInput* input, PageId id, char* page) {
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
  EncodePageHeader(header, page);
  std::copy(body.begin(), body.end(), page + kPageHeaderSize);
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

UnsealedFile StructuredFrom(FuzzInput* input) {
  UnsealedFile file(kPages);
  for (PageId id = kRoot; id < kPages; ++id) PageFrom(input, id, file.page(id));
  for (uint32_t copy = 0; copy < 4; ++copy) {
    EncodeStoreHeader(HeaderFrom(input, 2 + copy / 2), file.header_sector(copy));
  }
  return file;
}

// Bytes whose number stands in front of them, two bytes, the high one first.
void CopyBytes(FuzzInput* input, size_t limit, char* to) {
  const size_t high = input->Byte();
  const std::string_view bytes = input->Bytes(std::min(high << 8 | input->Byte(), limit));
  std::copy(bytes.begin(), bytes.end(), to);
}

UnsealedFile RawFrom(FuzzInput* input) {
  UnsealedFile file(kHeaderSlots + input->Byte() % kMostRawPages);
  for (PageId id = kHeaderSlots; id < file.pages(); ++id) {
    if (input->Byte() == 1) file.SetRaw(id);
    CopyBytes(input, kPageSize, file.page(id));
  }
  for (uint32_t copy = 0; copy < 4; ++copy) {
    CopyBytes(input, kStoreHeaderSize, file.header_sector(copy));
  }
  // A change here moves nothing else.
  for (int changes = input->Byte() % 16; changes > 0; --changes) {
    const PageId id = input->Byte() % file.pages();
    const uint64_t offset = input->Number() % kPageSize;
    file.page(id)[offset] = static_cast<char>(input->Byte());
  }
  return file;
}

SparseBytes FileFrom(FuzzInput* input, bool is_raw) {
  UnsealedFile unsealed = is_raw ? RawFrom(input) : StructuredFrom(input);
  unsealed.Seal();
  for (PageId id = kHeaderSlots; id < unsealed.pages(); ++id) {
    // On the heap, and no byte larger than a page.
    AlignedBuffer page(kPageSize);
    std::memcpy(page.data(), unsealed.page(id), kPageSize);
    UseNode(page.data());
  }
  std::string file = unsealed.Take();
  // Zeros behind it, for a map of two levels.
  const uint64_t more_pages = is_raw ? input->NumberOr(0) % kMostPages : 0;
  // And damage, which nothing mends.
  while (!input->empty()) {
    const uint64_t offset = input->Number() % file.size();
    file[offset] = static_cast<char>(input->Byte());
    if (input->Byte() == 1) file.resize(offset + 1);
  }
  SparseBytes bytes(file);
  if (more_pages > 0) bytes.Resize(file.size() + more_pages * kPageSize);
  return bytes;
}

// Up to the limit: a page that stands below many references is read as often.
constexpr int kMostSteps = 10000;
constexpr size_t kMostGets = 40;

void ReadThrough(PageStore* store) {
  const View view = store->GetView();
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  std::vector<std::string> keys = {"key"};
  int steps = 0;
  for (cursor->SeekToFirst(); cursor->Valid() && ++steps < kMostSteps; cursor->Next()) {
    EMDB_CHECK(!cursor->key().empty());
    if (keys.size() < kMostGets) keys.emplace_back(cursor->key());
  }
  steps = 0;
  for (cursor->SeekToLast(); cursor->Valid() && ++steps < kMostSteps; cursor->Prev()) {
    EMDB_CHECK(!cursor->key().empty());
    cursor->value();
  }
  std::string value;
  for (const std::string& key : keys) {
    view.Get(key, &value).IgnoreError();
    cursor->Seek(key);
  }
  store->Verify().IgnoreError();
  for (uint64_t id = 0; id < kMostRawPages; ++id) store->DescribePage(id).status().IgnoreError();
}

// Merges a change and rewrites all, which frees and allocates by the map.
void WriteOn(PageStore* store) {
  Apply(store, store->next_seq(), {{"key", "value"}, {"other", std::nullopt}}).IgnoreError();
  store->Compact().IgnoreError();
  store->Verify().IgnoreError();
}

void Salvage(Env* env) {
  auto salvager = PageSalvager::Open(env, kPath, StoreId{});
  if (!salvager.ok()) return;
  const auto visit = [](std::string_view key, std::optional<std::string_view>) {
    EMDB_CHECK(!key.empty() && key.size() <= kMaxKeySize);
    return absl::OkStatus();
  };
  EMDB_CHECK((*salvager)->ReadTree(visit).ok());
  EMDB_CHECK((*salvager)->ReadStrays(visit).ok());
}

void Use(const SparseBytes& file) {
  DiskImage image;
  image.files[kPath] = file;
  FaultEnv env(image);
  PageStoreOptions options;
  options.env = &env;
  options.cache_size_bytes = size_t{1} << 20;
  options.slices_above_bytes = 0;
  options.read_only = true;
  if (auto store = PageStore::Open(kPath, options); store.ok()) ReadThrough(store->get());
  // Takes all pages in hand, which is long for a long file.
  if (file.size() < kMostRawPages * kPageSize) Salvage(&env);
  options.read_only = false;
  options.create_if_missing = false;
  if (auto store = PageStore::Open(kPath, options); store.ok()) WriteOn(store->get());
}

}  // namespace
}  // namespace emdb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  emdb::FuzzInput input(data, size);
  emdb::FuzzInput raw(data, size);
  const bool is_raw = raw.Bytes(emdb::kRawStore.size()) == emdb::kRawStore;
  emdb::Use(emdb::FileFrom(is_raw ? &raw : &input, is_raw));
  return 0;
}
