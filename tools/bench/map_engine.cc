#include "tools/bench/map_engine.h"

#include <cstdlib>
#include <map>
#include <utility>

#include "storage/mutex.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

using Map = std::map<std::string, std::string, std::less<>>;

struct Store {
  explicit Store(Defect its_defect) : defect(its_defect) {}

  // Whether the defect strikes at this, the n-th, occasion.
  bool Strikes(Defect asked, uint64_t every = 100) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return asked == defect && ++occasions % every == 0;
  }

  const Defect defect;
  Mutex mutex;
  Map map ABSL_GUARDED_BY(mutex);
  uint64_t occasions ABSL_GUARDED_BY(mutex) = 0;
};

// Walks over a copy of the map: the state at its creation.
class MapCursor final : public Cursor {
 public:
  explicit MapCursor(Store* store) : defect_(store->defect) {
    const MutexLock lock(&store->mutex);
    map_ = store->map;
    at_ = map_.end();
  }

  void SeekToFirst() override { at_ = map_.begin(); }
  void SeekToLast() override { at_ = map_.empty() ? map_.end() : std::prev(map_.end()); }
  void Seek(std::string_view target) override { at_ = map_.lower_bound(target); }
  void Next() override { Move(/*forward=*/true); }
  void Prev() override { Move(/*forward=*/false); }
  bool Valid() const override { return at_ != map_.end(); }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return at_->second; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  void Move(bool forward) {
    const bool strikes = ++moves_ % 20 == 0;
    if (strikes && defect_ == Defect::kRepeatsRow) return;
    Step(forward);
    if (strikes && defect_ == Defect::kSkipsRow && Valid()) Step(forward);
    if (strikes && defect_ == Defect::kEndsEarly) at_ = map_.end();
  }

  void Step(bool forward) {
    if (forward) {
      ++at_;
    } else {
      at_ = at_ == map_.begin() ? map_.end() : std::prev(at_);
    }
  }

  const Defect defect_;
  Map map_;
  Map::iterator at_;
  uint64_t moves_ = 0;
};

class MapSession final : public Session {
 public:
  explicit MapSession(Store* store) : store_(store) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability) override {
    const MutexLock lock(&store_->mutex);
    return PutLocked(key, value);
  }

  absl::Status Delete(std::string_view key, Durability) override {
    const MutexLock lock(&store_->mutex);
    DeleteLocked(key);
    return absl::OkStatus();
  }

  absl::Status Write(absl::Span<const WriteOperation> operations, Durability) override {
    const MutexLock lock(&store_->mutex);
    if (store_->Strikes(Defect::kTearsBatch, /*every=*/2)) operations.remove_suffix(1);
    for (const WriteOperation& operation : operations) {
      if (operation.value.has_value()) {
        EMDB_RETURN_IF_ERROR(PutLocked(operation.key, *operation.value));
      } else {
        DeleteLocked(operation.key);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    const MutexLock lock(&store_->mutex);
    auto found = store_->map.find(key);
    if (found == store_->map.end()) return absl::NotFoundError("");
    if (store_->Strikes(Defect::kMixesUpValues) && ++found == store_->map.end()) {
      found = store_->map.begin();
    }
    *value = found->second;
    if (store_->Strikes(Defect::kFlipsBit)) value->back() ^= 0x10;
    return absl::OkStatus();
  }

  std::unique_ptr<Cursor> NewCursor() override { return std::make_unique<MapCursor>(store_); }

 private:
  absl::Status PutLocked(std::string_view key, std::string_view value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(store_->mutex) {
    if (store_->Strikes(Defect::kFails)) return absl::UnavailableError("put failed");
    if (store_->Strikes(Defect::kCrashes)) std::abort();
    const auto found = store_->map.find(key);
    if (found == store_->map.end()) {
      if (!store_->Strikes(Defect::kDropsPut)) store_->map.emplace(key, value);
    } else if (!store_->Strikes(Defect::kDropsOverwrite)) {
      found->second = value;
    }
    return absl::OkStatus();
  }

  void DeleteLocked(std::string_view key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(store_->mutex) {
    const auto found = store_->map.find(key);
    if (found == store_->map.end() || store_->Strikes(Defect::kDropsDelete)) return;
    store_->map.erase(found);
  }

  Store* const store_;
};

class MapEngine final : public Engine {
 public:
  explicit MapEngine(Defect defect) : store_(defect) {}

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<MapSession>(&store_);
  }
  absl::StatusOr<uint64_t> Count() override {
    const MutexLock lock(&store_.mutex);
    return store_.map.size() - (store_.defect == Defect::kMiscounts ? 1 : 0);
  }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::Status Settle() override { return absl::OkStatus(); }
  absl::Status Compact() override { return absl::OkStatus(); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  Store store_;
};

}  // namespace

EngineInfo MapEngineInfo(Defect defect) {
  return {.name = "map",
          .version = "1",
          .setup = "for tests",
          .durability = "none",
          .open = [defect](const EngineOptions&) -> absl::StatusOr<std::unique_ptr<Engine>> {
            return std::make_unique<MapEngine>(defect);
          }};
}

}  // namespace emdb::bench
