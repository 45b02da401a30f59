// FuzzInput: a fuzzer's bytes as a sequence of small decisions. What is read behind the end is 0,
// so every input means something.

#ifndef EMDB_STORAGE_FUZZ_INPUT_H_
#define EMDB_STORAGE_FUZZ_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace emdb {

class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return left_.empty(); }
  uint8_t Byte() {
    if (left_.empty()) return 0;
    const uint8_t byte = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return byte;
  }
  // One to nine bytes of input: how many bytes the number has, and these.
  uint64_t Number() {
    uint64_t number = 0;
    for (int bytes = Byte() % 9; bytes > 0; --bytes) number = number << 8 | Byte();
    return number;
  }
  // `usual`, unless the input says to take a number of its own.
  uint64_t NumberOr(uint64_t usual) { return Byte() % 8 == 7 ? Number() : usual; }
  // At most `size` bytes.
  std::string_view Bytes(size_t size) {
    const std::string_view bytes = left_.substr(0, size);
    left_.remove_prefix(bytes.size());
    return bytes;
  }
  std::string_view Rest() { return Bytes(left_.size()); }

 private:
  std::string_view left_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_FUZZ_INPUT_H_
