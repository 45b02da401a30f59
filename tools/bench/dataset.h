// Dataset: which records a run has written, what each of them must hold, and whether what an engine
// returns is that. Keys and values are computed from the record's number, so that checking a value
// costs a few nanoseconds and touches no memory but the value and one byte of ours.
//
// A record is known by its `id`, 0 to capacity-1. Its `version` counts what was written to it:
// 0 when it is absent, then 1 to 255 and again 1. The bytes of a value depend on id and version, so
// that a lost overwrite is seen as well as a wrong record or a flipped bit.
//
// Thread safe where no two threads write the same id. A reader of an id that another thread writes
// passes the versions before and after its read.

#ifndef EMDB_TOOLS_BENCH_DATASET_H_
#define EMDB_TOOLS_BENCH_DATASET_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/zeroed_array.h"

namespace emdb::bench {

enum class KeyOrder {
  kAscending,  // keys grow with ids: 8 bytes big-endian, then '0's, as db_bench makes them
  kRandom,     // random bytes; ids and keys are in no relation
};

struct DatasetOptions {
  KeyOrder key_order = KeyOrder::kRandom;
  size_t key_bytes = 24;     // at least 8
  size_t value_bytes = 150;  // at least 1
  uint64_t capacity = 0;
};

class Dataset {
 public:
  explicit Dataset(const DatasetOptions& options);

  uint64_t capacity() const { return options_.capacity; }
  size_t record_bytes() const { return options_.key_bytes + options_.value_bytes; }

  // Both give a view of *buffer, which is reused.
  std::string_view Key(uint64_t id, std::string* buffer) const;
  std::string_view Value(uint64_t id, uint8_t version, std::string* buffer) const;
  // A key that is never written, right behind Key(id).
  std::string_view MissingKey(uint64_t id, std::string* buffer) const;
  // The record whose key this is, if it is one of ours.
  std::optional<uint64_t> FindId(std::string_view key) const;

  uint8_t version(uint64_t id) const { return versions_[id].load(std::memory_order_acquire); }
  // Starts to fetch what version(id) will read.
  void Prefetch(uint64_t id) const { __builtin_prefetch(&versions_[id]); }
  static uint8_t NextVersion(uint8_t version) { return version == 255 ? 1 : version + 1; }
  // To be called when the engine has acknowledged the write, or the deletion (0).
  void set_version(uint64_t id, uint8_t version) {
    versions_[id].store(version, std::memory_order_release);
  }

  // OK if `value` is what `version` of the record holds; else DataLoss that says what differs.
  absl::Status CheckValue(uint64_t id, uint8_t version, std::string_view value) const;
  // The version that `value` says it is, unchecked; 0 if it is empty.
  static uint8_t ClaimedVersion(std::string_view value) {
    return value.empty() ? 0 : static_cast<uint8_t>(value[0]);
  }

  // Records that are present, by walking over all.
  uint64_t CountLive() const;
  // Their ids in the order of their keys.
  std::vector<uint32_t> LiveIdsInKeyOrder() const;

 private:
  DatasetOptions options_;
  // Not cleared here: that would count as a part of what an engine takes to open.
  const ZeroedArray<std::atomic<uint8_t>> versions_;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_DATASET_H_
