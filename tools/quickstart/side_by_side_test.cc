#include "tools/quickstart/side_by_side.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/mutex.h"

namespace emdb::quickstart {
namespace {

using ::testing::HasSubstr;

// A map, that can be told to go wrong.
class FakeContender : public Contender {
 public:
  enum class Fault { kNone, kDropsRecords, kFlipsBits, kSkipsInScan };

  explicit FakeContender(Fault fault) : fault_(fault) {}

  std::string name() const override { return "fake"; }

  absl::Status Write(absl::Span<const Package> packages) override {
    MutexLock lock(&mutex_);
    for (const Package& package : packages) {
      if (fault_ == Fault::kDropsRecords && package.name == "b") continue;
      records_[std::string(package.name)] = std::string(package.stanza);
    }
    return absl::OkStatus();
  }

  absl::Status Settle() override { return absl::OkStatus(); }

  absl::Status Get(std::string_view key, std::string* value) override {
    MutexLock lock(&mutex_);
    const auto found = records_.find(std::string(key));
    if (found == records_.end()) return absl::NotFoundError("");
    *value = found->second;
    if (fault_ == Fault::kFlipsBits && key == "b") (*value)[0] ^= 1;
    return absl::OkStatus();
  }

  absl::Status Scan(
      const std::function<void(std::string_view key, std::string_view value)>& visit) override {
    MutexLock lock(&mutex_);
    for (const auto& [key, value] : records_) {
      if (fault_ == Fault::kSkipsInScan && key == "b") continue;
      visit(key, value);
    }
    return absl::OkStatus();
  }

 private:
  const Fault fault_;
  Mutex mutex_;
  std::map<std::string, std::string> records_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<Measurement> MeasureWith(FakeContender::Fault fault) {
  const absl::StatusOr<PackageIndex> index =
      PackageIndex::Parse("Package: c\n\nPackage: a\n\nPackage: b\n");
  EXPECT_TRUE(index.ok()) << index.status();
  FakeContender contender(fault);
  return SideBySide(&*index, /*seconds=*/0.001).Measure(&contender);
}

TEST(SideBySideTest, EverythingIsMeasured) {
  const absl::StatusOr<Measurement> measured = MeasureWith(FakeContender::Fault::kNone);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_GT(measured->loaded, 0);
  EXPECT_GT(measured->commits_single, 0);
  EXPECT_GT(measured->commits_threads, 0);
  EXPECT_GT(measured->gets, 0);
  EXPECT_GT(measured->scanned, 0);
}

TEST(SideBySideTest, ABrokenDatabaseIsCaught) {
  EXPECT_TRUE(absl::IsNotFound(MeasureWith(FakeContender::Fault::kDropsRecords).status()));
  EXPECT_TRUE(absl::IsDataLoss(MeasureWith(FakeContender::Fault::kFlipsBits).status()));
  EXPECT_TRUE(absl::IsDataLoss(MeasureWith(FakeContender::Fault::kSkipsInScan).status()));
}

TEST(SideBySideTest, TheTableShowsMediansAndRatios) {
  const auto with_gets = [](std::string name, double gets) {
    Measurement m;
    m.contender = std::move(name);
    m.gets = gets;
    return m;
  };
  const std::string table =
      ComparisonTable({with_gets("emdb", 9000), with_gets("emdb", 1), with_gets("emdb", 3000)},
                      {with_gets("other", 1500)});
  EXPECT_THAT(table, HasSubstr("         3,000           1,500     2.0x\n"));
}

}  // namespace
}  // namespace emdb::quickstart
