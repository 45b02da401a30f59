#include "tools/bench/dataset.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/coding.h"
#include "storage/status.h"
#include "tools/bench/random.h"

namespace emdb::bench {
namespace {

constexpr size_t kWordBytes = sizeof(uint64_t);
// Keeps the words of keys and values apart.
constexpr uint64_t kKeySalt = 0x6b657973;
constexpr uint64_t kValueSalt = 0x76616c73;

uint64_t BigEndian(uint64_t x) { return __builtin_bswap64(x); }

// The i-th word of the stream that `base` stands for, which keys go on with. One multiplication
// less than Mix64.
uint64_t StreamWord(uint64_t base, size_t i) {
  uint64_t x = base + (i + 1) * kGoldenRatio64;
  x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9;
  return x ^ (x >> 32);
}

// Calls visit(word, offset, size) for the words of a stream of `size` bytes, the last one in part.
template <typename Visitor>
void VisitStream(uint64_t base, size_t size, const Visitor& visit) {
  size_t offset = 0;
  for (; offset + kWordBytes <= size; offset += kWordBytes) {
    visit(StreamWord(base, offset), offset, kWordBytes);
  }
  if (offset < size) visit(StreamWord(base, offset), offset, size - offset);
}

// What values are made of: word i of a piece is kNoise[i] ^ the base of the piece. One operation a
// word, which the compiler does for several at once, so that what is measured is the engine even
// where values are long; and no compressor finds two equal words.
constexpr size_t kPieceWords = 512;
constexpr size_t kPieceBytes = kPieceWords * kWordBytes;
constexpr std::array<uint64_t, kPieceWords> kNoise = [] {
  std::array<uint64_t, kPieceWords> noise{};
  for (size_t i = 0; i < kPieceWords; ++i) noise[i] = Mix64((i + 1) * kGoldenRatio64);
  return noise;
}();

// Of the piece at `offset` of a value. The first byte of a value comes out as its version.
uint64_t PieceBase(uint64_t id, uint8_t version, size_t offset) {
  const uint64_t base = Mix64(((id << 8) | version) ^ (kValueSalt << 32));
  if (offset > 0) return Mix64(base + offset);
  return (base & ~uint64_t{0xff}) | (version ^ (kNoise[0] & 0xff));
}

void FillPiece(uint64_t base, char* out, size_t size) {
  const size_t words = size / kWordBytes;
  for (size_t i = 0; i < words; ++i) StoreLe(out + i * kWordBytes, kNoise[i] ^ base);
  const uint64_t last = kNoise[words % kPieceWords] ^ base;
  std::memcpy(out + words * kWordBytes, &last, size % kWordBytes);
}

// 0 if the piece is what FillPiece makes.
uint64_t PieceDifference(uint64_t base, const char* in, size_t size) {
  const size_t words = size / kWordBytes;
  uint64_t difference = 0;
  for (size_t i = 0; i < words; ++i) difference |= Load64(in + i * kWordBytes) ^ kNoise[i] ^ base;
  const uint64_t last = kNoise[words % kPieceWords] ^ base;
  uint64_t found = last;
  std::memcpy(&found, in + words * kWordBytes, size % kWordBytes);
  return difference | (found ^ last);
}

}  // namespace

Dataset::Dataset(const DatasetOptions& options) : options_(options), versions_(options.capacity) {}

std::string_view Dataset::Key(uint64_t id, std::string* buffer) const {
  buffer->resize(options_.key_bytes);
  char* const out = buffer->data();
  const bool random = options_.key_order == KeyOrder::kRandom;
  const uint64_t head = BigEndian(random ? Mix64(id ^ kKeySalt) : id);
  std::memcpy(out, &head, kWordBytes);
  if (random) {
    VisitStream(head, options_.key_bytes - kWordBytes,
                [out](uint64_t word, size_t offset, size_t size) {
                  std::memcpy(out + kWordBytes + offset, &word, size);
                });
  } else {
    std::memset(out + kWordBytes, '0', options_.key_bytes - kWordBytes);
  }
  return *buffer;
}

std::string_view Dataset::Value(uint64_t id, uint8_t version, std::string* buffer) const {
  buffer->resize(options_.value_bytes);
  for (size_t at = 0; at < buffer->size(); at += kPieceBytes) {
    const size_t size = std::min(buffer->size() - at, kPieceBytes);
    FillPiece(PieceBase(id, version, at), buffer->data() + at, size);
  }
  return *buffer;
}

std::string_view Dataset::MissingKey(uint64_t id, std::string* buffer) const {
  Key(id, buffer);
  buffer->push_back('.');
  return *buffer;
}

std::optional<uint64_t> Dataset::FindId(std::string_view key) const {
  if (key.size() != options_.key_bytes) return std::nullopt;
  uint64_t head;
  std::memcpy(&head, key.data(), kWordBytes);
  const bool random = options_.key_order == KeyOrder::kRandom;
  const uint64_t id = random ? Unmix64(BigEndian(head)) ^ kKeySalt : BigEndian(head);
  if (id >= options_.capacity) return std::nullopt;
  bool same = true;
  const char* const tail = key.data() + kWordBytes;
  if (random) {
    VisitStream(head, options_.key_bytes - kWordBytes,
                [&same, tail](uint64_t word, size_t offset, size_t size) {
                  same &= std::memcmp(tail + offset, &word, size) == 0;
                });
  } else {
    same = key.find_first_not_of('0', kWordBytes) == std::string_view::npos;
  }
  return same ? std::optional<uint64_t>(id) : std::nullopt;
}

absl::Status Dataset::CheckValue(uint64_t id, uint8_t version, std::string_view value) const {
  if (value.size() != options_.value_bytes) {
    return absl::DataLossError(absl::StrCat("record ", id, ": value of ", value.size(),
                                            " bytes, expected ", options_.value_bytes));
  }
  uint64_t difference = 0;
  for (size_t at = 0; at < value.size(); at += kPieceBytes) {
    const size_t size = std::min(value.size() - at, kPieceBytes);
    difference |= PieceDifference(PieceBase(id, version, at), value.data() + at, size);
  }
  if (difference == 0) [[likely]]
    return absl::OkStatus();
  std::string expected;
  Value(id, version, &expected);
  const size_t at =
      std::mismatch(expected.begin(), expected.end(), value.begin()).first - expected.begin();
  std::string key;
  return absl::DataLossError(absl::StrCat(
      "record ", id, ", key ", absl::BytesToHexString(ToAbsl(Key(id, &key))),
      ": value differs from version ", version, " at byte ", at, ": expected ",
      static_cast<uint8_t>(expected[at]), ", found ", static_cast<uint8_t>(value[at])));
}

uint64_t Dataset::CountLive() const {
  uint64_t live = 0;
  for (uint64_t id = 0; id < options_.capacity; ++id) live += version(id) != 0 ? 1 : 0;
  return live;
}

std::vector<uint32_t> Dataset::LiveIdsInKeyOrder() const {
  std::vector<std::pair<uint64_t, uint32_t>> heads;
  for (uint64_t id = 0; id < options_.capacity; ++id) {
    if (version(id) == 0) continue;
    const bool random = options_.key_order == KeyOrder::kRandom;
    heads.emplace_back(random ? Mix64(id ^ kKeySalt) : id, static_cast<uint32_t>(id));
  }
  std::sort(heads.begin(), heads.end());
  std::vector<uint32_t> ids;
  ids.reserve(heads.size());
  for (const auto& [head, id] : heads) ids.push_back(id);
  return ids;
}

}  // namespace emdb::bench
