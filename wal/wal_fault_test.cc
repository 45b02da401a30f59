// Operations that fail: what an error takes with it, what goes on, and what heals.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/fault_env.h"
#include "wal/log_salvager.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";

// Not on a segment that is being prepared in the background. The first one of a log is spare 0, and
// keeps that name here when it is renamed: this is for logs that have not rotated.
bool IsOfActiveSegment(std::string_view path) {
  return path == kPath || path.ends_with(".spare.0");
}

FaultRule Fail(FileOp failing, uint64_t count, int error_number = EIO) {
  const bool on_segment = failing == FileOp::kWrite || failing == FileOp::kSyncData;
  FaultRule rule;
  rule.matches = [failing, on_segment](FileOp op, std::string_view path) {
    return op == failing && (!on_segment || IsOfActiveSegment(path));
  };
  rule.count = count;
  rule.error_number = error_number;
  return rule;
}

// True if one of the numbered operations of `env` has failed.
bool AnyFailed(const FaultEnv& env) {
  for (const FaultEnv::TraceEntry& entry : env.Trace()) {
    if (IsNumbered(entry.op) && !entry.ok) return true;
  }
  return false;
}

TEST(WalFaultTest, FailedSyncPoisonsTheLog) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Flush());
  AppendRecords(wal.get(), 10, 20);
  FaultRule rule = Fail(FileOp::kSyncData, 1);
  rule.drop_unsynced = true;
  env.AddRule(rule);
  const absl::Status first = wal->Flush();
  EXPECT_TRUE(absl::IsUnavailable(first)) << first;
  // The next fdatasync would say OK.
  for (const absl::Status& later :
       {wal->Flush(), wal->Append("x").status(), wal->WaitForSeq(15), wal->Rotate().status(),
        wal->TruncateBefore(5), wal->Truncate()}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(later)) << later;
    EXPECT_NE(later.message().find(first.message()), absl::string_view::npos) << later;
  }
  EXPECT_EQ(wal->durable_seq(), 10u);
  EXPECT_OK(wal->WaitForSeq(9));
  EXPECT_EQ(ReadLog(wal.get()).size(), 10u);
  EXPECT_FALSE(wal->Close().ok());
  ExpectRecords(OpenLog(kPath, SmallLog(&env)).get(), 0, 20);
}

TEST(WalFaultTest, FailedSyncIsNotRetried) {
  FaultEnv env;
  {
    const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
    AppendRecords(wal.get(), 0, 3);
    env.AddRule(Fail(FileOp::kSyncData, 1));
    EXPECT_FALSE(wal->Append("lost").ok());
    EXPECT_FALSE(wal->Append("refused").ok());
  }
  uint64_t syncs_after_failure = 0;
  bool failed = false;
  for (const FaultEnv::TraceEntry& entry : env.Trace()) {
    if (entry.op != FileOp::kSyncData || !IsOfActiveSegment(entry.path)) continue;
    if (failed) ++syncs_after_failure;
    failed = failed || !entry.ok;
  }
  EXPECT_TRUE(failed);
  EXPECT_EQ(syncs_after_failure, 0u);
}

TEST(WalFaultTest, CallbackGetsTheErrorOfTheSync) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  env.AddRule(Fail(FileOp::kSyncData, 1));
  EXPECT_FALSE(wal->Flush().ok());
  absl::Status got;
  wal->NotifyDurable(3, [&](const absl::Status& status) { got = status; });
  EXPECT_TRUE(absl::IsFailedPrecondition(got)) << got;
}

TEST(WalFaultTest, FailedWriteIsTriedAgainByTheNextFlush) {
  for (const bool short_write : {false, true}) {
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    // Not so many that they are written in the background.
    AppendRecords(wal.get(), 0, 60);
    FaultRule rule = Fail(FileOp::kWrite, 2);
    rule.short_write = short_write;
    env.AddRule(rule);
    EXPECT_TRUE(absl::IsUnavailable(wal->Flush()));
    EXPECT_TRUE(absl::IsUnavailable(wal->WaitForSeq(50)));
    EXPECT_EQ(wal->durable_seq(), 0u);
    AppendRecords(wal.get(), 60, 70);
    EXPECT_OK(wal->Flush());
    EXPECT_EQ(wal->durable_seq(), 70u);
    ExpectRecords(wal.get(), 0, 70);
    FaultEnv after_power_cut(env.SyncedImage());
    ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 0, 70);
  }
}

TEST(WalFaultTest, AppendThatReportsAnErrorIsNotReplayed) {
  for (const bool short_write : {false, true}) {
    FaultEnv env;
    const WalOptions options = SmallLog(&env, FlushPolicy::OnEachWrite());
    {
      const auto wal = OpenLog(kPath, options);
      AppendRecords(wal.get(), 0, 5);
      FaultRule rule = Fail(FileOp::kWrite, 1);
      rule.short_write = short_write;
      env.AddRule(rule);
      EXPECT_TRUE(absl::IsUnavailable(wal->Append(std::string(5000, 'x')).status()));
      // Its seq is gone.
      EXPECT_EQ(*wal->Append(TestRecord(6)), 6u);
      EXPECT_EQ(ReadLog(wal.get()).size(), 6u);
    }
    const auto wal = OpenLog(kPath, options);
    const auto records = ReadLog(wal.get());
    EXPECT_EQ(records.size(), 6u);
    EXPECT_FALSE(records.contains(5));
    EXPECT_EQ(records.at(6), TestRecord(6));
    EXPECT_EQ(wal->next_seq(), 7u);
  }
}

// A record that ends in zeros: in a new segment, half of a write is all of it.
std::string HalfZeros(size_t size) { return std::string(size / 4, 'x') + std::string(size, '\0'); }

FaultRule FailOneWriteHalfWay() {
  FaultRule rule = Fail(FileOp::kWrite, 1);
  rule.short_write = true;
  return rule;
}

// How many records the salvager finds; each is to be a TestRecord.
uint64_t Salvage(Env* env) {
  std::vector<LostPiece> lost;
  uint64_t salvaged = 0;
  const auto visit = [&salvaged](const SalvagedRecord& record) {
    ++salvaged;
    EXPECT_EQ(record.bytes, TestRecord(record.seq)) << record.seq;
    return absl::OkStatus();
  };
  const auto salvager = LogSalvager::Open(env, kPath);
  EXPECT_OK(salvager.status());
  if (!salvager.ok()) return 0;
  EXPECT_OK((*salvager)->Read(0, visit, &lost).status());
  return salvaged;
}

TEST(WalFaultTest, RecordThatWasMadeVoidDoesNotComeBackFromTheFileAfterAKill) {
  FaultEnv env;
  const WalOptions options = SmallLog(&env, FlushPolicy::OnEachWrite());
  const auto wal = OpenLog(kPath, options);
  AppendRecords(wal.get(), 0, 5);
  env.AddRule(FailOneWriteHalfWay());
  EXPECT_FALSE(wal->Append(HalfZeros(10'000)).ok());
  FaultEnv after_kill(env.FullImage());
  {
    const auto reopened = OpenLog(kPath, SmallLog(&after_kill));
    EXPECT_FALSE(ReadLog(reopened.get()).contains(5));
    EXPECT_EQ(reopened->next_seq(), 6u);
    EXPECT_EQ(*reopened->Append(TestRecord(6)), 6u);
    ASSERT_OK(reopened->Flush());
  }
  FaultEnv after_power_cut(after_kill.SyncedImage());
  const auto records = ReadLog(OpenLog(kPath, SmallLog(&after_power_cut)).get());
  EXPECT_EQ(records.size(), 6u);
  EXPECT_FALSE(records.contains(5));
}

TEST(WalFaultTest, LargeRecordThatFailedIsNotTakenForTheOneAppendedInItsPlace) {
  for (const bool rotates : {false, true}) {
    SCOPED_TRACE(rotates ? "which is in the next segment" : "which is in the same segment");
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 5);
    ASSERT_OK(wal->Flush());
    FaultRule rule = FailOneWriteHalfWay();
    rule.skip = 1;  // the witness in front of it
    env.AddRule(rule);
    EXPECT_FALSE(wal->Append(HalfZeros(34'000)).ok());
    if (rotates) {
      ASSERT_OK(wal->Rotate().status());
    }
    AppendRecords(wal.get(), 5, 8);
    FaultEnv after_kill(env.FullImage());
    EXPECT_EQ(Salvage(&after_kill), 8u);
    ExpectRecords(OpenLog(kPath, SmallLog(&after_kill)).get(), 0, 8);
  }
}

// It lies where the closed log ends. The next open writes the mark and the resume frame of that
// place together: when the power goes, the mark may be there, and the record not overwritten.
TEST(WalFaultTest, LargeRecordThatFailedDoesNotComeBackBehindAClose) {
  FaultEnv env;
  {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 5);
    ASSERT_OK(wal->Flush());
    FaultRule rule = FailOneWriteHalfWay();
    rule.skip = 1;  // the witness in front of it
    env.AddRule(rule);
    ASSERT_FALSE(wal->Append(HalfZeros(34'000)).ok());
    ASSERT_OK(wal->Close());
  }
  std::vector<DiskImage> images;
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kWrite) return;
    ExhaustiveChooser chooser;
    do {
      images.push_back(env.CrashImage(&chooser));
    } while (chooser.Next());
  });
  ExpectRecords(OpenLog(kPath, SmallLog(&env)).get(), 0, 5);
  env.SetObserver(nullptr);
  ASSERT_FALSE(images.empty());
  for (const DiskImage& image : images) {
    FaultEnv after_power_cut(image);
    ASSERT_EQ(Salvage(&after_power_cut), 5u);
    ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 0, 5);
  }
}

TEST(WalFaultTest, WaiterWhoseRecordIsDurableGetsNoErrorOfALaterOne) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 1);
  // From here on nothing is written unless somebody waits for it.
  env.AddRule(Fail(FileOp::kWrite, 1));
  EXPECT_FALSE(wal->Flush().ok());
  EXPECT_EQ(*wal->Rotate(), 1u);
  AppendRecords(wal.get(), 1, 2);
  env.ClearRules();
  // Behind the last record of the old segment, the block of the new one, the mark of the old one.
  FaultRule rule = Fail(FileOp::kWrite, 1);
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; };
  rule.skip = 3;
  env.AddRule(rule);
  EXPECT_OK(wal->WaitForSeq(0));
  EXPECT_EQ(wal->durable_seq(), 1u);
  EXPECT_OK(wal->Flush());
  FaultEnv after_power_cut(env.SyncedImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 0, 2);
}

TEST(WalFaultTest, GroupPolicyTriesAgainInTheBackground) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Microseconds(100))));
  env.AddRule(Fail(FileOp::kWrite, 3));
  AppendRecords(wal.get(), 0, 1);
  while (wal->durable_seq() < 1) std::this_thread::yield();
  ExpectRecords(wal.get(), 0, 1);
}

TEST(WalFaultTest, GroupPolicyTellsAppendersThatTheBackgroundCannotWrite) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Microseconds(100))));
  env.AddRule(Fail(FileOp::kWrite, UINT64_MAX));
  AppendRecords(wal.get(), 0, 1);
  // When it tries for the second time, the first is known to have failed.
  const auto failures = [&env] {
    const std::vector<FaultEnv::TraceEntry> trace = env.Trace();
    return std::count_if(trace.begin(), trace.end(), [](const auto& entry) { return !entry.ok; });
  };
  while (failures() < 2) std::this_thread::yield();
  EXPECT_TRUE(absl::IsUnavailable(wal->Append(TestRecord(1)).status()));
  EXPECT_EQ(wal->next_seq(), 1u);
  env.ClearRules();
  AppendRecords(wal.get(), 1, 10);
  while (wal->durable_seq() < 10) std::this_thread::yield();
  FaultEnv after_power_cut(env.SyncedImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 0, 10);
}

TEST(WalFaultTest, FailedSyncInFrontOfALargeRecordPoisonsTheLog) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Hours(1))));
  AppendRecords(wal.get(), 0, 3);
  env.AddRule(Fail(FileOp::kSyncData, 1));
  EXPECT_TRUE(absl::IsUnavailable(wal->Append(std::string(40'000, 'x')).status()));
  EXPECT_TRUE(wal->failed());
  EXPECT_EQ(wal->next_seq(), 3u);
  EXPECT_EQ(wal->durable_seq(), 0u);
  EXPECT_FALSE(wal->WaitForSeq(0).ok());
  EXPECT_FALSE(wal->Close().ok());
}

TEST(WalFaultTest, NoSpaceShowsWhenASegmentIsMadeAndHeals) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  // The active segment and the buffer are there; there is room for one segment more, and not for
  // two.
  env.SetCapacity(64 * 1024 * 3 + 1000);
  uint64_t n = 0;
  absl::Status status;
  while (status.ok() && n < 10'000) {
    const absl::StatusOr<uint64_t> seq = wal->Append(TestRecord(n));
    status = seq.status();
    if (status.ok()) ++n;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_GT(n, 300u);
  EXPECT_EQ(wal->next_seq(), n);
  EXPECT_TRUE(absl::IsResourceExhausted(wal->Append(TestRecord(n)).status()));
  EXPECT_OK(wal->Flush());
  EXPECT_EQ(wal->durable_seq(), n);
  ExpectRecords(wal.get(), 0, n);
  env.SetCapacity(UINT64_MAX);
  AppendRecords(wal.get(), n, n + 1000);
  ASSERT_OK(wal->Flush());
  ExpectRecords(wal.get(), 0, n + 1000);
}

TEST(WalFaultTest, RotateWithoutSpaceFailsAndChangesNothing) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  env.SetCapacity(1);
  EXPECT_TRUE(absl::IsResourceExhausted(wal->Rotate().status()));
  AppendRecords(wal.get(), 10, 20);
  env.SetCapacity(UINT64_MAX);
  EXPECT_EQ(*wal->Rotate(), 20u);
  ExpectRecords(wal.get(), 0, 20);
}

TEST(WalFaultTest, TruncationThatFailsLeavesTheOldLogOrTheNewOne) {
  for (uint64_t k = 0;; ++k) {
    FaultEnv env;
    bool truncated = false;
    {
      const auto wal = OpenLog(kPath, SmallLog(&env));
      AppendRecords(wal.get(), 0, 5);
      ASSERT_OK(wal->Rotate().status());
      AppendRecords(wal.get(), 5, 10);
      ASSERT_OK(wal->Flush());
      FaultRule rule = Fail(FileOp::kSyncDirectory, 1);
      rule.matches = [](FileOp op, std::string_view) { return IsNumbered(op); };
      rule.skip = k;
      env.AddRule(rule);
      truncated = wal->Truncate(1000).ok();
    }
    const bool failed = AnyFailed(env);
    env.ClearRules();
    const auto wal = OpenLog(kPath, SmallLog(&env));
    ASSERT_NE(wal, nullptr) << k;
    const bool is_new = wal->next_seq() == 1000;
    ASSERT_TRUE(is_new || !truncated) << k;
    ExpectRecords(wal.get(), is_new ? 1000 : 0, is_new ? 1000 : 10);
    if (failed) continue;
    EXPECT_TRUE(truncated);
    EXPECT_GT(k, 0u) << "nothing has failed";
    return;
  }
}

// The error may be one that a rotation was to be told of, and the disk tells it only once.
TEST(WalFaultTest, NoSegmentIsStartedBehindATruncationWhoseSyncOfTheDirectoryFailed) {
  FaultEnv env;
  {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 10);
    ASSERT_OK(wal->Rotate().status());
    AppendRecords(wal.get(), 10, 20);
    ASSERT_OK(wal->Flush());
    env.AddRule(Fail(FileOp::kSyncDirectory, 1));
    const absl::Status first = wal->TruncateBefore(10);
    EXPECT_TRUE(absl::IsUnavailable(first)) << first;
    AppendRecords(wal.get(), 20, 30);
    ASSERT_OK(wal->Flush());
    ASSERT_OK(wal->Rotate().status());
    const absl::StatusOr<uint64_t> seq = wal->Append(TestRecord(30));
    EXPECT_FALSE(seq.ok() && wal->WaitForSeq(*seq).ok());
    EXPECT_TRUE(wal->failed());
    EXPECT_EQ(wal->durable_seq(), 30u);
    EXPECT_FALSE(wal->Close().ok());
  }
  FaultEnv after_power_cut(env.SyncedImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 10, 30);
}

// Runs a life on `env`; what was acknowledged as durable, and what may be there.
struct Outcome {
  std::map<uint64_t, std::string> durable;
  std::map<uint64_t, std::string> appended;
};

void ReadDurable(Wal* wal, Outcome* outcome) {
  std::map<uint64_t, std::string> records;
  const absl::Status status = wal->Replay(wal->first_seq(), [&](uint64_t seq, std::string_view r) {
    records.emplace(seq, r);
    return absl::OkStatus();
  });
  if (status.ok()) outcome->durable = std::move(records);
}

// 400 records, three rotations, and nothing that the log does in a thread of its own but preparing
// segments.
void LiveWithFaults(FaultEnv* env, FlushPolicy policy, Outcome* outcome) {
  absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(kPath, SmallLog(env, policy));
  if (!wal.ok()) return;
  const bool on_each = policy.kind() == FlushPolicy::Kind::kOnEachWrite;
  uint64_t boundary = 0;  // of the last rotation
  for (uint64_t i = 0; i < 400; ++i) {
    const std::string record = TestRecord(i, 600);
    const uint64_t next = (*wal)->next_seq();
    const absl::StatusOr<uint64_t> seq = (*wal)->Append(record);
    // An append that failed with a failed sync may be there after all.
    outcome->appended[next] = record;
    if (seq.ok() && on_each) outcome->durable[*seq] = record;
    const bool flushes = i % 50 == 49;
    if (flushes && (*wal)->Flush().ok()) ReadDurable(wal->get(), outcome);
    // These fail or not: the records that are kept are there all the same.
    if (i % 120 == 119) boundary = (*wal)->Rotate().value_or(boundary);
    if (i % 120 == 30) {
      outcome->durable.erase(outcome->durable.begin(), outcome->durable.lower_bound(boundary));
      (*wal)->TruncateBefore(boundary).IgnoreError();
    }
  }
}

enum class By { kCaller, kPreparer, kAny };

// What fails, from one operation to the next.
struct Fault {
  FileOp op;
  FlushPolicy policy = FlushPolicy::Manual();
  // Whose operations: those of the preparer come between the others as threads happen to run, and
  // would make another one of them the k-th in each run.
  By by = By::kAny;
  uint64_t count = 1;
  bool short_write = false;
  bool reads_old = false;
};

FaultRule RuleOf(const Fault& fault, uint64_t k) {
  FaultRule rule;
  rule.matches = [fault, caller = std::this_thread::get_id()](FileOp op, std::string_view) {
    const bool by_caller = std::this_thread::get_id() == caller;
    return op == fault.op && (fault.by == By::kAny || by_caller == (fault.by == By::kCaller));
  };
  rule.skip = k;
  rule.count = fault.count;
  rule.short_write = fault.short_write;
  rule.drop_unsynced = true;
  rule.reads_old = fault.reads_old;
  return rule;
}

// How many rotations had reached the disk when an operation failed for the first time.
struct FirstFailure {
  std::atomic<int> activations = 0;
  std::atomic<int> rotations = -1;  // negative: none has failed

  void Note(const FaultEnv::TraceEntry& entry) {
    if (!entry.ok) {
      int none = -1;
      rotations.compare_exchange_strong(none, std::max(activations - 1, 0));
    } else if (entry.op == FileOp::kRename && entry.target == kPath) {
      ++activations;
    }
  }
};

// What was acknowledged as durable is there, and nothing else but what was appended.
void ExpectOutcome(const DiskImage& image, const Outcome& outcome) {
  FaultEnv after(image);
  const auto wal = OpenLog(kPath, SmallLog(&after));
  ASSERT_NE(wal, nullptr);
  const auto records = ReadLog(wal.get());
  for (const auto& [seq, record] : outcome.durable) {
    ASSERT_TRUE(records.contains(seq)) << "seq " << seq;
  }
  for (const auto& [seq, record] : records) {
    ASSERT_TRUE(outcome.appended.contains(seq) && outcome.appended.at(seq) == record)
        << "seq " << seq;
  }
}

// Each operation fails in turn; returns for each how many rotations there had been.
std::vector<int> FailEach(const Fault& fault) {
  std::vector<int> rotations;
  for (uint64_t k = 0;; ++k) {
    SCOPED_TRACE(testing::Message() << FileOpName(fault.op) << " " << k << " fails");
    FaultEnv env;
    env.AddRule(RuleOf(fault, k));
    FirstFailure failure;
    env.SetObserver([&failure](const FaultEnv::TraceEntry& entry) { failure.Note(entry); });
    Outcome outcome;
    LiveWithFaults(&env, fault.policy, &outcome);
    env.SetObserver(nullptr);
    env.ClearRules();
    ExpectOutcome(env.SyncedImage(), outcome);
    ExpectOutcome(env.FullImage(), outcome);
    if (failure.rotations < 0 || testing::Test::HasFatalFailure()) return rotations;
    rotations.push_back(failure.rotations);
  }
}

// Of the calling thread's operations, those that follow the last rotation are reached too. Again
// where the flusher was faster, and did them.
void FailEachOfCaller(Fault fault) {
  constexpr int kMostRuns = 20;
  fault.by = By::kCaller;
  std::set<int> reached;
  for (int run = 0; reached.size() < 4 && !testing::Test::HasFailure(); ++run) {
    ASSERT_LT(run, kMostRuns);
    const std::vector<int> rotations = FailEach(fault);
    ASSERT_FALSE(rotations.empty()) << "there is no " << FileOpName(fault.op) << " that could fail";
    reached.insert(rotations.begin(), rotations.end());
  }
  EXPECT_EQ(reached, (std::set<int>{0, 1, 2, 3}));
}

void FailEachOfAny(const Fault& fault) {
  EXPECT_FALSE(FailEach(fault).empty())
      << "there is no " << FileOpName(fault.op) << " that could fail";
}

constexpr uint64_t kForever = UINT64_MAX;

TEST(WalFaultTest, EveryWriteFailsOnce) {
  FailEachOfCaller({.op = FileOp::kWrite});
  FailEachOfCaller({.op = FileOp::kWrite, .short_write = true});
}
TEST(WalFaultTest, EveryWriteFailsOnceWhenEachAppendIsSynced) {
  FailEachOfCaller(
      {.op = FileOp::kWrite, .policy = FlushPolicy::OnEachWrite(), .short_write = true});
}
TEST(WalFaultTest, EveryWriteFailsFromThenOn) {
  FailEachOfCaller({.op = FileOp::kWrite, .count = kForever, .short_write = true});
}
TEST(WalFaultTest, EverySyncFailsOnceAndFromThenOn) {
  for (const uint64_t count : {uint64_t{1}, kForever}) {
    for (const bool reads_old : {false, true}) {
      FailEachOfCaller({.op = FileOp::kSyncData, .count = count, .reads_old = reads_old});
    }
  }
}
// There may be none: a segment that is needed at once is not filled with zeros.
TEST(WalFaultTest, EveryWriteAndSyncOfThePreparerFailsOnceAndFromThenOn) {
  for (const FileOp op : {FileOp::kWrite, FileOp::kSyncData}) {
    for (const uint64_t count : {uint64_t{1}, kForever}) {
      FailEach({.op = op, .by = By::kPreparer, .count = count, .short_write = true});
    }
  }
}
TEST(WalFaultTest, EveryOtherOperationFailsOnceAndFromThenOn) {
  for (const FileOp op :
       {FileOp::kOpen, FileOp::kRead, FileOp::kList, FileOp::kRename, FileOp::kSyncDirectory,
        FileOp::kReserve, FileOp::kCreate, FileOp::kRemove, FileOp::kMapRing}) {
    for (const uint64_t count : {uint64_t{1}, kForever}) FailEachOfAny({.op = op, .count = count});
  }
}

}  // namespace
}  // namespace emdb
