#include "kv/observation.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace emdb {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Records = std::vector<std::pair<std::string, std::string>>;

// Shows `records` as they are, in order or not; at `error_at` it fails.
class FakeIterator : public Iterator {
 public:
  FakeIterator(Records records, size_t error_at)
      : records_(std::move(records)), error_at_(error_at) {}

  bool Valid() const override { return at_ < records_.size() && status().ok(); }
  void SeekToFirst() override { at_ = 0; }
  void SeekToLast() override { at_ = records_.size() - 1; }
  void Seek(std::string_view) override {}
  void SeekForPrev(std::string_view) override {}
  void Next() override { ++at_; }
  void Prev() override { --at_; }
  std::string_view key() const override { return records_[at_].first; }
  std::string_view value() const override { return records_[at_].second; }
  absl::Status status() const override {
    return at_ == error_at_ ? absl::DataLossError("the scan") : absl::OkStatus();
  }

 private:
  const Records records_;
  const size_t error_at_;
  size_t at_ = 0;
};

constexpr size_t kNever = 1'000;

// What each way of reading says; all agree at first.
class ObservationTest : public testing::Test {
 protected:
  Observation Look() const {
    const WaysOfReading ways = {
        .new_iterator = [this] { return std::make_unique<FakeIterator>(scanned_, scan_fails_at_); },
        .get = [this](std::string_view key, std::string* value) { return Find(got_, key, value); },
        .multi_get =
            [this](absl::Span<const std::string_view> keys, std::vector<std::string>* values) {
              std::vector<absl::Status> statuses;
              values->resize(keys.size());
              for (size_t i = 0; i < keys.size(); ++i) {
                statuses.push_back(Find(got_together_, keys[i], &(*values)[i]));
              }
              statuses.resize(statuses.size() - answers_too_few_);
              return statuses;
            }};
    return Observe(ways, {"a", "b", "c", "gone"});
  }

  absl::Status Find(const Contents& contents, std::string_view key, std::string* value) const {
    if (key == unreadable_) return absl::DataLossError("the get");
    const auto found = contents.find(std::string(key));
    if (found == contents.end()) return absl::NotFoundError("");
    *value = found->second;
    return absl::OkStatus();
  }

  const Contents contents_ = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
  Records scanned_ = {contents_.begin(), contents_.end()};
  size_t scan_fails_at_ = kNever;
  Contents got_ = contents_;
  Contents got_together_ = contents_;
  std::string unreadable_;
  size_t answers_too_few_ = 0;
};

TEST_F(ObservationTest, WhatAllAgreeOnIsShown) {
  const Observation found = Look();
  EXPECT_EQ(found.present, contents_);
  EXPECT_THAT(found.absent, ElementsAre("gone"));
  EXPECT_EQ(found.error, absl::OkStatus());
  EXPECT_EQ(Difference(found, contents_), "");
}

TEST_F(ObservationTest, GetThatDisagreesIsSeen) {
  got_["b"] = "old";
  EXPECT_THAT(Look().contradiction, StartsWith("a get sees 'b' as 'old'"));
  got_.erase("b");
  EXPECT_THAT(Look().contradiction, StartsWith("a get does not see 'b'"));
}

TEST_F(ObservationTest, MultiGetThatDisagreesIsSeen) {
  got_together_["b"] = "old";
  EXPECT_THAT(Look().contradiction, StartsWith("a multi-get sees 'b' as 'old'"));
  got_together_.erase("b");
  EXPECT_THAT(Look().contradiction, StartsWith("a multi-get does not see 'b'"));
}

TEST_F(ObservationTest, MultiGetOfTooFewAnswersIsSeen) {
  answers_too_few_ = 1;
  EXPECT_THAT(Look().contradiction, HasSubstr("as many answers as it likes"));
}

TEST_F(ObservationTest, ScanThatLeavesAKeyOutIsSeen) {
  for (size_t i = 0; i < contents_.size(); ++i) {
    scanned_ = {contents_.begin(), contents_.end()};
    scanned_.erase(scanned_.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_THAT(Look().contradiction, HasSubstr("which was seen otherwise before")) << i;
  }
  scanned_.clear();
  EXPECT_THAT(Look().contradiction, HasSubstr("which was seen otherwise before"));
}

TEST_F(ObservationTest, DisorderIsSeen) {
  std::swap(scanned_[0], scanned_[1]);
  EXPECT_EQ(Look().contradiction, "a forward scan goes from 'b' to 'a'");
  scanned_ = {{"a", "1"}, {"a", "1"}};
  EXPECT_EQ(Look().contradiction, "a forward scan goes from 'a' to 'a'");
}

// Not even that a key behind it is absent.
TEST_F(ObservationTest, BehindAnErrorNothingIsConcluded) {
  scan_fails_at_ = 1;
  unreadable_ = "b";
  const Observation found = Look();
  EXPECT_THAT(std::string(found.error.message()), HasSubstr("the scan"));
  EXPECT_EQ(found.present, (Contents{{"a", "1"}, {"c", "3"}}));
  EXPECT_THAT(found.absent, ElementsAre("gone"));
  EXPECT_EQ(Difference(found, contents_), "");
}

TEST_F(ObservationTest, WhatIsServedBesideAnErrorMustBeRight) {
  unreadable_ = "b";
  scan_fails_at_ = 1;
  EXPECT_EQ(Difference(Look(), {{"a", "1"}, {"b", "2"}, {"c", "other"}}),
            "'c' is '3', not 'other'");
  EXPECT_EQ(Difference(Look(), {{"a", "1"}, {"b", "2"}}), "'c' should not be there");
  Contents more = contents_;
  more["gone"] = "4";
  EXPECT_EQ(Difference(Look(), more), "'gone' is missing");
}

TEST_F(ObservationTest, EachDifferenceIsNamed) {
  const Observation found = Look();
  EXPECT_EQ(Difference(found, {{"a", "1"}, {"b", "2"}}), "'c' should not be there");
  EXPECT_EQ(Difference(found, {{"a", "1"}, {"b", "x"}, {"c", "3"}}), "'b' is '2', not 'x'");
  Contents more = contents_;
  more["d"] = "4";
  EXPECT_EQ(Difference(found, more), "'d' was never shown");
  more = contents_;
  more["gone"] = "4";
  EXPECT_EQ(Difference(found, more), "'gone' is missing");
}

TEST_F(ObservationTest, AContradictionIsADifferenceFromAnyState) {
  got_["b"] = "old";
  EXPECT_NE(Difference(Look(), contents_), "");
  EXPECT_NE(Difference(Look(), got_), "");
}

TEST(ObservationOfADbTest, AllWaysOfReadingAreThose) {
  const auto db = Db::OpenInMemory();
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_EQ((*db)->Put("a", "1"), absl::OkStatus());
  const Observation found = Observe(**db, {"gone"});
  EXPECT_EQ(Difference(found, {{"a", "1"}}), "");
  EXPECT_THAT(found.absent, ElementsAre("gone"));
}

}  // namespace
}  // namespace emdb
