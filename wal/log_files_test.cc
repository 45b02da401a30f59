#include "wal/log_files.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

TEST(LogFilesTest, NamesAreRecognisedAndOthersAreNot) {
  FaultEnv env;
  const auto files = *LogFiles::Open(&env, "/d/log");
  EXPECT_EQ(files->SealedPath(42), "/d/log.00000000000000000042");
  EXPECT_EQ(files->SealedPath(UINT64_MAX), "/d/log.18446744073709551615");
  for (const std::string& path :
       {files->ActivePath(), files->BufferPath(), files->SealedPath(42), files->SealedPath(7),
        files->NewSparePath(), std::string("/d/log.42"), std::string("/d/log.0000000000000000004x"),
        std::string("/d/log.spare.x"), std::string("/d/lo"), std::string("/d/log2"),
        std::string("/d/other"), std::string("/d/log.99999999999999999999")}) {
    ASSERT_TRUE(env.OpenFile(path, {.write = true, .create = true}).ok()) << path;
  }
  const LogFiles::Listing listing = *files->List();
  EXPECT_TRUE(listing.has_active);
  EXPECT_TRUE(listing.has_buffer);
  EXPECT_EQ(listing.sealed, (std::vector<uint64_t>{7, 42}));
  EXPECT_EQ(listing.spares, (std::vector<std::string>{"/d/log.spare.0"}));
}

TEST(LogFilesTest, SparePathsDiffer) {
  FaultEnv env;
  const auto files = *LogFiles::Open(&env, "/d/log");
  EXPECT_NE(files->NewSparePath(), files->NewSparePath());
}

TEST(LogFilesTest, RemovingWhatIsMissingIsOk) {
  FaultEnv env;
  const auto files = *LogFiles::Open(&env, "/d/log");
  EXPECT_EQ(files->Remove("/d/log.spare.3"), absl::OkStatus());
}

TEST(LogFilesTest, FailedSyncOfTheDirectoryIsFinal) {
  FaultEnv env;
  const auto files = *LogFiles::Open(&env, "/d/log");
  EXPECT_EQ(files->SyncDirectory(), absl::OkStatus());
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kSyncDirectory; };
  rule.count = 1;
  env.AddRule(rule);
  const absl::Status first = files->SyncDirectory();
  EXPECT_TRUE(absl::IsUnavailable(first)) << first;
  EXPECT_EQ(files->SyncDirectory(), first);
  EXPECT_EQ((*LogFiles::Open(&env, "/d/log"))->SyncDirectory(), absl::OkStatus());
}

}  // namespace
}  // namespace emdb
