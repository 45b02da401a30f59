// Store files whose checksums are all right, whatever they hold: for tests of what is found wrong
// behind the checksums.

#ifndef EMDB_PAGESTORE_FORGED_FILE_H_
#define EMDB_PAGESTORE_FORGED_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "pagestore/node_builder.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "storage/env.h"
#include "storage/fault_env.h"

namespace emdb {

inline constexpr char kForgedPath[] = "dir/forged.emdb";
inline constexpr uint32_t kForgedPageSize = kMinPageSize;
// Of the newer header.
inline constexpr uint64_t kForgedGeneration = 3;

// Pages in the order they are added, from the first behind the header slots on. Its store id is all
// zeros.
class ForgedFile {
 public:
  PageId next_id() const { return static_cast<PageId>(bytes_.size() / kForgedPageSize); }

  PageRef AddPage(std::string page);
  // As many pages as the bytes take.
  void AddRaw(std::string_view bytes);
  // Both slots, the second one newer. What `header` says of root and height, and of more.
  std::string WithHeader(StoreHeader header) const;

 private:
  std::string bytes_ = std::string(kHeaderSlots * kForgedPageSize, '\0');
};

FaultEnv ForgedEnv(const std::string& file);
absl::StatusOr<std::unique_ptr<PageStore>> OpenForged(Env* env, bool read_only = true);

// A leaf with these keys, each with a value that is the key itself.
std::string ForgedLeaf(PageId id, const std::vector<std::string>& keys);
// An inner page over `children`, with separators.size() + 1 of them.
std::string ForgedInner(const NodeItems::Identity& identity, uint8_t level,
                        const std::vector<PageRef>& children,
                        const std::vector<std::string>& separators);
// Where the reference to a child stands in an inner page, of whatever kind.
char* ForgedChild(char* page, uint32_t index);

// What a ForgedStore has otherwise than a whole one. A page is changed before its checksum is
// computed, and so before what refers to it is built.
struct Forgery {
  std::function<void(PageId id, char* page)> page = nullptr;
  std::function<void(StoreHeader* header)> header = nullptr;
};

// A store that has every kind of page, each at a place that is known, in a tree of three levels
// with a map of two; and what a forgery makes of it.
class ForgedStore {
 public:
  // kFree is in the file and not in use.
  enum Page : PageId {
    kValue = 2,        // two pages, the value of "mango"
    kSliceValue = 4,   // the value of "melon", in the slice
    kFirstLeaf,        // "apple" and "avocado"
    kSecondLeaf,       // "mango" and "medlar"
    kThirdLeaf,        // "tamarind" and "tomato"
    kFirstSliceLeaf,   // the deletion of "apple", and "banana"
    kSecondSliceLeaf,  // "melon"
    kSliceRoot,
    kBuffered,  // over the first two leaves, from "m" on the second, with the slice
    kInner,     // over the third
    kRoot,      // over the two, from "t" on the second
    kBitmap,
    kMapIndex,
    kFree,
  };
  // What its reads find.
  static constexpr uint64_t kKeys = 7;
  static constexpr uint32_t kUsedPages = kFree;
  // So many that a map of them has two levels. All behind kFree are not there.
  static constexpr uint32_t kFilePages = (kForgedPageSize - 32) * 8 + 64;

  explicit ForgedStore(const Forgery& forgery = {});

  FaultEnv* env() { return env_.get(); }

 private:
  std::unique_ptr<FaultEnv> env_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_FORGED_FILE_H_
