// What a log does for one process on a disk that works.

#include "wal/wal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/fault_env.h"
#include "storage/forwarding_env.h"
#include "storage/no_new_threads.h"
#include "storage/posix_env.h"
#include "storage/status.h"
#include "storage/temp_directory.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";

TEST(WalTest, FreshLogIsEmpty) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  EXPECT_EQ(wal->next_seq(), 0u);
  EXPECT_EQ(wal->durable_seq(), 0u);
  EXPECT_EQ(wal->first_seq(), 0u);
  EXPECT_EQ(wal->pending_bytes(), 0u);
  EXPECT_TRUE(ReadLog(wal.get()).empty());
  EXPECT_EQ(wal->path(), kPath);
}

TEST(WalTest, SeqsCountUpFromZero) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (uint64_t n = 0; n < 100; ++n) EXPECT_EQ(*wal->Append("x"), n);
  EXPECT_EQ(wal->next_seq(), 100u);
}

TEST(WalTest, ManualDoesNotSyncUntilAsked) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Manual()));
  const uint64_t syncs_before = wal->stats().syncs;
  AppendRecords(wal.get(), 0, 10);
  EXPECT_GT(wal->pending_bytes(), 0u);
  EXPECT_EQ(wal->durable_seq(), 0u);
  EXPECT_EQ(wal->stats().syncs, syncs_before);
  EXPECT_OK(wal->Flush());
  EXPECT_EQ(wal->pending_bytes(), 0u);
  EXPECT_EQ(wal->durable_seq(), 10u);
}

TEST(WalTest, OnEachWriteLeavesNothingPending) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  for (uint64_t n = 0; n < 10; ++n) {
    AppendRecords(wal.get(), n, n + 1);
    EXPECT_EQ(wal->pending_bytes(), 0u);
    EXPECT_EQ(wal->durable_seq(), n + 1);
  }
  EXPECT_EQ(wal->stats().syncs, 10u);
  EXPECT_EQ(wal->stats().groups, 10u);
}

TEST(WalTest, ReadAllGivesTheAppendedBytesAndNothingElse) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  std::string expected;
  for (uint64_t n = 0; n < 50; ++n) {
    expected += TestRecord(n);
    ASSERT_OK(wal->Append(TestRecord(n)).status());
  }
  std::string all = "what was in it before";
  EXPECT_OK(wal->ReadAll(&all));
  EXPECT_EQ(all, expected);
}

TEST(WalTest, TruncateResetsSeqAndPending) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Truncate());
  EXPECT_EQ(wal->next_seq(), 0u);
  EXPECT_EQ(wal->durable_seq(), 0u);
  EXPECT_EQ(wal->pending_bytes(), 0u);
  EXPECT_TRUE(ReadLog(wal.get()).empty());
  AppendRecords(wal.get(), 0, 3);
  ASSERT_OK(wal->Flush());
  ExpectRecords(wal.get(), 0, 3);
}

TEST(WalTest, TruncateToASeqIsDurableOnReturn) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Truncate(1234));
  FaultEnv after_power_cut(env.SyncedImage());
  const auto reopened = OpenLog(kPath, SmallLog(&after_power_cut));
  EXPECT_EQ(reopened->next_seq(), 1234u);
  EXPECT_EQ(reopened->first_seq(), 1234u);
  EXPECT_EQ(*reopened->Append("x"), 1234u);
}

TEST(WalTest, TruncateBeyondTheLargestSeqIsInvalidAndChangesNothing) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  EXPECT_TRUE(absl::IsInvalidArgument(wal->Truncate(uint64_t{1} << 56)));
  ExpectRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Truncate((uint64_t{1} << 56) - 1));
  EXPECT_EQ(wal->next_seq(), (uint64_t{1} << 56) - 1);
}

TEST(WalTest, WaitForSeqAdvancesDurability) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  EXPECT_OK(wal->WaitForSeq(4));
  EXPECT_GT(wal->durable_seq(), 4u);
}

TEST(WalTest, WaitForSeqNeverHandedOutIsInvalid) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  const uint64_t syncs_before = wal->stats().syncs;
  EXPECT_TRUE(absl::IsInvalidArgument(wal->WaitForSeq(10)));
  EXPECT_EQ(wal->stats().syncs, syncs_before);
}

TEST(WalTest, FlushWithNothingPendingDoesNotSync) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Flush());
  const uint64_t syncs_before = wal->stats().syncs;
  EXPECT_OK(wal->Flush());
  EXPECT_OK(wal->WaitForSeq(9));
  EXPECT_EQ(wal->stats().syncs, syncs_before);
}

// Returns when `seq` is durable, without asking for it.
void AwaitDurability(const Wal& wal, uint64_t seq) {
  while (wal.durable_seq() <= seq) std::this_thread::yield();
}

TEST(WalTest, GroupSyncsInTheBackgroundWithNoCaller) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Milliseconds(1))));
  AppendRecords(wal.get(), 0, 10);
  AwaitDurability(*wal, 9);
  EXPECT_EQ(wal->pending_bytes(), 0u);
}

// The sync takes the deadline away, and the flusher sleeps on; the next append sets another one.
TEST(WalTest, GroupSyncsWhatFollowsARecordThatWasWaitedFor) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Milliseconds(1))));
  for (uint64_t seq = 0; seq < 40; seq += 2) {
    AppendRecords(wal.get(), seq, seq + 1);
    EXPECT_OK(wal->WaitForSeq(seq));
    AppendRecords(wal.get(), seq + 1, seq + 2);
    AwaitDurability(*wal, seq + 1);
  }
  EXPECT_EQ(wal->pending_bytes(), 0u);
}

TEST(WalTest, GroupDoesNotSyncBeforeItsDeadline) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Hours(1))));
  const uint64_t syncs_before = wal->stats().syncs;
  AppendRecords(wal.get(), 0, 100);
  EXPECT_EQ(wal->stats().syncs, syncs_before);
  EXPECT_EQ(wal->durable_seq(), 0u);
}

TEST(WalTest, GroupOfZeroWaitSyncsAtOnce) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::ZeroDuration())));
  AppendRecords(wal.get(), 0, 1);
  AwaitDurability(*wal, 0);
}

// A large record may take long to write, and nobody else can sync meanwhile.
TEST(WalTest, GroupSyncsWhatIsPendingBeforeALargeRecordIsWritten) {
  constexpr uint64_t kLargeBytes = 40'000;
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Hours(1))));
  AppendRecords(wal.get(), 0, 3);
  std::vector<uint64_t> durable_at_large_writes;
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    // The first segment of a log is spare 0 here; others get zeros in the background.
    const bool is_of_log = entry.op == FileOp::kWrite && entry.path.ends_with(".spare.0");
    if (is_of_log && entry.size >= kLargeBytes)
      durable_at_large_writes.push_back(wal->durable_seq());
  });
  const uint64_t syncs_before = wal->stats().syncs;
  ASSERT_OK(wal->Append(std::string(kLargeBytes, 'x')).status());
  env.SetObserver(nullptr);
  EXPECT_EQ(durable_at_large_writes, std::vector<uint64_t>{3});
  EXPECT_EQ(wal->stats().syncs, syncs_before + 1);
  EXPECT_EQ(wal->pending_bytes(), kLargeBytes);
  ASSERT_OK(wal->Flush());
  EXPECT_EQ(wal->durable_seq(), 4u);
}

TEST(WalTest, LargeRecordWithNothingPendingInFrontOfItCostsNoSync) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Hours(1))));
  AppendRecords(wal.get(), 0, 3);
  ASSERT_OK(wal->Flush());
  const uint64_t syncs_before = wal->stats().syncs;
  ASSERT_OK(wal->Append(std::string(40'000, 'x')).status());
  EXPECT_EQ(wal->stats().syncs, syncs_before);
}

TEST(WalTest, PathForAppendsTheSuffix) {
  EXPECT_EQ(Wal::PathFor("dir/foo.emdb"), "dir/foo.emdb.v4.wal");
  EXPECT_EQ(Wal::PathFor("foo"), "foo.v4.wal");
  EXPECT_EQ(Wal::PathFor("dir/"), "dir/emdb.v4.wal");
  EXPECT_EQ(Wal::PathFor("/"), "/emdb.v4.wal");
  EXPECT_EQ(Wal::PathFor(".."), "../emdb.v4.wal");
  EXPECT_EQ(Wal::PathFor(""), "emdb.v4.wal");
}

TEST(WalTest, EmptyRecordsHaveSeqsToo) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  for (int i = 0; i < 3; ++i) ASSERT_OK(wal->Append("").status());
  const auto records = ReadLog(wal.get());
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records.at(2), "");
}

TEST(WalTest, RecordBeyondTheLimitIsRefusedAndNothingIsWritten) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  // Its bytes are never looked at.
  const std::string_view too_long(kPath, Wal::kMaxRecordBytes + 1);
  EXPECT_TRUE(absl::IsInvalidArgument(wal->Append(too_long).status()));
  EXPECT_EQ(wal->next_seq(), 0u);
}

TEST(WalTest, RecordBeyondTheLastSeqIsRefused) {
  constexpr uint64_t kLastSeq = (uint64_t{1} << 56) - 2;
  for (const size_t size : {10, 40'000}) {
    FaultEnv env;
    const std::string record(size, 'x');
    const auto expect_full = [&record](Wal* wal) {
      EXPECT_TRUE(absl::IsOutOfRange(wal->Append(record).status()));
      EXPECT_EQ(wal->next_seq(), kLastSeq + 1);
      EXPECT_EQ(ReadLog(wal).size(), 1u);
    };
    {
      const auto wal = OpenLog(kPath, SmallLog(&env));
      ASSERT_OK(wal->Truncate(kLastSeq));
      EXPECT_EQ(*wal->Append(record), kLastSeq);
      expect_full(wal.get());
      ASSERT_OK(wal->Flush());
      FaultEnv killed(env.FullImage());
      expect_full(OpenLog(kPath, SmallLog(&killed)).get());
      ASSERT_OK(wal->Rotate().status());
      expect_full(wal.get());
    }
    expect_full(OpenLog(kPath, SmallLog(&env)).get());
  }
}

TEST(WalTest, ReplayStartsWhereItIsTold) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 2000);
  const auto records = ReadLog(wal.get(), 1500);
  ASSERT_EQ(records.size(), 500u);
  EXPECT_EQ(records.begin()->first, 1500u);
  EXPECT_TRUE(ReadLog(wal.get(), 2000).empty());
}

TEST(WalTest, ReplayStopsWithTheErrorOfItsCallback) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  int calls = 0;
  const absl::Status status = wal->Replay(0, [&](uint64_t seq, std::string_view) {
    ++calls;
    return seq == 4 ? absl::CancelledError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(status, absl::CancelledError("enough"));
  EXPECT_EQ(calls, 5);
}

TEST(WalTest, ReplayMayAppend) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  EXPECT_OK(wal->Replay(
      0, [&](uint64_t, std::string_view record) { return wal->Append(record).status(); }));
  EXPECT_EQ(wal->next_seq(), 20u);
}

TEST(WalTest, RecordsLongerThanBufferAndSegmentAreKept) {
  for (const IoMode mode : {IoMode::kBuffered, IoMode::kDirect}) {
    FaultEnv env;
    WalOptions options = SmallLog(&env);
    options.io_mode = mode;
    std::map<uint64_t, std::string> expected;
    {
      const auto wal = OpenLog(kPath, options);
      for (const size_t size : {10, 40'000, 70'000, 5, 200'000, 3'000'000, 60'000, 0, 33'000}) {
        const std::string record(size, static_cast<char>('a' + size % 26));
        const absl::StatusOr<uint64_t> seq = wal->Append(record);
        ASSERT_OK(seq.status());
        expected[*seq] = record;
      }
      EXPECT_EQ(ReadLog(wal.get()), expected);
      ASSERT_OK(wal->Flush());
      EXPECT_EQ(ReadLog(wal.get()), expected);
      FaultEnv after_power_cut(env.SyncedImage());
      options.env = &after_power_cut;
      EXPECT_EQ(ReadLog(OpenLog(kPath, options).get()), expected);
    }
    options.env = &env;
    EXPECT_EQ(ReadLog(OpenLog(kPath, options).get()), expected);
  }
}

TEST(WalTest, DirectModeTakesRecordsOfAnyLength) {
  const TempDirectory directory;
  WalOptions options = SmallLog(PosixEnv(), FlushPolicy::OnEachWrite());
  options.io_mode = IoMode::kDirect;
  const std::string path = directory.Path("log");
  absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(path, options);
  if (absl::IsInvalidArgument(wal.status())) {
    GTEST_SKIP() << "the file system of " << path << " has no direct I/O";
  }
  ASSERT_OK(wal.status());
  AppendRecords(wal->get(), 0, 500);
  ExpectRecords(wal->get(), 0, 500);
  ASSERT_OK((*wal)->Close());
  const auto reopened = OpenLog(path, options);
  AppendRecords(reopened.get(), 500, 1000);
  ExpectRecords(reopened.get(), 0, 1000);
}

// A file system without direct I/O.
class NoDirectEnv final : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    if (!options.direct) return ForwardingEnv::OpenFile(path, options);
    return absl::InvalidArgumentError(
        absl::StrCat("open ", ToAbsl(path), ": the file system has no direct I/O (O_DIRECT)"));
  }
};

TEST(WalTest, DirectModeIsRefusedWhereThereIsNoDirectIo) {
  FaultEnv base;
  NoDirectEnv env(&base);
  const WalOptions buffered = SmallLog(&env);
  WalOptions direct = buffered;
  direct.io_mode = IoMode::kDirect;
  // A log that would be made, and then one that is there.
  for (uint64_t n = 0; n < 2; ++n) {
    const absl::Status status = Wal::Open(kPath, direct).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.message().find(kPath), absl::string_view::npos) << status;
    EXPECT_NE(status.message().find("O_DIRECT"), absl::string_view::npos) << status;
    const auto wal = OpenLog(kPath, buffered);
    AppendRecords(wal.get(), n, n + 1);
  }
  ExpectRecords(OpenLog(kPath, buffered).get(), 0, 2);
}

TEST(WalTest, AppendsBeyondTheBufferAreWrittenBehind) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 5000);
  EXPECT_GT(wal->stats().bytes_written, 500'000u);
  ExpectRecords(wal.get(), 0, 5000);
}

TEST(WalTest, NotifyDurableCallsOnceInOrder) {
  FaultEnv env;
  const std::thread::id caller = std::this_thread::get_id();
  bool is_adding = false;
  std::vector<uint64_t> called;
  // Those that were durable already when they were added: earlier ones may still be running then.
  std::vector<uint64_t> called_at_once;
  {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    for (uint64_t n = 0; n < 100; ++n) {
      AppendRecords(wal.get(), n, n + 1);
      is_adding = true;
      wal->NotifyDurable(n, [&, n](const absl::Status& status) {
        EXPECT_OK(status);
        const bool at_once = std::this_thread::get_id() == caller && is_adding;
        (at_once ? called_at_once : called).push_back(n);
      });
      is_adding = false;
    }
    ASSERT_OK(wal->Close());
  }
  EXPECT_TRUE(std::is_sorted(called.begin(), called.end()));
  called.insert(called.end(), called_at_once.begin(), called_at_once.end());
  std::sort(called.begin(), called.end());
  ASSERT_EQ(called.size(), 100u);
  for (uint64_t n = 0; n < 100; ++n) EXPECT_EQ(called[n], n);
}

TEST(WalTest, NotifyDurableNeedsNoOtherCall) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 1);
  std::atomic<bool> called{false};
  wal->NotifyDurable(0, [&](const absl::Status& status) {
    EXPECT_OK(status);
    called = true;
  });
  while (!called) std::this_thread::yield();
  EXPECT_EQ(wal->durable_seq(), 1u);
}

// A thread that waited for its record is not kept by the callbacks of syncs that others do
// meanwhile.
TEST(WalTest, AWaiterRunsTheCallbacksOfItsOwnSyncOnly) {
  constexpr int kMostCalls = 100;
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 1);
  const std::thread::id waiter = std::this_thread::get_id();
  int calls_of_waiter = 0;
  std::atomic<bool> called_elsewhere{false};
  std::function<void(const absl::Status&)> call = [&](const absl::Status& status) {
    EXPECT_OK(status);
    if (std::this_thread::get_id() != waiter) {
      called_elsewhere = true;
      return;
    }
    if (++calls_of_waiter == kMostCalls) return;
    const absl::StatusOr<uint64_t> seq = wal->Append("another");
    ASSERT_OK(seq.status());
    wal->NotifyDurable(*seq, call);
    while (wal->durable_seq() <= *seq) std::this_thread::yield();
  };
  // While the waiter syncs, so that it is the one that runs it.
  std::atomic<bool> is_added{false};
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    const bool adds = entry.op == FileOp::kSyncData && std::this_thread::get_id() == waiter &&
                      !is_added.exchange(true);
    if (adds) wal->NotifyDurable(0, call);
  });
  ASSERT_OK(wal->WaitForSeq(0));
  env.SetObserver(nullptr);
  EXPECT_EQ(calls_of_waiter, 1);
  while (calls_of_waiter == 1 && !called_elsewhere) std::this_thread::yield();
}

TEST(WalTest, TruncateCancelsTheCallbacksOfRecordsThatItDrops) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 1);
  // Holds up the thread that would make the others durable.
  std::promise<void> called;
  std::promise<void> truncated;
  wal->NotifyDurable(0, [&](const absl::Status& status) {
    EXPECT_OK(status);
    called.set_value();
    truncated.get_future().wait();
  });
  called.get_future().wait();
  AppendRecords(wal.get(), 1, 8);
  std::vector<absl::Status> calls;
  wal->NotifyDurable(7, [&](const absl::Status& status) { calls.push_back(status); });
  EXPECT_OK(wal->Truncate());
  truncated.set_value();
  AppendRecords(wal.get(), 0, 8);
  ASSERT_OK(wal->Close());
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_TRUE(absl::IsCancelled(calls[0])) << calls[0];
}

TEST(WalTest, NotifyDurableCallsAtOnceWhatIsDurableOrUnknown) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  AppendRecords(wal.get(), 0, 1);
  bool called = false;
  wal->NotifyDurable(0, [&](const absl::Status& status) {
    EXPECT_OK(status);
    called = true;
  });
  EXPECT_TRUE(called);
  wal->NotifyDurable(1, [&](const absl::Status& status) {
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    called = false;
  });
  EXPECT_FALSE(called);
}

TEST(WalTest, CloseEndsWritingAndKeepsReading) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  EXPECT_OK(wal->Close());
  EXPECT_EQ(wal->durable_seq(), 10u);
  EXPECT_TRUE(absl::IsFailedPrecondition(wal->Append("x").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(wal->Flush()));
  EXPECT_TRUE(absl::IsFailedPrecondition(wal->Rotate().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(wal->TruncateBefore(5)));
  EXPECT_TRUE(absl::IsFailedPrecondition(wal->Truncate()));
  EXPECT_OK(wal->WaitForSeq(9));
  ExpectRecords(wal.get(), 0, 10);
  EXPECT_OK(wal->Close());
}

TEST(WalTest, WithoutAThreadForTheFlusherOpenIsRefusedAndTheRecordsStay) {
  FaultEnv env;
  {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 10);
    ASSERT_OK(wal->Close());
  }
  {
    const NoNewThreads none;
    const absl::Status refused = Wal::Open(kPath, SmallLog(&env)).status();
    EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
    EXPECT_TRUE(absl::IsResourceExhausted(Wal::Open("/d/new", SmallLog(&env)).status()));
  }
  const auto wal = OpenLog(kPath, SmallLog(&env));
  ExpectRecords(wal.get(), 0, 10);
  AppendRecords(wal.get(), 10, 20);
  ASSERT_OK(wal->Flush());
  EXPECT_EQ(OpenLog("/d/new", SmallLog(&env))->next_seq(), 0u);
}

TEST(WalTest, OptionsOutOfRangeAreRefused) {
  FaultEnv env;
  const auto open_with = [&](auto change) {
    WalOptions options = SmallLog(&env);
    change(&options);
    return Wal::Open(kPath, options).status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(open_with([](auto* o) { o->segment_size_bytes = 65535; })));
  EXPECT_TRUE(absl::IsInvalidArgument(
      open_with([](auto* o) { o->segment_size_bytes = (uint64_t{1} << 30) + 1; })));
  EXPECT_TRUE(
      absl::IsInvalidArgument(open_with([](auto* o) { o->append_buffer_size_bytes = 100'000; })));
  EXPECT_TRUE(absl::IsInvalidArgument(
      open_with([](auto* o) { o->flush_policy = FlushPolicy::Group(-absl::Milliseconds(1)); })));
  EXPECT_TRUE(absl::IsNotFound(open_with([](auto* o) { o->create_if_missing = false; })));
  EXPECT_TRUE(absl::IsNotFound(open_with([](auto* o) { o->read_only = true; })));
  EXPECT_TRUE(env.FullImage().files.empty());
}

}  // namespace
}  // namespace emdb
