// PageSalvager: reads what is left of a damaged store file, and says what is not.
//
// Two sources, the second only where the first has holes:
//  1. The tree, from the newest header that is whole. A page that is not what its parent's
//     reference says is lost with all below it; its neighbours are not. Records from here are those
//     of that generation, without doubt.
//     Where a slice is lost, the older values of its keys are what is left, and the loss is listed.
//  2. Strays: leaves, those of slices too, that are whole in themselves, checksum and page number,
//     and that the tree does not reach. They stand for what a lost inner page or header referred
//     to. Where the map of free space can be read, only pages that it calls used count, so they are
//     of the newest generation; where it cannot, and if a header slot is lost, they may be of an
//     older one. Of two strays with the same key the one written last wins.
//
// If both slots are lost, the store id must come from elsewhere (the log), and all is strays.
//
// Writes nothing. For one thread. Takes two bits for each page, some bytes for each stray, and the
// keys that slices have of what is lost.

#ifndef EMDB_PAGESTORE_PAGE_SALVAGER_H_
#define EMDB_PAGESTORE_PAGE_SALVAGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/free_map.h"
#include "pagestore/key_ranges.h"
#include "pagestore/page_bitmap.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "pagestore/slice.h"
#include "storage/env.h"
#include "storage/lost_piece.h"
#include "storage/store_id.h"

namespace emdb {

class PageSalvager {
 public:
  // No value: the key was deleted; of strays only.
  using Visitor =
      absl::FunctionRef<absl::Status(std::string_view key, std::optional<std::string_view> value)>;

  // `store_id` is what is known of it from elsewhere. NotFound if the file is missing or empty,
  // FailedPrecondition if it is of a newer format, DataLoss if nothing in it can be told from
  // noise.
  static absl::StatusOr<std::unique_ptr<PageSalvager>> Open(Env* env, const std::string& path,
                                                            const std::optional<StoreId>& store_id);

  const StoreId& store_id() const { return header_.store_id; }
  // Every log record below it is in the tree; 0 without a header.
  uint64_t next_seq() const { return header_.next_seq; }

  // Calls `visit` for each record of the tree, in order; an error of it ends the call. To be called
  // once, first.
  absl::Status ReadTree(Visitor visit);
  // True if the tree could not say what belongs to `key`. After ReadTree.
  bool IsLost(std::string_view key) const;
  // Calls `visit` for the records of strays, oldest page first. Returns how many pages these were.
  absl::StatusOr<uint64_t> ReadStrays(Visitor visit);

  // What the tree could not give; what a stray makes good is listed all the same.
  const std::vector<LostPiece>& lost() const { return lost_; }

 private:
  struct Change {
    CellKind kind = CellKind::kInline;
    std::string payload;
  };
  struct Stray {
    uint64_t generation;
    PageId id;
  };
  absl::Status FindHeader(Env* env, const std::string& path,
                          const std::optional<StoreId>& store_id);
  // Without a header: the page size for which some leaf is whole in itself.
  absl::Status FindPageSize(Env* env, const std::string& path, const StoreId& store_id);

  absl::Status VisitNode(PageRef ref, uint32_t level, const KeyRange& range, Visitor visit);
  absl::Status VisitChildren(const char* page, uint32_t level, const KeyRange& range,
                             Visitor visit);
  absl::Status VisitLeaf(const char* page, Visitor visit);
  absl::Status VisitCell(std::string_view key, CellKind kind, std::string_view payload,
                         Visitor visit);
  // Adds the slice's changes to overlay_, over what is there.
  void ReadSlice(const SliceRef& slice, const KeyRange& range);
  // Visits, and takes out of overlay_, the changes of keys below `upper`.
  absl::Status VisitOverlay(const std::optional<std::string>& upper, Visitor visit);
  // Visits what a stray has of keys that the tree lost, or of all keys. Whether that was anything.
  absl::StatusOr<bool> VisitStray(const char* page, bool all_keys, Visitor visit);
  // Reads the node if it is what the reference says, and was not reached before.
  bool ReadOnce(PageRef ref, uint32_t level, char* page);
  void Lose(PageId id, const KeyRange& range, std::string_view what);
  static std::string LostKeys(std::string_view what, const KeyRange& range);

  // Calls `visit` for every page that is a leaf and whole in itself, until it says false.
  absl::Status ForEachLeaf(absl::FunctionRef<bool(const char* page)> visit) const;
  bool IsWholeLeaf(PageId id, const char* page) const;
  absl::StatusOr<std::vector<Stray>> FindStrays();
  // False only if the map says that the newest generation does not use the page.
  bool MayBeUsed(PageId id);

  PageSalvager() = default;

  std::unique_ptr<PageFile> file_;
  StoreHeader header_;  // without one: page size and store id only
  bool has_header_ = false;
  bool slot_is_lost_ = false;  // it may have held the newest state
  bool inner_page_is_lost_ = false;
  uint64_t pages_ = 0;  // of the file
  std::vector<bool> reached_;
  // What the slices of the node that is being read say and its leaves have not come to yet.
  std::map<std::string, Change> overlay_;
  bool slices_are_whole_ = true;  // of that node
  KeyRanges lost_keys_;           // of the tree
  // Keys amid these of which a slice says all the same what belongs to them.
  std::set<std::string, std::less<>> known_keys_;
  std::vector<LostPiece> lost_;
  std::optional<FreeMap> map_;
  std::optional<uint32_t> bitmap_position_;  // of bitmap_
  std::optional<PageBitmap> bitmap_;         // absent: it cannot be read
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_SALVAGER_H_
