// What a log is when it is opened again: after Close, after a killed process, after power cuts,
// read-only.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/crash_chooser.h"
#include "storage/fault_env.h"
#include "storage/status.h"
#include "wal/record_format.h"
#include "wal/segment_format.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";

// The block of the active segment.
struct ActiveBlock {
  SegmentHeader header;
  SegmentState state;
};

ActiveBlock ReadActiveBlock(FaultEnv* env) {
  const auto file = env->OpenFile(kPath, OpenOptions{});
  EXPECT_OK(file.status());
  std::string bytes(kSegmentBlockBytes, '\0');
  EXPECT_OK(ReadFully(**file, 0, bytes.size(), bytes.data()));
  ActiveBlock block;
  EXPECT_OK(DecodeSegmentBlock(bytes, kPath, &block.header, &block.state));
  return block;
}

uint64_t ActiveSalt(FaultEnv* env) { return ReadActiveBlock(env).header.salt; }

TEST(WalReopenTest, ClosedLogGoesOn) {
  FaultEnv env;
  for (uint64_t session = 0; session < 5; ++session) {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    EXPECT_EQ(wal->recovery().was_clean, session > 0);
    EXPECT_EQ(wal->recovery().records, session * 10);
    ExpectRecords(wal.get(), 0, session * 10);
    EXPECT_EQ(wal->durable_seq(), session * 10);
    AppendRecords(wal.get(), session * 10, session * 10 + 10);
    ASSERT_OK(wal->Close());
  }
}

TEST(WalReopenTest, ManyReopensFillASegmentAndGoOn) {
  FaultEnv env;
  // Each leaves a resume frame of 24 bytes.
  for (int i = 0; i < 3000; ++i) ASSERT_OK(OpenLog(kPath, SmallLog(&env))->Close());
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 100);
  ExpectRecords(wal.get(), 0, 100);
}

TEST(WalReopenTest, DestructorMakesWhatIsPendingDurable) {
  FaultEnv env;
  { AppendRecords(OpenLog(kPath, SmallLog(&env)).get(), 0, 10); }
  FaultEnv after_power_cut(env.SyncedImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 0, 10);
}

TEST(WalReopenTest, ReopeningAClosedLogReadsNoRecords) {
  FaultEnv env;
  {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 3000);
    ASSERT_OK(wal->Close());
  }
  uint64_t bytes_read = 0;
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    const bool is_segment = entry.path.find("buffer") == std::string::npos;
    if (entry.op == FileOp::kRead && is_segment) bytes_read += entry.size;
  });
  const auto wal = OpenLog(kPath, SmallLog(&env));
  EXPECT_LE(bytes_read, 4096 * (wal->recovery().segments + 1));
  EXPECT_GT(wal->recovery().segments, 3u);
}

TEST(WalReopenTest, KilledProcessLosesNothingThatWasAppended) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (uint64_t n = 0; n < 1000; n += 50) {
    AppendRecords(wal.get(), n, n + 50);
    FaultEnv after_kill(env.FullImage());
    const auto reopened = OpenLog(kPath, SmallLog(&after_kill));
    ExpectRecords(reopened.get(), 0, n + 50);
    EXPECT_FALSE(reopened->recovery().was_clean);
  }
}

TEST(WalReopenTest, KillBehindRotationsThatWereNotWrittenLosesNothing) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 5);
  ASSERT_OK(wal->Flush());
  // From here on nothing gets into a segment's file: the records are in the buffer only, behind
  // rotations.
  env.AddRule({.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; }});
  AppendRecords(wal.get(), 5, 8);
  ASSERT_OK(wal->Rotate().status());
  AppendRecords(wal.get(), 8, 12);
  EXPECT_EQ(wal->durable_seq(), 5u);
  FaultEnv after_kill(env.FullImage());
  const auto reopened = OpenLog(kPath, SmallLog(&after_kill));
  EXPECT_EQ(reopened->recovery().records_from_buffer, 7u);
  ExpectRecords(reopened.get(), 0, 12);
}

TEST(WalReopenTest, RecoveredRecordsAreDurable) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 20);
  FaultEnv after_kill(env.FullImage());
  const auto reopened = OpenLog(kPath, SmallLog(&after_kill));
  EXPECT_EQ(reopened->recovery().records_from_buffer, 20u);
  EXPECT_EQ(reopened->durable_seq(), 20u);
  FaultEnv after_power_cut(after_kill.SyncedImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 0, 20);
}

// A frame of the old life that is still behind the end, in the file or in the buffer, may have the
// place and the seq of one to come; only the salt tells them apart.
TEST(WalReopenTest, LogThatWasNotClosedGoesOnUnderASaltThatNoFrameCanHave) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  const uint64_t old_salt = ActiveSalt(&env);
  // Without records the segment is replaced, with some it is followed.
  for (const uint64_t records : {0, 20}) {
    AppendRecords(wal.get(), wal->next_seq(), records);
    FaultEnv after_kill(env.FullImage());
    const auto reopened = OpenLog(kPath, SmallLog(&after_kill));
    ASSERT_EQ(reopened->next_seq(), records);
    EXPECT_NE(ActiveSalt(&after_kill), old_salt);
    EXPECT_NE(ActiveSalt(&after_kill), NextSalt(old_salt));
  }
}

TEST(WalReopenTest, ClosedLogGoesOnUnderASaltThatNoFrameCanHave) {
  FaultEnv env;
  ASSERT_OK(OpenLog(kPath, SmallLog(&env))->Close());
  std::set<uint64_t> salts = {ActiveSalt(&env)};
  for (uint64_t n = 0; n < 10; ++n) {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    const SegmentState state = ReadActiveBlock(&env).state;
    EXPECT_EQ(state.mark, SegmentMark::kOpen);
    EXPECT_TRUE(salts.insert(state.end_salt).second) << n;
    AppendRecords(wal.get(), n, n + 1);
    ASSERT_OK(wal->Close());
    EXPECT_EQ(ReadActiveBlock(&env).state.end_salt, state.end_salt);
  }
  EXPECT_EQ(salts.size(), 11u);
}

// Were it not so, what a stale sector makes the end of the log would not be: behind the record that
// is appended there lies one of a life that is gone, with the seq and at the place that are due.
TEST(WalReopenTest, RecordsBehindAStaleClosedMarkDoNotComeBackBehindANewOne) {
  const std::string buffer_path = std::string(kPath) + ".buffer";
  FaultEnv env;
  ASSERT_OK(OpenLog(kPath, SmallLog(&env))->Close());
  const DiskImage closed = env.FullImage();
  const auto wal = OpenLog(kPath, SmallLog(&env));
  ASSERT_OK(wal->Append("old record 0").status());
  ASSERT_OK(wal->Append("old record 1").status());
  ASSERT_OK(wal->Flush());
  DiskImage image = env.FullImage();
  image.files[kPath].Write(512, closed.files.at(kPath).Read(512, 512));
  image.files[buffer_path] = closed.files.at(buffer_path);

  FaultEnv second(image);
  const auto reopened = OpenLog(kPath, SmallLog(&second));
  ASSERT_EQ(reopened->next_seq(), 0u);
  ASSERT_OK(reopened->Append("new record 0").status());
  ASSERT_OK(reopened->Flush());
  FaultEnv third(second.FullImage());
  const std::map<uint64_t, std::string> expected = {{0, "new record 0"}};
  EXPECT_EQ(ReadLog(OpenLog(kPath, SmallLog(&third)).get()), expected);
}

TEST(WalReopenTest, BufferSizeMayChangeBetweenSessions) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 100);
  for (const uint64_t size : {uint64_t{1} << 20, uint64_t{64} << 10}) {
    FaultEnv after_kill(env.FullImage());
    WalOptions options = SmallLog(&after_kill);
    options.append_buffer_size_bytes = size;
    const auto reopened = OpenLog(kPath, options);
    ExpectRecords(reopened.get(), 0, 100);
    AppendRecords(reopened.get(), 100, 500);
    ExpectRecords(reopened.get(), 0, 500);
  }
}

TEST(WalReopenTest, IoModeMayChangeBetweenSessions) {
  FaultEnv env;
  for (uint64_t session = 0; session < 6; ++session) {
    WalOptions options = SmallLog(&env, FlushPolicy::OnEachWrite());
    options.io_mode = session % 2 == 0 ? IoMode::kBuffered : IoMode::kDirect;
    const auto wal = OpenLog(kPath, options);
    AppendRecords(wal.get(), session * 100, session * 100 + 100);
    ExpectRecords(wal.get(), 0, session * 100 + 100);
  }
}

TEST(WalReopenTest, StoreIdIsKeptAndChecked) {
  FaultEnv env;
  WalOptions options = SmallLog(&env);
  options.store_id = StoreId{1, 2, 3};
  { EXPECT_EQ(OpenLog(kPath, options)->store_id(), *options.store_id); }
  options.store_id = std::nullopt;
  { EXPECT_EQ(OpenLog(kPath, options)->store_id(), (StoreId{1, 2, 3})); }
  options.store_id = StoreId{9};
  EXPECT_TRUE(absl::IsFailedPrecondition(Wal::Open(kPath, options).status()));
}

TEST(WalReopenTest, LogsGetDifferentStoreIds) {
  FaultEnv env;
  const auto a = OpenLog("/d/a", SmallLog(&env));
  const auto b = OpenLog("/d/b", SmallLog(&env));
  EXPECT_NE(a->store_id(), b->store_id());
}

TEST(WalReopenTest, LeftoversOfACrashAreRemoved) {
  FaultEnv env;
  { AppendRecords(OpenLog(kPath, SmallLog(&env)).get(), 0, 10); }
  ASSERT_TRUE(env.OpenFile("/d/log.spare.7", {.write = true, .create = true}).ok());
  ASSERT_TRUE(env.OpenFile("/d/log.other", {.write = true, .create = true}).ok());
  const auto wal = OpenLog(kPath, SmallLog(&env));
  EXPECT_FALSE(*env.Exists("/d/log.spare.7"));
  EXPECT_TRUE(*env.Exists("/d/log.other"));
}

TEST(WalReopenTest, ReadOnlyChangesNothing) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 500);
  ASSERT_OK(wal->Flush());
  AppendRecords(wal.get(), 500, 510);
  // In turn: records in the file and in the buffer; all in the file, closed.
  for (const bool closed : {false, true}) {
    if (closed) {
      ASSERT_OK(wal->Close());
    }
    FaultEnv after(env.FullImage());
    ASSERT_TRUE(after.OpenFile("/d/log.spare.7", {.write = true, .create = true}).ok());
    const uint64_t operations_before = after.OperationCount();
    WalOptions options = SmallLog(&after);
    options.read_only = true;
    const auto reader = OpenLog(kPath, options);
    ExpectRecords(reader.get(), 0, 510);
    EXPECT_EQ(ReadLog(reader.get(), 505).size(), 5u);
    EXPECT_EQ(reader->durable_seq(), 510u);
    EXPECT_EQ(reader->recovery().was_clean, closed);
    EXPECT_TRUE(absl::IsFailedPrecondition(reader->Append("x").status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(reader->Flush()));
    EXPECT_TRUE(absl::IsFailedPrecondition(reader->Rotate().status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(reader->Truncate()));
    EXPECT_TRUE(absl::IsFailedPrecondition(reader->TruncateBefore(1)));
    EXPECT_OK(reader->WaitForSeq(509));
    EXPECT_OK(reader->Close());
    EXPECT_EQ(after.OperationCount(), operations_before);
  }
}

TEST(WalReopenTest, CloseIsDurable) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Close());
  FaultEnv after_power_cut(env.SyncedImage());
  const auto reopened = OpenLog(kPath, SmallLog(&after_power_cut));
  EXPECT_TRUE(reopened->recovery().was_clean);
  ExpectRecords(reopened.get(), 0, 10);
}

TEST(WalReopenTest, NewAppendBufferOfAClosedLogSurvivesAPowerCut) {
  FaultEnv env;
  ASSERT_OK(OpenLog(kPath, SmallLog(&env))->Close());
  // A closed log needs none; it gets a new one, without which it would be taken for damaged.
  ASSERT_OK(env.Remove(std::string(kPath) + ".buffer"));
  ASSERT_OK((*env.OpenDirectory("/d"))->Sync());
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Flush());
  FaultEnv after_power_cut(env.SyncedImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 0, 10);
}

// Without room for a resume frame the log goes on in a new segment, which is repaired like that of
// a log that was not closed: its mark is taken away before the new segment is there.
TEST(WalReopenTest, FullClosedLogWithoutABufferSurvivesEachPowerCutWhileItIsOpened) {
  DiskImage closed;
  {
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    const uint64_t half = ReadActiveBlock(&env).header.capacity_bytes / 2;
    const std::string record(half - kFrameHeaderBytes, 'x');
    for (int i = 0; i < 2; ++i) ASSERT_OK(wal->Append(record).status());
    ASSERT_OK(wal->Close());
    const ActiveBlock block = ReadActiveBlock(&env);
    ASSERT_EQ(block.header.number, 1u);
    ASSERT_EQ(block.state.mark, SegmentMark::kClosed);
    ASSERT_LT(block.header.end_lsn() - block.state.end_lsn, kNumberFrameBytes);
    ASSERT_OK(env.Remove(std::string(kPath) + ".buffer"));
    closed = env.FullImage();
  }
  bool power_was_cut = true;
  for (uint64_t k = 0; power_was_cut; ++k) {
    FaultEnv env(closed);
    env.CutPowerAt(k);
    power_was_cut = !Wal::Open(kPath, SmallLog(&env)).ok();
    for (const DiskImage& image : {env.SyncedImage(), env.FullImage()}) {
      FaultEnv after(image);
      const auto wal = OpenLog(kPath, SmallLog(&after));
      ASSERT_NE(wal, nullptr) << k;
      ASSERT_EQ(ReadLog(wal.get()).size(), 2u) << k;
    }
  }
}

// The resume frame has to be durable before a record is written behind it: a power cut that loses
// the sector of the frame and keeps that of a record would look like damage.
TEST(WalReopenTest, ClosedLogThatGoesOnSurvivesEachPowerCutUntilItsFirstSync) {
  DiskImage closed;
  {
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 3);
    ASSERT_OK(wal->Close());
    closed = env.FullImage();
  }
  const std::string buffer_path = std::string(kPath) + ".buffer";
  // Longer than a sector: the second one stands in sectors of its own.
  const std::string record(700, 'x');
  const auto go_on = [&record](FaultEnv* env) -> absl::Status {
    EMDB_ASSIGN_OR_RETURN(const auto wal, Wal::Open(kPath, SmallLog(env)));
    for (int i = 0; i < 2; ++i) EMDB_RETURN_IF_ERROR(wal->Append(record).status());
    return wal->Flush();
  };
  for (uint64_t k = 0;; ++k) {
    FaultEnv env(closed);
    env.CutPowerAt(k);
    if (go_on(&env).ok()) break;
    SystematicChooser chooser;
    do {
      DiskImage image = env.CrashImage(&chooser);
      // The buffer could make up for what the segment has lost.
      image.files[buffer_path] = env.SyncedImage().files.at(buffer_path);
      FaultEnv after(image);
      const absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(kPath, SmallLog(&after));
      ASSERT_OK(wal.status()) << "power cut at " << k;
      ASSERT_GE(ReadLog(wal->get()).size(), 3u) << "power cut at " << k;
    } while (chooser.Next());
  }
}

// Each record fills a block, so that the records behind a cut lie where those of the next segment
// will.
TEST(WalReopenTest, WhatWasCutOffDoesNotComeBack) {
  constexpr uint64_t kBlock = 4096;
  const auto record = [](char c) { return std::string(kBlock - 16, c); };
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (int i = 0; i < 8; ++i) {
    ASSERT_OK(wal->Append(record('a')).status());
    if (i == 4) {
      ASSERT_OK(wal->Flush());
    }
  }
  // The power cut leaves what was synced, and of the buffer all but a part of a record in between.
  DiskImage image = env.SyncedImage();
  const std::string buffer_path = std::string(kPath) + ".buffer";
  image.files[buffer_path] = env.FullImage().files.at(buffer_path);
  image.files[buffer_path].Write(5 * kBlock, std::string(kBlock, '\0'));
  // The witness of the flush takes the place of the record's first bytes.
  image.files[buffer_path].Write(6 * kBlock, std::string(64, '\0'));
  env.CutPowerAt(0);

  FaultEnv second(image);
  uint64_t next = 0;
  {
    const auto reopened = OpenLog(kPath, SmallLog(&second));
    next = reopened->next_seq();
    ASSERT_GE(next, 5u);
    ASSERT_LT(next, 8u);
    ASSERT_OK(reopened->Append(record('b')).status());
    image = second.FullImage();
    second.CutPowerAt(0);
  }
  FaultEnv third(image);
  const auto again = OpenLog(kPath, SmallLog(&third));
  EXPECT_EQ(again->next_seq(), next + 1);
  EXPECT_EQ(ReadLog(again.get()).rbegin()->second, record('b'));
}

}  // namespace
}  // namespace emdb
