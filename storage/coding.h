// Little-endian fixed-width integers and LEB128 varints: the only way numbers get to and from disk.
//
// The fixed functions work at any alignment. GetVarint* check bounds and return nullptr for bytes
// that are not a varint within [p, limit): they are for bytes from disk.

#ifndef EMDB_STORAGE_CODING_H_
#define EMDB_STORAGE_CODING_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace emdb {

static_assert(std::endian::native == std::endian::little,
              "a big-endian port byte-swaps in LoadLe and StoreLe, and nowhere else");

template <typename T>
inline T LoadLe(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}
template <typename T>
inline void StoreLe(char* p, T value) {
  std::memcpy(p, &value, sizeof(value));
}

inline uint16_t Load16(const char* p) { return LoadLe<uint16_t>(p); }
inline uint32_t Load32(const char* p) { return LoadLe<uint32_t>(p); }
inline uint64_t Load64(const char* p) { return LoadLe<uint64_t>(p); }
inline void Store16(char* p, uint16_t v) { StoreLe(p, v); }
inline void Store32(char* p, uint32_t v) { StoreLe(p, v); }
inline void Store64(char* p, uint64_t v) { StoreLe(p, v); }

inline constexpr size_t kMaxVarint32Bytes = 5;
inline constexpr size_t kMaxVarint64Bytes = 10;

inline size_t VarintLength(uint64_t v) {
  return (static_cast<size_t>(std::bit_width(v | 1)) + 6) / 7;
}

// Writes `v` at `p` and returns the byte behind it.
inline char* PutVarint64(char* p, uint64_t v) {
  while (v >= 0x80) {
    *p++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *p++ = static_cast<char>(v);
  return p;
}

// Reads a varint from [p, limit) into *v and returns the byte behind it; nullptr if there is none.
inline const char* GetVarint64(const char* p, const char* limit, uint64_t* v) {
  uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && p < limit; shift += 7) {
    const uint64_t byte = static_cast<unsigned char>(*p++);
    if (shift == 63 && byte > 1) return nullptr;
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *v = result;
      return p;
    }
  }
  return nullptr;
}
// The same of at most kMaxVarint32Bytes, even where a longer one would have the same value: who
// reads it again may give it no more room.
inline const char* GetVarint32(const char* p, const char* limit, uint32_t* v) {
  const auto byte = [p](int i) -> uint32_t { return static_cast<unsigned char>(p[i]); };
  if (p < limit && byte(0) < 0x80) {
    *v = byte(0);
    return p + 1;
  }
  // Sizes of values have two bytes as a rule.
  if (limit - p >= 2 && byte(1) < 0x80) {
    *v = (byte(0) & 0x7f) | (byte(1) << 7);
    return p + 2;
  }
  if (limit - p > static_cast<ptrdiff_t>(kMaxVarint32Bytes)) limit = p + kMaxVarint32Bytes;
  uint64_t wide = 0;
  p = GetVarint64(p, limit, &wide);
  if (p == nullptr || wide > UINT32_MAX) return nullptr;
  *v = static_cast<uint32_t>(wide);
  return p;
}

}  // namespace emdb

#endif  // EMDB_STORAGE_CODING_H_
