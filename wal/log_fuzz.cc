// Fuzzes the reading of a log: segments, whose blocks and frames are made from the input with right
// checksums, unless it says otherwise, and an append buffer. Opening it, reading it, going on with
// it and salvaging it may fail, and nothing else.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/check.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/fault_env.h"
#include "storage/fuzz_input.h"
#include "wal/log_salvager.h"
#include "wal/record_format.h"
#include "wal/segment_format.h"
#include "wal/wal.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/disk/log";
constexpr uint64_t kCapacity = 16384;
constexpr uint64_t kBufferBytes = 65536;
constexpr uint64_t kSalt = 0x0123456789abcdef;

// The stream as the input goes on.
struct Stream {
  uint64_t salt = kSalt;
  uint64_t lsn = 0;
  uint64_t seq = 0;
  uint64_t number = 1;
  uint64_t prev_salt = 0;
  uint64_t prev_end_lsn = 0;
};

FrameKind KindFrom(uint8_t byte) {
  constexpr FrameKind kKinds[] = {FrameKind::kRecord, FrameKind::kRecord,  FrameKind::kRecord,
                                  FrameKind::kVoid,   FrameKind::kWitness, FrameKind::kResume};
  return kKinds[byte % std::size(kKinds)];
}

std::string FrameFrom(FuzzInput* input, Stream* stream) {
  FrameHeader header;
  header.kind = KindFrom(input->Byte());
  header.seq = input->NumberOr(stream->seq) & kMaxSeq;
  std::string payload;
  if (TakesSeq(header.kind)) {
    payload = input->Bytes(input->Byte());
  } else {
    const uint64_t number =
        input->NumberOr(header.kind == FrameKind::kWitness ? stream->seq : stream->salt + 1);
    payload.resize(kNumberPayloadBytes);
    Store64(payload.data(), number);
  }
  std::string frame(FrameBytes(payload.size()), '\0');
  const FramePlace place = {input->NumberOr(stream->salt), input->NumberOr(stream->lsn)};
  EncodeFrame(header, place, payload, Crc32c(payload), frame.data());
  stream->lsn += frame.size();
  if (TakesSeq(header.kind)) ++stream->seq;
  if (header.kind == FrameKind::kResume) {
    stream->salt = Load64(payload.data());
  }
  return frame;
}

std::string FramesFrom(FuzzInput* input, Stream* stream, uint64_t room) {
  std::string frames;
  for (int count = input->Byte() % 32; count > 0; --count) {
    const Stream before = *stream;
    const std::string frame = FrameFrom(input, stream);
    if (frames.size() + frame.size() > room) {
      *stream = before;
      break;
    }
    frames += frame;
  }
  return frames;
}

std::string SegmentFrom(FuzzInput* input, Stream* stream) {
  SegmentHeader header;
  header.salt = stream->salt;
  header.number = input->NumberOr(stream->number++);
  header.first_seq = input->NumberOr(stream->seq);
  header.base_lsn = input->NumberOr(stream->lsn);
  header.capacity_bytes = input->NumberOr(kCapacity);
  header.prev_salt = input->NumberOr(stream->prev_salt);
  header.prev_end_lsn = input->NumberOr(stream->prev_end_lsn);
  std::string file(kSegmentBlockBytes, '\0');
  const uint64_t base_lsn = stream->lsn;
  file += FramesFrom(input, stream, kCapacity);
  SegmentState state;
  state.mark = static_cast<SegmentMark>(1 + input->Byte() % 3);
  state.is_first = input->Byte() % 4 != 0 && header.number == 1;
  if (state.mark != SegmentMark::kOpen) {
    state.end_lsn = input->NumberOr(stream->lsn);
    state.end_seq = input->NumberOr(stream->seq);
  }
  if (state.mark == SegmentMark::kClosed) state.end_salt = input->NumberOr(stream->salt);
  EncodeSegmentBlock(header, state, file.data());
  file.resize(kSegmentBlockBytes + kCapacity);
  stream->prev_salt = header.salt;
  stream->prev_end_lsn = stream->lsn;
  // The rotation to the next one.
  stream->salt = NextSalt(stream->salt);
  stream->lsn = std::max(RoundUpToBlock(stream->lsn), base_lsn);
  return file;
}

// The end of the stream, where the last segment leaves off or behind it.
std::string BufferFrom(FuzzInput* input, Stream* stream, const Stream& last) {
  if (input->Byte() % 2 == 0) *stream = last;
  std::string buffer(kBufferBytes, '\0');
  const uint64_t at = stream->lsn % kBufferBytes;
  const std::string frames = FramesFrom(input, stream, kBufferBytes - at);
  buffer.replace(at, frames.size(), frames);
  return buffer;
}

DiskImage ImageFrom(FuzzInput* input) {
  DiskImage image;
  Stream stream;
  Stream last;
  const int segments = 1 + input->Byte() % 3;
  for (int i = 0; i < segments; ++i) {
    std::string digits = std::to_string(stream.seq);
    digits.insert(0, 20 - digits.size(), '0');
    const std::string path = i + 1 == segments ? kPath : std::string(kPath) + "." + digits;
    std::string file = SegmentFrom(input, &stream);
    last = stream;
    last.lsn = stream.prev_end_lsn;
    last.salt = stream.prev_salt;
    image.files[path] = SparseBytes(file);
  }
  if (input->Byte() % 8 != 0) {
    image.files[std::string(kPath) + ".buffer"] = SparseBytes(BufferFrom(input, &stream, last));
  }
  // And damage, which nothing mends.
  while (!input->empty()) {
    auto file = image.files.begin();
    std::advance(file, input->Byte() % image.files.size());
    const uint64_t offset = input->Number() % file->second.size();
    if (input->Byte() % 8 == 0) {
      file->second.Resize(offset + 1);
    } else {
      file->second.Write(offset, std::string(1, static_cast<char>(input->Byte())));
    }
  }
  return image;
}

WalOptions SmallLog(FaultEnv* env) {
  WalOptions options;
  options.flush_policy = FlushPolicy::Manual();
  options.segment_size_bytes = 64 << 10;
  options.append_buffer_size_bytes = kBufferBytes;
  options.env = env;
  return options;
}

// How many records are read; they come without gaps.
uint64_t ReadAll(Wal* wal) {
  uint64_t next = wal->first_seq();
  uint64_t records = 0;
  const absl::Status status =
      wal->Replay(next, [&](uint64_t seq, std::string_view) -> absl::Status {
        EMDB_CHECK(seq >= next);
        next = seq + 1;
        ++records;
        return absl::OkStatus();
      });
  EMDB_CHECK(status.ok() || absl::IsDataLoss(status));
  return records;
}

void OpenAndUse(const DiskImage& image) {
  FaultEnv env(image);
  WalOptions options = SmallLog(&env);
  options.read_only = true;
  options.create_if_missing = false;
  if (auto wal = Wal::Open(kPath, options); wal.ok()) ReadAll(wal->get());
  auto wal = Wal::Open(kPath, SmallLog(&env));
  if (!wal.ok()) return;
  const uint64_t records = ReadAll(wal->get());
  // Close to the highest seq there may be nothing to append to.
  if ((*wal)->next_seq() > kMaxSeq - 2) return;
  if (!(*wal)->Append("one more").ok() || !(*wal)->Close().ok()) return;
  auto again = Wal::Open(kPath, SmallLog(&env));
  if (!again.ok()) std::fprintf(stderr, "%s\n", again.status().ToString().c_str());
  EMDB_CHECK(again.ok());
  EMDB_CHECK(ReadAll(again->get()) >= records);
}

void SalvageAll(const DiskImage& image) {
  FaultEnv env(image);
  auto salvager = LogSalvager::Open(&env, kPath);
  if (!salvager.ok()) return;
  std::vector<LostPiece> lost;
  uint64_t next = 0;
  const auto extent = (*salvager)->Read(
      0,
      [&next](const SalvagedRecord& record) -> absl::Status {
        EMDB_CHECK(record.seq >= next);
        next = record.seq + 1;
        return absl::OkStatus();
      },
      &lost);
  EMDB_CHECK(extent.ok());
}

}  // namespace
}  // namespace emdb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  emdb::FuzzInput input(data, size);
  const emdb::DiskImage image = emdb::ImageFrom(&input);
  emdb::OpenAndUse(image);
  emdb::SalvageAll(image);
  return 0;
}
