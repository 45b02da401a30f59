#include "tools/cli/progress.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/env.h"
#include "tools/cli/testing.h"

namespace emdb::cli {
namespace {

using ::testing::HasSubstr;

// Has a clock that moves when told, and no files.
class ClockEnv : public Env {
 public:
  void AdvanceSeconds(double seconds) { nanos_ += static_cast<uint64_t>(seconds * 1e9); }
  uint64_t NowNanos() override { return nanos_; }

  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view, const OpenOptions&) override {
    return NoFiles();
  }
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view) override {
    return NoFiles();
  }
  absl::StatusOr<std::unique_ptr<RingMapping>> MapRing(std::string_view, size_t) override {
    return NoFiles();
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view, LockMode) override {
    return NoFiles();
  }
  absl::Status Rename(std::string_view, std::string_view) override { return NoFiles(); }
  absl::Status Remove(std::string_view) override { return NoFiles(); }
  absl::StatusOr<bool> Exists(std::string_view) override { return NoFiles(); }
  void FillRandom(char*, size_t) override {}

 private:
  static absl::Status NoFiles() { return absl::UnimplementedError("no files"); }
  uint64_t nanos_ = 1'000'000'000;
};

// Updates often enough that the clock is read.
void UpdateUntilSeen(Progress* progress, uint64_t done, uint64_t total) {
  for (int i = 0; i < 200; ++i) progress->Update(done, total);
}

TEST(ProgressTest, ShortOperationsShowNothing) {
  ClockEnv env;
  TestConsole console(&env);
  console.console()->err_is_terminal = true;
  {
    Progress progress(console.console(), {.label = "load", .unit = "records"});
    env.AdvanceSeconds(0.1);
    UpdateUntilSeen(&progress, 5, 10);
  }
  EXPECT_EQ(console.err(), "");
}

TEST(ProgressTest, ATerminalShowsABarThatIsClearedAtTheEnd) {
  ClockEnv env;
  TestConsole console(&env);
  console.console()->err_is_terminal = true;
  {
    Progress progress(console.console(), {.label = "load", .unit = "records"});
    env.AdvanceSeconds(2);
    UpdateUntilSeen(&progress, 5000, 10000);
  }
  EXPECT_EQ(console.err(),
            "\rload: [###############...............] 50%, 5,000 of 10,000 records, 2 s "
            "left\x1b[K"
            "\r\x1b[K");
}

TEST(ProgressTest, APipeGetsALineNowAndThen) {
  ClockEnv env;
  TestConsole console(&env);
  Progress progress(console.console(), {.label = "count", .unit = "records"});
  env.AdvanceSeconds(4);
  UpdateUntilSeen(&progress, 8000, 0);
  EXPECT_EQ(console.err(), "count: 8,000 records, 2,000 a second\n");
  UpdateUntilSeen(&progress, 8001, 0);
  EXPECT_EQ(console.err(), "count: 8,000 records, 2,000 a second\n") << "not so soon again";
  env.AdvanceSeconds(4);
  UpdateUntilSeen(&progress, 16000, 32000);
  EXPECT_THAT(console.err(), HasSubstr("count: 50%, 16,000 of 32,000 records, 8 s left\n"));
}

TEST(ProgressTest, BytesAreShownInTheirUnits) {
  ClockEnv env;
  TestConsole console(&env);
  Progress progress(console.console(), {.label = "load", .unit = "bytes"});
  env.AdvanceSeconds(4);
  UpdateUntilSeen(&progress, uint64_t{1} << 20, uint64_t{4} << 20);
  EXPECT_EQ(console.err(), "load: 25%, 1.0 MiB of 4.0 MiB, 12 s left\n");
}

TEST(ProgressTest, QuietIsQuiet) {
  ClockEnv env;
  TestConsole console(&env);
  Progress progress(console.console(), {.label = "count", .unit = "records", .quiet = true});
  env.AdvanceSeconds(100);
  UpdateUntilSeen(&progress, 1, 2);
  EXPECT_EQ(console.err(), "");
}

TEST(ProgressTest, NumbersAreShownForPeople) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(999), "999");
  EXPECT_EQ(WithCommas(1000), "1,000");
  EXPECT_EQ(WithCommas(1234567), "1,234,567");
  EXPECT_EQ(ByteSize(1023), "1023 bytes");
  EXPECT_EQ(ByteSize(1536), "1.5 KiB");
  EXPECT_EQ(ByteSize(uint64_t{5} << 30), "5.0 GiB");
}

}  // namespace
}  // namespace emdb::cli
