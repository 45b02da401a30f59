// The bytes of an encoded batch, which is the payload of a log record. Described in kv/FORMAT.md;
// only this file knows where things are.
//
//   batch     = version (1 byte, kBatchVersion), operation*
//   operation = kind (1 byte), key size (varint), [value size (varint), for puts], key, [value]

#ifndef EMDB_KV_BATCH_FORMAT_H_
#define EMDB_KV_BATCH_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "storage/coding.h"

namespace emdb::batch_format {

inline constexpr uint8_t kBatchVersion = 1;
// In its place in records that hold one of the two parts of a large batch (split_batch.h).
inline constexpr uint8_t kFirstPart = 2;
inline constexpr uint8_t kSecondPart = 3;
inline constexpr size_t kHeaderBytes = 1;

// Numbered with gaps, for delete-range, expiring puts, merges and namespaces.
inline constexpr uint8_t kPutKind = 1;
inline constexpr uint8_t kDeleteKind = 2;

inline constexpr size_t kMaxKeyBytes = 4096;
inline constexpr uint64_t kMaxValueBytes = uint64_t{1} << 30;
// Of a whole encoded batch: the largest value, and what a put of it needs beyond that.
inline constexpr uint64_t kMaxBatchBytes = kMaxValueBytes + 5120;

inline size_t PutSize(std::string_view key, std::string_view value) {
  return 1 + VarintLength(key.size()) + VarintLength(value.size()) + key.size() + value.size();
}

inline size_t DeleteSize(std::string_view key) { return 1 + VarintLength(key.size()) + key.size(); }

inline char* AppendBytes(char* p, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(p, bytes.data(), bytes.size());
  return p + bytes.size();
}

// Each writes at `p` and returns the byte behind what it wrote.
inline char* EncodeHeader(char* p) {
  *p++ = static_cast<char>(kBatchVersion);
  return p;
}

inline char* EncodePut(char* p, std::string_view key, std::string_view value) {
  *p++ = static_cast<char>(kPutKind);
  p = PutVarint64(p, key.size());
  p = PutVarint64(p, value.size());
  return AppendBytes(AppendBytes(p, key), value);
}

inline char* EncodeDelete(char* p, std::string_view key) {
  *p++ = static_cast<char>(kDeleteKind);
  p = PutVarint64(p, key.size());
  return AppendBytes(p, key);
}

}  // namespace emdb::batch_format

#endif  // EMDB_KV_BATCH_FORMAT_H_
