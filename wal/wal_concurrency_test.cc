// Many threads on one log: what they share, and that nobody is forgotten.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/fault_env.h"
#include "storage/forwarding_env.h"
#include "storage/mutex.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";

void RunThreads(int count, const std::function<void(int thread)>& work) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

// A record that shows if a part of it is of another one.
std::string SizedRecord(size_t size) {
  return std::string(size, static_cast<char>('a' + size % 26));
}

TEST(WalConcurrencyTest, SixteenThreadsAppendAndWait) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  RunThreads(16, [&](int thread) {
    for (int i = 0; i < 100; ++i) {
      const absl::StatusOr<uint64_t> seq = wal->Append(absl::StrCat(thread, ":", i));
      ASSERT_OK(seq.status());
      ASSERT_OK(wal->WaitForSeq(*seq));
      ASSERT_GT(wal->durable_seq(), *seq);
    }
  });
  EXPECT_EQ(wal->durable_seq(), 1600u);
  EXPECT_EQ(wal->pending_bytes(), 0u);
  EXPECT_EQ(ReadLog(wal.get()).size(), 1600u);
}

TEST(WalConcurrencyTest, BurstOfThirtyTwoThreadsUnderGroupBecomesDurable) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::Milliseconds(1))));
  RunThreads(32, [&](int thread) { ASSERT_OK(wal->Append(absl::StrCat(thread)).status()); });
  while (wal->durable_seq() < 32) std::this_thread::yield();
  EXPECT_EQ(wal->pending_bytes(), 0u);
}

// Its time passes when it is told to.
class StoppedClockEnv : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  uint64_t NowNanos() override { return now_nanos_; }
  void Advance(absl::Duration by) {
    now_nanos_ += static_cast<uint64_t>(absl::ToInt64Nanoseconds(by));
  }

 private:
  std::atomic<uint64_t> now_nanos_{1'000'000'000};
};

TEST(WalConcurrencyTest, FlusherLetsTimePassBetweenWritesThatFail) {
  FaultEnv disk;
  StoppedClockEnv env(&disk);
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::Group(absl::ZeroDuration())));
  std::atomic<int> writes{0};
  disk.AddRule({.matches = [&](FileOp op, std::string_view) {
    if (op != FileOp::kWrite) return false;
    ++writes;
    return true;
  }});
  AppendRecords(wal.get(), 0, 1);
  while (writes == 0) std::this_thread::yield();
  // Time for many more.
  for (int i = 0; i < 10'000; ++i) std::this_thread::yield();
  EXPECT_EQ(writes, 1);
  while (writes == 1) {
    env.Advance(absl::Milliseconds(1));
    std::this_thread::yield();
  }
  disk.ClearRules();
  while (wal->durable_seq() < 1) {
    env.Advance(absl::Milliseconds(1));
    std::this_thread::yield();
  }
}

TEST(WalConcurrencyTest, WhatIsAppendedDuringASyncSharesTheNext) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  const uint64_t syncs_before = wal->stats().syncs;
  // Holds the first sync up until all the others have appended.
  std::atomic<bool> held{false};
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kSyncData || held.exchange(true)) return;
    while (wal->next_seq() < 9) std::this_thread::yield();
  });
  std::thread first([&] { EXPECT_OK(wal->Append("first").status()); });
  while (!held) std::this_thread::yield();
  RunThreads(8, [&](int) { EXPECT_OK(wal->Append("another").status()); });
  first.join();
  EXPECT_EQ(wal->stats().syncs - syncs_before, 2u);
  EXPECT_EQ(wal->stats().groups, 2u);
}

TEST(WalConcurrencyTest, EachThreadsRecordsKeepTheirOrder) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  constexpr int kThreads = 8;
  constexpr int kRecords = 200;
  RunThreads(kThreads, [&](int thread) {
    for (int i = 0; i < kRecords; ++i) {
      ASSERT_OK(wal->Append(absl::StrCat(thread, ":", i)).status());
    }
  });
  std::map<std::string, int> next;
  for (const auto& [seq, record] : ReadLog(wal.get())) {
    const size_t colon = record.find(':');
    EXPECT_EQ(record.substr(colon + 1), absl::StrCat(next[record.substr(0, colon)]++));
  }
  EXPECT_EQ(next.size(), static_cast<size_t>(kThreads));
  EXPECT_EQ(wal->stats().records_synced, static_cast<uint64_t>(kThreads * kRecords));
}

TEST(WalConcurrencyTest, AppendersRotatorsAndReadersDoNotDisturbEachOther) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  std::atomic<bool> done{false};
  std::thread rotator([&] {
    uint64_t last = 0;
    while (!done) {
      const absl::StatusOr<uint64_t> seq = wal->Rotate();
      ASSERT_OK(seq.status());
      ASSERT_OK(wal->TruncateBefore(last));
      last = *seq;
    }
  });
  std::thread reader([&] {
    while (!done) {
      const absl::Status status =
          wal->Replay(wal->first_seq(), [](uint64_t seq, std::string_view record) {
            EXPECT_EQ(record, SizedRecord(record.size())) << seq;
            return absl::OkStatus();
          });
      // Truncated in between.
      ASSERT_TRUE(status.ok() || absl::IsOutOfRange(status)) << status;
    }
  });
  RunThreads(4, [&](int thread) {
    for (int i = 0; i < 300; ++i) {
      const size_t size = i % 100 == 50 ? 40'000 : static_cast<size_t>(i) * 7 % 900;
      const std::string record = SizedRecord(size);
      const absl::StatusOr<uint64_t> seq = wal->Append(record);
      ASSERT_OK(seq.status());
      if (i % 10 != thread) continue;
      ASSERT_OK(wal->WaitForSeq(*seq));
    }
  });
  done = true;
  rotator.join();
  reader.join();
  EXPECT_EQ(wal->next_seq(), 1200u);
  ASSERT_OK(wal->Flush());
  EXPECT_EQ(wal->durable_seq(), 1200u);
}

TEST(WalConcurrencyTest, ManyCommitsInFlightFromOneThread) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  Mutex mutex;
  CondVar changed;
  uint64_t done = 0;
  uint64_t last_from_log = 0;  // of those that the log's thread called
  const std::thread::id caller = std::this_thread::get_id();
  constexpr uint64_t kCommits = 20'000;
  constexpr uint64_t kInFlight = 64;
  for (uint64_t n = 0; n < kCommits; ++n) {
    const absl::StatusOr<uint64_t> seq = wal->Append(TestRecord(n));
    ASSERT_OK(seq.status());
    wal->NotifyDurable(*seq, [&, n](const absl::Status& status) {
      EXPECT_OK(status);
      MutexLock lock(&mutex);
      if (std::this_thread::get_id() != caller) {
        EXPECT_LE(last_from_log, n);
        last_from_log = n;
      }
      ++done;
      changed.Signal();
    });
    MutexLock lock(&mutex);
    while (done + kInFlight <= n) changed.Wait(&mutex);
  }
  ASSERT_OK(wal->Close());
  EXPECT_EQ(done, kCommits);
  EXPECT_LT(wal->stats().syncs, kCommits);
}

TEST(WalConcurrencyTest, FailedSyncReachesEveryWaiter) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kSyncData; };
  rule.skip = 50;
  env.AddRule(rule);
  Mutex mutex;
  std::map<uint64_t, bool> acknowledged;
  RunThreads(8, [&](int) {
    while (true) {
      const absl::StatusOr<uint64_t> seq = wal->Append("x");
      if (!seq.ok()) return;
      MutexLock lock(&mutex);
      acknowledged[*seq] = true;
    }
  });
  // Nothing that was not durable was acknowledged, and all that was durable was.
  EXPECT_EQ(acknowledged.size(), wal->durable_seq());
}

// Fails every write whose number is a multiple of `n`.
FaultRule FailEveryNthWrite(uint64_t n) {
  FaultRule rule;
  rule.matches = [n, writes = uint64_t{0}](FileOp op, std::string_view) mutable {
    return op == FileOp::kWrite && ++writes % n == 0;
  };
  return rule;
}

// What the records start with, up to the first space.
std::set<std::string> RecordsOf(Wal* wal) {
  std::set<std::string> records;
  for (const auto& [seq, record] : ReadLog(wal)) records.insert(record.substr(0, record.find(' ')));
  return records;
}

// The records of one of the two only.
std::set<std::string> Difference(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::set<std::string> difference;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(),
                                std::inserter(difference, difference.end()));
  return difference;
}

TEST(WalConcurrencyTest, AppendsSucceedIfAndOnlyIfTheirRecordsAreReplayed) {
  for (const uint64_t n : {2, 3, 5, 11}) {
    FaultEnv env;
    const WalOptions options = SmallLog(&env, FlushPolicy::OnEachWrite());
    const auto wal = OpenLog(kPath, options);
    env.AddRule(FailEveryNthWrite(n));
    Mutex mutex;
    std::set<std::string> acknowledged;
    uint64_t failures = 0;
    RunThreads(16, [&](int thread) {
      for (int i = 0; i < 300; ++i) {
        const std::string record = absl::StrCat(thread, ":", i);
        const bool ok = wal->Append(record + std::string(i % 20 * 50, ' ')).ok();
        MutexLock lock(&mutex);
        if (ok) acknowledged.insert(record);
        if (!ok) ++failures;
      }
    });
    EXPECT_GT(failures, 0u);
    EXPECT_GT(acknowledged.size(), 0u);
    env.ClearRules();
    EXPECT_EQ(Difference(RecordsOf(wal.get()), acknowledged), std::set<std::string>()) << n;
    ASSERT_OK(wal->Append("last").status());
    acknowledged.insert("last");
    for (const DiskImage& image : {env.SyncedImage(), env.FullImage()}) {
      FaultEnv after(image);
      EXPECT_EQ(Difference(RecordsOf(OpenLog(kPath, SmallLog(&after)).get()), acknowledged),
                std::set<std::string>())
          << n;
    }
  }
}

// The append of a group's first record was written, that of the next one not.
TEST(WalConcurrencyTest, RecordInFrontOfASegmentThatCouldNotBeStartedIsDurable) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  ASSERT_OK(wal->Append("large" + std::string(31'000, ' ')).status());
  // Holds the first of three back until the other two share the next turn. The third has no place
  // in the segment, and the block of the next one cannot be written.
  std::atomic<bool> held{false};
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    const bool is_of_log = entry.op == FileOp::kSyncData && entry.path.ends_with("spare.0");
    if (!is_of_log || held.exchange(true)) return;
    while (wal->next_seq() < 4) std::this_thread::yield();
    env.AddRule({.matches =
                     [](FileOp op, std::string_view path) {
                       return op == FileOp::kWrite && path.ends_with("spare.1");
                     },
                 .count = 1});
  });
  std::thread first([&] { EXPECT_OK(wal->Append("first").status()); });
  while (!held) std::this_thread::yield();
  std::thread second([&] { EXPECT_OK(wal->Append("second").status()); });
  while (wal->next_seq() < 3) std::this_thread::yield();
  EXPECT_FALSE(wal->Append("lost" + std::string(31'000, ' ')).ok());
  first.join();
  second.join();
  EXPECT_EQ(*wal->Append("last"), 4u);
  for (const DiskImage& image : {env.SyncedImage(), env.FullImage()}) {
    FaultEnv after(image);
    EXPECT_EQ(RecordsOf(OpenLog(kPath, SmallLog(&after)).get()),
              (std::set<std::string>{"large", "first", "second", "last"}));
  }
}

}  // namespace
}  // namespace emdb
