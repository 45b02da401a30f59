// The two header slots of a store file: making them, reading them, and writing the next header.
//
// A header is one sector, which a disk writes whole or not at all, and stands twice in its slot. So
// a power cut leaves each copy old or new, never broken: a slot of which no copy is whole is
// damage, even if the other slot is fine, for it may have held the newer state. What is left of a
// power cut or of damage to one copy is put right by WriteHeader of the same header.
//
// A header is written only when the one before it is durable in both of its copies. So the slots
// hold two generations in a row; if they don't, a write has been lost, or a sector put back, and
// that is damage too: the newer of the two may not be the newest there was.
//
// A store that is being made has no more than its slots, some of which may still be zeros. Once it
// has grown, a slot of zeros is damage too.
//
// Not thread safe.

#ifndef EMDB_PAGESTORE_HEADER_SLOTS_H_
#define EMDB_PAGESTORE_HEADER_SLOTS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "storage/file.h"

namespace emdb {

struct FoundHeader {
  StoreHeader newest;
  // Of the header in the other slot, which counts if `newest` is lost to a power cut. That of
  // `newest` if there is no other.
  uint64_t fallback_next_seq = 0;
};

// The header that counts. NotFound: the file is empty, or its making was cut off before it held
// anything. FailedPrecondition: not a store, or of a newer format. DataLoss: a slot is damaged, the
// two are not in a row, or the file is shorter than the header says.
absl::StatusOr<FoundHeader> ReadNewestHeader(const File& file);

// What is left of the slots of a store that may be damaged.
struct HeaderSlots {
  std::optional<StoreHeader> newest;  // absent: no copy is whole
  // OK: a copy in the slot is whole. Of two that are not in a row the older one is DataLoss.
  std::array<absl::Status, kHeaderSlots> status;
};

// I/O errors of a slot are in its status. Of slots of two stores the first one counts.
absl::StatusOr<HeaderSlots> ReadHeaderSlots(const File& file);

// Writes `header` to its slot; not synced. One of the first generation goes with the one before it
// to both slots: that makes a store, or finishes making it.
absl::Status WriteHeader(File* file, const StoreHeader& header);

// OK if every copy in both slots is whole, `newest` is the newest, beside it stands the one before
// it and nothing else but, in one copy of its own slot, the one before that, and all other bytes of
// the slots are 0. DataLoss otherwise.
absl::Status VerifyHeaderSlots(const PageFile& file, const StoreHeader& newest);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_HEADER_SLOTS_H_
