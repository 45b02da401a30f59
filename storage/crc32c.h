// CRC32C (Castagnoli, polynomial 0x1EDC6F41, reflected), as in RFC 3720 appendix B.4.
//
// Uses the processor's crc32 instruction when it has one (checked at run time), three streams at
// once for long inputs, and slicing-by-8 otherwise. Thread safe.

#ifndef EMDB_STORAGE_CRC32C_H_
#define EMDB_STORAGE_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace emdb {

// The CRC32C of A followed by `data`, given the CRC32C of A.
uint32_t ExtendCrc32c(uint32_t crc, std::string_view data);

inline uint32_t Crc32c(std::string_view data) { return ExtendCrc32c(0, data); }

// The same by the portable code, for tests and benchmarks.
uint32_t ExtendCrc32cPortable(uint32_t crc, std::string_view data);

// True when ExtendCrc32c uses the processor's instruction.
bool Crc32cIsAccelerated();

}  // namespace emdb

#endif  // EMDB_STORAGE_CRC32C_H_
