#include "storage/crc32c.h"

#include <array>

#include "storage/coding.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace emdb {
namespace {

// Polynomials over GF(2) modulo the Castagnoli polynomial, bit-reflected: bit 31 is x^0.
constexpr uint32_t kPolynomial = 0x82F63B78;
constexpr uint32_t kOne = 0x80000000;

using ByteTable = std::array<uint32_t, 256>;

constexpr uint32_t TimesX(uint32_t a) { return (a >> 1) ^ ((a & 1) != 0 ? kPolynomial : 0); }

// slices[k][b]: the register after byte b and k zero bytes.
constexpr std::array<ByteTable, 8> MakeSlices() {
  std::array<ByteTable, 8> slices{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = TimesX(crc);
    slices[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = slices[k - 1][byte];
      slices[k][byte] = (crc >> 8) ^ slices[0][crc & 0xff];
    }
  }
  return slices;
}

constexpr std::array<ByteTable, 8> kSlices = MakeSlices();

constexpr uint32_t StepByte(uint32_t crc, char byte) {
  return (crc >> 8) ^ kSlices[0][(crc ^ static_cast<unsigned char>(byte)) & 0xff];
}

#if defined(__x86_64__)

constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = TimesX(b);
  }
  return product;
}

// Appends a fixed number of zero bytes to a register: multiplies it by x^(8 * bytes), a byte of it
// at a time.
class ZeroBytes {
 public:
  explicit constexpr ZeroBytes(size_t bytes) {
    uint32_t factor = kOne;
    for (size_t i = 0; i < 8 * bytes; ++i) factor = TimesX(factor);
    for (size_t k = 0; k < 4; ++k) {
      for (uint32_t byte = 0; byte < 256; ++byte) {
        tables_[k][byte] = Multiply(byte << (8 * k), factor);
      }
    }
  }

  uint32_t Append(uint32_t crc) const {
    return tables_[0][crc & 0xff] ^ tables_[1][(crc >> 8) & 0xff] ^ tables_[2][(crc >> 16) & 0xff] ^
           tables_[3][crc >> 24];
  }

 private:
  std::array<ByteTable, 4> tables_{};
};

// The instruction takes 3 cycles and one can start in each, so three streams run side by side.
// Three long streams are just less than a 4 KiB page, three short ones less than 512 bytes.
constexpr size_t kLongStream = 1360;
constexpr size_t kShortStream = 168;
constexpr ZeroBytes kLongZeros(kLongStream);
constexpr ZeroBytes kShortZeros(kShortStream);

// Consumes rounds of three streams of `kStream` bytes for as long as there are enough of them.
template <size_t kStream>
__attribute__((target("sse4.2"))) inline uint64_t ExtendInterleaved(uint64_t crc,
                                                                    const ZeroBytes& zeros,
                                                                    std::string_view* data) {
  static_assert(kStream % 8 == 0);
  while (data->size() >= 3 * kStream) {
    const char* const p = data->data();
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < kStream; i += 8) {
      crc = _mm_crc32_u64(crc, Load64(p + i));
      second = _mm_crc32_u64(second, Load64(p + kStream + i));
      third = _mm_crc32_u64(third, Load64(p + 2 * kStream + i));
    }
    crc = zeros.Append(static_cast<uint32_t>(crc)) ^ second;
    crc = zeros.Append(static_cast<uint32_t>(crc)) ^ third;
    data->remove_prefix(3 * kStream);
  }
  return crc;
}

__attribute__((target("sse4.2"))) uint32_t ExtendSse42(uint32_t initial, std::string_view data) {
  uint64_t crc = ~initial;
  crc = ExtendInterleaved<kLongStream>(crc, kLongZeros, &data);
  crc = ExtendInterleaved<kShortStream>(crc, kShortZeros, &data);
  const char* p = data.data();
  const char* const end = p + data.size();
  for (; end - p >= 8; p += 8) crc = _mm_crc32_u64(crc, Load64(p));
  uint32_t last = static_cast<uint32_t>(crc);
  for (; p != end; ++p) last = _mm_crc32_u8(last, static_cast<unsigned char>(*p));
  return ~last;
}

#endif  // defined(__x86_64__)

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, std::string_view data) {
#if defined(__x86_64__)
  if (Crc32cIsAccelerated()) return ExtendSse42(crc, data);
#endif
  return ExtendCrc32cPortable(crc, data);
}

uint32_t ExtendCrc32cPortable(uint32_t crc, std::string_view data) {
  crc = ~crc;
  const char* p = data.data();
  const char* const end = p + data.size();
  for (; end - p >= 8; p += 8) {
    const uint32_t low = Load32(p) ^ crc;
    const uint32_t high = Load32(p + 4);
    crc = kSlices[7][low & 0xff] ^ kSlices[6][(low >> 8) & 0xff] ^ kSlices[5][(low >> 16) & 0xff] ^
          kSlices[4][low >> 24] ^ kSlices[3][high & 0xff] ^ kSlices[2][(high >> 8) & 0xff] ^
          kSlices[1][(high >> 16) & 0xff] ^ kSlices[0][high >> 24];
  }
  for (; p != end; ++p) crc = StepByte(crc, *p);
  return ~crc;
}

bool Crc32cIsAccelerated() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2") != 0;
#else
  return false;
#endif
}

}  // namespace emdb
