#include "tools/quickstart/side_by_side.h"

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/bench/map_engine.h"

namespace emdb::quickstart {
namespace {

using ::testing::HasSubstr;

using bench::Defect;

// Enough packages for a defect that strikes once in a hundred times.
absl::StatusOr<Measurement> MeasureWith(Defect defect) {
  std::string text;
  for (int i = 0; i < 300; ++i) absl::StrAppend(&text, "Package: p", i, "\n\n");
  const absl::StatusOr<PackageIndex> index = PackageIndex::Parse(text);
  EXPECT_TRUE(index.ok()) << index.status();
  const absl::StatusOr<std::unique_ptr<bench::Engine>> engine =
      bench::MapEngineInfo(defect).open({});
  EXPECT_TRUE(engine.ok()) << engine.status();
  return SideBySide(&*index, /*seconds=*/0.01).Measure("map", engine->get());
}

TEST(SideBySideTest, EverythingIsMeasured) {
  const absl::StatusOr<Measurement> measured = MeasureWith(Defect::kNone);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_GT(measured->loaded, 0);
  EXPECT_GT(measured->commits_single, 0);
  EXPECT_GT(measured->commits_threads, 0);
  EXPECT_GT(measured->gets, 0);
  EXPECT_GT(measured->scanned, 0);
}

TEST(SideBySideTest, ABrokenDatabaseIsCaught) {
  EXPECT_TRUE(absl::IsDataLoss(MeasureWith(Defect::kDropsPut).status()));
  EXPECT_TRUE(absl::IsDataLoss(MeasureWith(Defect::kTearsBatch).status()));
  EXPECT_FALSE(MeasureWith(Defect::kFails).ok());
  EXPECT_TRUE(absl::IsDataLoss(MeasureWith(Defect::kFlipsBit).status()));
  EXPECT_TRUE(absl::IsDataLoss(MeasureWith(Defect::kMixesUpValues).status()));
  EXPECT_TRUE(absl::IsDataLoss(MeasureWith(Defect::kSkipsRow).status()));
  EXPECT_TRUE(absl::IsDataLoss(MeasureWith(Defect::kEndsEarly).status()));
}

TEST(SideBySideTest, TheTableShowsMediansAndRatios) {
  const auto with_gets = [](std::string name, double gets) {
    Measurement m;
    m.engine = std::move(name);
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
