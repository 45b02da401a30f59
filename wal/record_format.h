// The bytes of a frame: what the log's stream is made of. Described in wal/FORMAT.md, "Frames".
//
// The stream is one sequence of bytes over all segments; a position in it is an lsn. Frames start
// at multiples of kFrameAlignment. A frame's checksum covers its contents and its identity, the
// salt of its segment and its lsn, so that a frame that is stale, misplaced or of another log is as
// invalid as a damaged one.
//
// Pure functions, thread safe.

#ifndef EMDB_WAL_RECORD_FORMAT_H_
#define EMDB_WAL_RECORD_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace emdb {

inline constexpr size_t kFrameHeaderBytes = 16;
inline constexpr size_t kFrameAlignment = 8;
inline constexpr size_t kMaxRecordBytes = size_t{1} << 30;
inline constexpr uint64_t kMaxSeq = (uint64_t{1} << 56) - 1;

// Numbered with gaps for kinds to come.
enum class FrameKind : uint8_t {
  kRecord = 16,   // a user's record; takes a seq
  kVoid = 24,     // a record whose append failed; takes a seq, is not replayed
  kWitness = 32,  // payload: u64, every seq below it was durable when this was written
  kResume = 40,   // payload: u64, the salt of the frames behind it; the log was closed and opened
                  // again here
};

// Witness and resume frames have a number as their payload.
inline constexpr size_t kNumberPayloadBytes = 8;

// True for the kinds that have a seq of their own.
constexpr bool TakesSeq(FrameKind kind) {
  return kind == FrameKind::kRecord || kind == FrameKind::kVoid;
}

struct FrameHeader {
  uint32_t crc = 0;
  uint32_t length = 0;  // of the payload
  FrameKind kind = FrameKind::kRecord;
  uint64_t seq = 0;  // its own, or the next record's if it takes none
};

// Where a frame stands: part of its checksum.
struct FramePlace {
  uint64_t salt = 0;
  uint64_t lsn = 0;
};

// Bytes that a frame with `payload_bytes` takes in the stream, padding included.
constexpr uint64_t FrameBytes(uint64_t payload_bytes) {
  return (kFrameHeaderBytes + payload_bytes + kFrameAlignment - 1) / kFrameAlignment *
         kFrameAlignment;
}

inline constexpr uint64_t kNumberFrameBytes = FrameBytes(kNumberPayloadBytes);

// The checksum of `header` (whose crc is not looked at), given the CRC32C of its payload: the long
// part of the work can be done before the place is known.
uint32_t FrameCrc(uint32_t payload_crc, const FrameHeader& header, const FramePlace& place);

// Writes the header to the kFrameHeaderBytes at `to`.
void EncodeFrameHeader(const FrameHeader& header, char* to);

// Writes a whole frame, FrameBytes(payload.size()) bytes, to `to`; computes header.length and
// header.crc.
void EncodeFrame(FrameHeader header, const FramePlace& place, std::string_view payload,
                 uint32_t payload_crc, char* to);

// Reads the header at `from`; false if no frame can have it: an unknown kind, or a length beyond
// the limit.
bool DecodeFrameHeader(const char* from, FrameHeader* header);

// True if `frame`, FrameBytes(header.length) bytes, is intact: checksum and padding.
bool FrameIsIntact(const FrameHeader& header, const FramePlace& place, std::string_view frame);

inline std::string_view FramePayload(const FrameHeader& header, std::string_view frame) {
  return frame.substr(kFrameHeaderBytes, header.length);
}

// The salt of the segment that follows one with `salt` when the log rotates. Known without being on
// disk, so that records in the append buffer can be told to belong to a segment whose file was not
// made yet.
uint64_t NextSalt(uint64_t salt);

}  // namespace emdb

#endif  // EMDB_WAL_RECORD_FORMAT_H_
