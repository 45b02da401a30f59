#include "pagestore/head_search.h"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

class Heads {
 public:
  explicit Heads(std::vector<uint32_t> heads) : heads_(std::move(heads)) {
    std::sort(heads_.begin(), heads_.end());
    bytes_.resize(heads_.size() * 4 + kHeadSlack);
    for (size_t i = 0; i < heads_.size(); ++i) Store32(bytes_.data() + 4 * i, heads_[i]);
  }

  void ExpectBothSearchesAgree(uint32_t head) const {
    const auto expected = static_cast<uint32_t>(
        std::lower_bound(heads_.begin(), heads_.end(), head) - heads_.begin());
    const auto n = static_cast<uint32_t>(heads_.size());
    ASSERT_EQ(CountHeadsBelow(bytes_.data(), n, head), expected) << head << " of " << n;
    ASSERT_EQ(CountHeadsBelowPortable(bytes_.data(), n, head), expected) << head << " of " << n;
  }

  const std::vector<uint32_t>& heads() const { return heads_; }

 private:
  std::vector<uint32_t> heads_;
  std::string bytes_;
};

TEST(HeadSearchTest, AgreesWithLowerBoundForAnyNumberOfHeads) {
  constexpr uint64_t kSeed = 11;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  for (size_t n = 0; n < 400; ++n) {
    // Few values, so that many are equal, and all values, with both halves of the signed range.
    for (const uint64_t values : {uint64_t{5}, uint64_t{1} << 32}) {
      std::vector<uint32_t> heads(n);
      for (uint32_t& head : heads) head = static_cast<uint32_t>(random() % values);
      const Heads search(std::move(heads));
      for (const uint32_t head : {0u, 1u, 2u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        ASSERT_NO_FATAL_FAILURE(search.ExpectBothSearchesAgree(head));
      }
      for (size_t i = 0; i < n; i += 7) {
        ASSERT_NO_FATAL_FAILURE(search.ExpectBothSearchesAgree(search.heads()[i]));
        ASSERT_NO_FATAL_FAILURE(search.ExpectBothSearchesAgree(search.heads()[i] + 1));
      }
    }
  }
}

TEST(HeadSearchTest, HeadsKeepTheOrderOfKeys) {
  const std::vector<std::string> keys = {std::string("\0", 1),
                                         std::string("\0\1", 2),
                                         "a",
                                         "ab",
                                         "abc",
                                         "abcd",
                                         "abce",
                                         "\x7f\xff",
                                         "\x80",
                                         "\xff\xff"};
  for (size_t i = 1; i < keys.size(); ++i) EXPECT_LT(HeadOf(keys[i - 1]), HeadOf(keys[i]));
}

TEST(HeadSearchTest, PaddingMakesPrefixesShareAHead) {
  EXPECT_EQ(HeadOf("a"), HeadOf(std::string("a\0", 2)));
  EXPECT_EQ(HeadOf(""), HeadOf(std::string("\0\0\0\0", 4)));
  EXPECT_EQ(HeadOf("abcd"), HeadOf("abcdefg"));
}

}  // namespace
}  // namespace emdb
