#include "pagestore/forged_file.h"

#include <utility>

#include "absl/types/span.h"
#include "pagestore/free_map_format.h"
#include "pagestore/slice.h"
#include "pagestore/slice_filter.h"
#include "pagestore/store_testing.h"
#include "storage/check.h"
#include "storage/crc32c.h"

namespace emdb {
namespace {

// Of the pages of a whole ForgedStore.
constexpr uint64_t kPagesGeneration = 2;

std::string BuildPage(const NodeItems& items, const NodeItems::Identity& identity) {
  std::string page(kForgedPageSize, '\0');
  items.Build(0, items.size(), identity, page.data(), kForgedPageSize);
  return page;
}

// Builds the pages of a ForgedStore, each behind what it refers to.
class Builder {
 public:
  explicit Builder(const Forgery& forgery) : forgery_(forgery) {}

  std::string Build();

 private:
  PageRef Add(PageId id, std::string page);
  PageRef AddLeaf(PageId id, const NodeItems& items, PageKind kind);
  // Returns the payload of the cell that refers to it.
  std::string AddValue(PageId id, std::string value);
  SliceRef AddSlice(std::string_view large_value);
  PageRef AddTree();
  PageRef AddMap();

  const Forgery& forgery_;
  ForgedFile file_;
};

PageRef Builder::Add(PageId id, std::string page) {
  EMDB_CHECK(file_.next_id() == id);
  if (forgery_.page) forgery_.page(id, page.data());
  return file_.AddPage(std::move(page));
}

PageRef Builder::AddLeaf(PageId id, const NodeItems& items, PageKind kind) {
  std::string page = BuildPage(items, {id, kPagesGeneration});
  SetPageKind(kind, page.data());
  return Add(id, std::move(page));
}

std::string Builder::AddValue(PageId id, std::string value) {
  EMDB_CHECK(file_.next_id() == id);
  const ExtentRef extent = {id, ExtendCrc32c(CrcSeed(StoreId{}), value),
                            static_cast<uint32_t>(value.size())};
  const uint32_t pages = extent.pages(kForgedPageSize);
  value.resize(size_t{pages} * kForgedPageSize);
  for (uint32_t i = 0; i < pages && forgery_.page; ++i) {
    forgery_.page(id + i, value.data() + size_t{i} * kForgedPageSize);
  }
  file_.AddRaw(value);
  std::string payload(kExtentRefSize, '\0');
  EncodeExtentRef(extent, payload.data());
  return payload;
}

SliceRef Builder::AddSlice(std::string_view large_value) {
  NodeItems first(0);
  first.Add({"apple", {}, CellKind::kTombstone, {}});
  first.Add({"banana", {}, CellKind::kInline, "banana"});
  NodeItems second(0);
  second.Add({"melon", {}, CellKind::kExtent, large_value});
  const PageRef first_ref = AddLeaf(ForgedStore::kFirstSliceLeaf, first, PageKind::kSliceLeaf);
  const PageRef second_ref = AddLeaf(ForgedStore::kSecondSliceLeaf, second, PageKind::kSliceLeaf);
  std::string root =
      ForgedInner({ForgedStore::kSliceRoot, kPagesGeneration}, 1, {first_ref, second_ref}, {"m"});
  AddSliceFilter({FilterHash("apple"), FilterHash("banana"), FilterHash("melon")}, root.data());
  return {Add(ForgedStore::kSliceRoot, std::move(root)), 3, 3};
}

PageRef Builder::AddTree() {
  const std::string value = AddValue(ForgedStore::kValue, std::string(9000, 'v'));
  const std::string slice_value = AddValue(ForgedStore::kSliceValue, std::string(5000, 's'));
  NodeItems mangos(0);
  mangos.Add({"mango", {}, CellKind::kExtent, value});
  mangos.Add({"medlar", {}, CellKind::kInline, "medlar"});
  const PageRef first =
      Add(ForgedStore::kFirstLeaf, ForgedLeaf(ForgedStore::kFirstLeaf, {"apple", "avocado"}));
  const PageRef second = AddLeaf(ForgedStore::kSecondLeaf, mangos, PageKind::kLeaf);
  const PageRef third =
      Add(ForgedStore::kThirdLeaf, ForgedLeaf(ForgedStore::kThirdLeaf, {"tamarind", "tomato"}));
  const SliceRef slice = AddSlice(slice_value);
  const std::string inner =
      ForgedInner({ForgedStore::kBuffered, kPagesGeneration}, 1, {first, second}, {"m"});
  std::string buffered(kForgedPageSize, '\0');
  BuildBufferedNode(inner.data(), {slice}, ForgedStore::kBuffered, kPagesGeneration,
                    absl::MakeSpan(buffered.data(), buffered.size()));
  const PageRef left = Add(ForgedStore::kBuffered, std::move(buffered));
  const PageRef right = Add(ForgedStore::kInner,
                            ForgedInner({ForgedStore::kInner, kPagesGeneration}, 1, {third}, {}));
  return Add(ForgedStore::kRoot,
             ForgedInner({ForgedStore::kRoot, kPagesGeneration}, 2, {left, right}, {"t"}));
}

PageRef Builder::AddMap() {
  std::string bitmap(kForgedPageSize, '\0');
  EncodePageHeader(
      {.id = ForgedStore::kBitmap, .kind = PageKind::kBitmap, .generation = kPagesGeneration},
      bitmap.data());
  StoreBitmapWord(bitmap.data(), 0, (uint64_t{1} << ForgedStore::kUsedPages) - 1);
  std::string index(kForgedPageSize, '\0');
  EncodePageHeader({.id = ForgedStore::kMapIndex,
                    .kind = PageKind::kMapIndex,
                    .level = 1,
                    .generation = kPagesGeneration},
                   index.data());
  const PageRef ref = Add(ForgedStore::kBitmap, std::move(bitmap));
  StoreMapEntry(index.data(), 0, {ref, ForgedStore::kUsedPages});
  return Add(ForgedStore::kMapIndex, std::move(index));
}

std::string Builder::Build() {
  StoreHeader header;
  header.root = AddTree();
  header.height = 3;
  header.map_root = AddMap();
  header.map_level = 1;
  file_.AddRaw(std::string(kForgedPageSize, '\0'));
  header.records = 6;
  header.key_bytes = std::string_view("appleavocadomangomedlartamarindtomato").size();
  header.value_bytes = std::string_view("appleavocadomedlartamarindtomato").size() + 9000;
  header.slice_pages = 3;
  header.slice_records = 3;
  header.file_pages = ForgedStore::kFilePages;
  header.used_pages = ForgedStore::kUsedPages;
  if (forgery_.header) forgery_.header(&header);
  return file_.WithHeader(header);
}

}  // namespace

PageRef ForgedFile::AddPage(std::string page) {
  const PageRef ref = SealPage(CrcSeed(StoreId{}), page.data(), kForgedPageSize);
  bytes_ += page;
  return ref;
}

void ForgedFile::AddRaw(std::string_view bytes) {
  bytes_ += bytes;
  bytes_.resize((bytes_.size() + kForgedPageSize - 1) / kForgedPageSize * kForgedPageSize);
}

std::string ForgedFile::WithHeader(StoreHeader header) const {
  header.page_size = kForgedPageSize;
  std::string file = bytes_;
  for (PageId slot = 0; slot < kHeaderSlots; ++slot) {
    header.generation = kForgedGeneration - 1 + slot;
    for (const size_t copy : {size_t{0}, kHeaderCopyOffset}) {
      EncodeStoreHeader(header, file.data() + size_t{slot} * kForgedPageSize + copy);
    }
  }
  return file;
}

std::string ForgedLeaf(PageId id, const std::vector<std::string>& keys) {
  NodeItems items(0);
  for (const std::string& key : keys) items.Add({key, {}, CellKind::kInline, key});
  return BuildPage(items, {id, kPagesGeneration});
}

std::string ForgedInner(const NodeItems::Identity& identity, uint8_t level,
                        const std::vector<PageRef>& children,
                        const std::vector<std::string>& separators) {
  NodeItems items(level);
  for (size_t i = 0; i < children.size(); ++i) {
    char payload[kPageRefSize];
    StorePageRef(payload, children[i]);
    items.Add({i == 0 ? std::string_view() : separators[i - 1],
               {},
               CellKind::kInline,
               {payload, kPageRefSize}});
  }
  return BuildPage(items, identity);
}

char* ForgedChild(char* page, uint32_t index) {
  const size_t heads_at = (kPageHeaderSize + PagePrefixSizeField(page) + 3) & ~size_t{3};
  return page + heads_at + size_t{4} * PageCountField(page) + kPageRefSize * index;
}

FaultEnv ForgedEnv(const std::string& file) {
  DiskImage image;
  image.files[kForgedPath] = SparseBytes(file);
  return FaultEnv(image);
}

absl::StatusOr<std::unique_ptr<PageStore>> OpenForged(Env* env, bool read_only) {
  PageStoreOptions options = SmallStoreOptions(env);
  options.read_only = read_only;
  options.store_id.reset();
  return PageStore::Open(kForgedPath, options);
}

ForgedStore::ForgedStore(const Forgery& forgery) {
  DiskImage image;
  SparseBytes file(Builder(forgery).Build());
  file.Resize(uint64_t{kFilePages} * kForgedPageSize);
  image.files[kForgedPath] = std::move(file);
  env_ = std::make_unique<FaultEnv>(image);
}

}  // namespace emdb
