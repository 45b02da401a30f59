// VolatileFile: the contents of one file of a simulated disk: what is durable, what is not yet, and
// what a power cut may make of it. The model is that of fault_env.h, points 2, 4 and 5.

#ifndef EMDB_STORAGE_VOLATILE_FILE_H_
#define EMDB_STORAGE_VOLATILE_FILE_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/crash_chooser.h"
#include "storage/file.h"
#include "storage/mappable_bytes.h"
#include "storage/sparse_bytes.h"

namespace emdb {

// Thread-compatible.
class VolatileFile {
 public:
  static constexpr uint64_t kSectorBytes = 512;
  static constexpr uint64_t kRingPageBytes = 4096;

  VolatileFile() = default;
  explicit VolatileFile(const SparseBytes& durable) : current_(durable), durable_(durable) {}

  uint64_t size() const { return current_.size(); }
  size_t Read(uint64_t offset, size_t size, char* out) const {
    return current_.Read(offset, size, out);
  }

  void Write(uint64_t offset, std::string_view data);
  void Resize(uint64_t size);
  absl::StatusOr<std::unique_ptr<RingMapping>> Map(std::string_view path, size_t size);

  // All is durable.
  void Sync();
  // What is not durable is never going to be, and still reads as it does.
  void DropUnsynced();
  // The same, and it reads as it is durable, but for its size. A mapping keeps what it has.
  void RevertUnsynced();
  // Power is off: what is stored into a mapping from now on is not part of any image.
  void Freeze();

  const SparseBytes& Synced() const { return durable_; }
  SparseBytes Newest() const;
  SparseBytes AfterPowerCut(CrashChooser* chooser) const;

 private:
  using Sector = std::array<char, kSectorBytes>;

  // Adds the present state of the sectors that [offset, offset + size) touches to what may be
  // found, if it is new.
  void RecordSectors(uint64_t offset, uint64_t size);
  void RecordSize();
  void ChooseRingPages(CrashChooser* chooser, SparseBytes* result) const;

  MappableBytes current_;
  SparseBytes durable_;
  // What may be found instead of the durable state, oldest first.
  std::map<uint64_t, std::vector<Sector>> unsynced_sectors_;  // by sector number
  std::vector<uint64_t> unsynced_sizes_;
  std::optional<SparseBytes> frozen_ring_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_VOLATILE_FILE_H_
