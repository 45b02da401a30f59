// NodeReader: reads the nodes of a path one after another. While they are in memory it holds an
// EpochGuard and nothing else; when one has to be read from the file it lets go of the guard and
// holds a pin, so that a slow disk never keeps the frames of others from being reused.
//
// For one thread, on the stack, for one descent.

#ifndef EMDB_PAGESTORE_NODE_READER_H_
#define EMDB_PAGESTORE_NODE_READER_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "pagestore/node.h"
#include "pagestore/page_cache.h"
#include "pagestore/page_pin.h"
#include "pagestore/tree.h"
#include "storage/epoch.h"

namespace emdb {

class NodeReader {
 public:
  NodeReader(const Tree& tree, PageCache::Use use) : tree_(tree), use_(use) {}

  // The node; readable until the next Read. DataLoss and I/O errors.
  absl::StatusOr<const char*> Read(PageRef ref, uint32_t level) {
    if (!guard_) guard_.emplace(tree_.cache->epoch());
    const char* page = tree_.cache->Find(ref.id, use_);
    if (page == nullptr) [[unlikely]]
      return Load(ref, level);
    PrefetchNode(page);
    // A child is one level lower, so a descent ends whatever a forged page refers to.
    if (PageLevelField(page) != level) [[unlikely]]
      return WrongLevel(ref.id);
    return page;
  }

  // Pins `page`, what the last Read returned; there is no Read after it.
  PagePin Pin(const char* page) { return guard_ ? tree_.cache->PinFound(page) : std::move(pin_); }

 private:
  absl::StatusOr<const char*> Load(PageRef ref, uint32_t level) {
    guard_.reset();
    absl::StatusOr<PagePin> pin = tree_.cache->Load(ref, level, use_);
    if (!pin.ok()) return pin.status();
    if (PageLevelField(pin->data()) != level) return WrongLevel(ref.id);
    pin_ = *std::move(pin);
    return pin_.data();
  }
  absl::Status WrongLevel(PageId id) const {
    return tree_.file->Corruption(id, "a node of another level than its parent says");
  }

  const Tree& tree_;
  const PageCache::Use use_;
  std::optional<EpochGuard> guard_;
  PagePin pin_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_NODE_READER_H_
