#include "kv/publish_queue.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

// A queue over a log that syncs only when asked.
class PublishQueueTest : public testing::Test {
 protected:
  PublishQueueTest() : log_(NewWal(&env_)), queue_(&log_, 0) {}

  static std::unique_ptr<Wal> NewWal(Env* env) {
    WalOptions options;
    options.flush_policy = FlushPolicy::Manual();
    options.segment_size_bytes = 64 << 10;
    options.env = env;
    absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open("log", options);
    EXPECT_TRUE(wal.ok()) << wal.status();
    return *std::move(wal);
  }

  // Returns whether it is visible.
  bool Write(bool must_be_durable) {
    const absl::StatusOr<uint64_t> seq = log_.Append("record");
    EXPECT_TRUE(seq.ok());
    return queue_.Publish(*seq, must_be_durable);
  }

  absl::Status Resolve(uint64_t seq, const absl::Status& durable) {
    return queue_.Resolve(seq, durable, [this] { undone_++; });
  }

  absl::Status Wait(uint64_t seq) {
    return queue_.Wait(seq, [this] { undone_++; });
  }

  void Fail(FileOp op) { Fail(op, &env_); }
  static void Fail(FileOp op, FaultEnv* env) {
    FaultRule rule;
    rule.matches = [op](FileOp found, std::string_view) { return found == op; };
    env->AddRule(std::move(rule));
  }

  FaultEnv env_;
  DbLog log_;
  PublishQueue queue_;
  std::atomic<int> undone_{0};
};

TEST_F(PublishQueueTest, AnUnsyncedWriteIsVisibleAtOnce) {
  EXPECT_TRUE(Write(false));
  EXPECT_TRUE(Write(false));
  EXPECT_EQ(queue_.visible_seq(), 2u);
}

TEST_F(PublishQueueTest, ASyncedWriteIsVisibleWhenItIsDurable) {
  EXPECT_FALSE(Write(true));
  EXPECT_EQ(queue_.visible_seq(), 0u);
  EXPECT_TRUE(Resolve(0, log_.WaitForSeq(0)).ok());
  EXPECT_EQ(queue_.visible_seq(), 1u);
  EXPECT_EQ(undone_, 0);
}

TEST_F(PublishQueueTest, WhatComesBehindASyncedWriteBecomesVisibleBehindIt) {
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  ASSERT_TRUE(log_.WaitForSeq(0).ok());
  EXPECT_EQ(queue_.visible_seq(), 0u);
  EXPECT_TRUE(Wait(1).ok());
  EXPECT_GE(queue_.visible_seq(), 2u);
  EXPECT_TRUE(Wait(3).ok());
  EXPECT_EQ(queue_.visible_seq(), 4u);
  EXPECT_TRUE(Resolve(0, absl::OkStatus()).ok());
  EXPECT_TRUE(Resolve(2, absl::OkStatus()).ok());
  EXPECT_TRUE(Write(false)) << "the queue is empty again";
}

TEST_F(PublishQueueTest, AFailedWriteIsUndoneAndPassedOver) {
  EXPECT_TRUE(Write(false));
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  const absl::Status error = absl::UnavailableError("the disk");
  EXPECT_EQ(Resolve(1, error), error);
  EXPECT_EQ(undone_, 1);
  EXPECT_EQ(queue_.visible_seq(), 3u);
  EXPECT_TRUE(Write(false));
}

// After a failed sync nothing more is acknowledged, in whatever order its news get around.

TEST_F(PublishQueueTest, AnUnsyncedWriteThatWaitsWhenTheSyncFailsIsRefused) {
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  Fail(FileOp::kSyncData);
  absl::Status behind;
  std::thread waiter([this, &behind] { behind = Wait(1); });
  const absl::Status failed = log_.WaitForSeq(0);
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(Resolve(0, failed), failed);
  waiter.join();
  EXPECT_FALSE(behind.ok());
  EXPECT_EQ(undone_, 2);
  EXPECT_EQ(queue_.visible_seq(), 2u) << "void ones hold up nobody";
}

TEST_F(PublishQueueTest, AnUnsyncedWriteThatWaitsBehindTheFailureIsRefused) {
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  EXPECT_FALSE(Write(false));
  Fail(FileOp::kSyncData);
  const absl::Status failed = log_.WaitForSeq(0);
  // The last one first, and before the owner of the failed one has said anything.
  EXPECT_FALSE(Wait(2).ok());
  EXPECT_EQ(queue_.visible_seq(), 0u);
  EXPECT_EQ(Resolve(0, failed), failed);
  EXPECT_EQ(queue_.visible_seq(), 1u) << "the next one is refused by its own thread";
  EXPECT_FALSE(Wait(1).ok());
  EXPECT_EQ(undone_, 3);
  EXPECT_EQ(queue_.visible_seq(), 3u);
}

TEST_F(PublishQueueTest, AWriteThatWasAppendedBeforeTheFailureAndPublishedAfterItIsRefused) {
  ASSERT_TRUE(log_.Append("record").ok());
  Fail(FileOp::kSyncData);
  EXPECT_FALSE(log_.Flush().ok());
  EXPECT_FALSE(queue_.Publish(0, /*must_be_durable=*/false));
  EXPECT_FALSE(Wait(0).ok());
  EXPECT_EQ(undone_, 1);
}

TEST_F(PublishQueueTest, WhatWasDurableBeforeTheFailureIsNotRefused) {
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  ASSERT_TRUE(log_.Flush().ok());
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  Fail(FileOp::kSyncData);
  const absl::Status failed = log_.WaitForSeq(2);
  EXPECT_TRUE(Wait(1).ok());
  EXPECT_TRUE(Resolve(0, absl::OkStatus()).ok());
  EXPECT_EQ(Resolve(2, failed), failed);
  EXPECT_FALSE(Wait(3).ok());
  EXPECT_EQ(undone_, 2);
}

TEST_F(PublishQueueTest, AFailedWriteIsNotFinalAndRefusesOnlyItsOwner) {
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  Fail(FileOp::kWrite);
  const absl::Status failed = log_.WaitForSeq(0);
  EXPECT_FALSE(failed.ok());
  EXPECT_FALSE(log_.failed());
  EXPECT_EQ(Resolve(0, failed), failed);
  EXPECT_TRUE(Wait(1).ok());
  EXPECT_EQ(undone_, 1);
  env_.ClearRules();
  EXPECT_TRUE(log_.Flush().ok());
  EXPECT_TRUE(Write(false));
}

TEST_F(PublishQueueTest, ThreadsOfAllKindsAreToldOfAFailureInAnyOrder) {
  for (int round = 0; round < 100; ++round) {
    FaultEnv env;
    DbLog log(NewWal(&env));
    // Not on the stack: gcc 12 does not always keep alignas(64) on AddressSanitizer's fake stacks.
    const auto queue = std::make_unique<PublishQueue>(&log, 0);
    std::atomic<int> undone{0};
    constexpr int kWrites = 6;
    for (int i = 0; i < kWrites; ++i) {
      ASSERT_TRUE(log.Append("record").ok());
      ASSERT_FALSE(queue->Publish(i, i == 0 || i == 3));
    }
    Fail(FileOp::kSyncData, &env);
    std::vector<std::thread> threads;
    threads.reserve(kWrites);
    for (int i = 0; i < kWrites; ++i) {
      threads.emplace_back([&, seq = static_cast<uint64_t>((i + round) % kWrites)] {
        const auto undo = [&undone] { undone++; };
        const bool synced = seq == 0 || seq == 3;
        const absl::Status told =
            synced ? queue->Resolve(seq, log.WaitForSeq(seq), undo) : queue->Wait(seq, undo);
        EXPECT_FALSE(told.ok()) << seq;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(undone, kWrites);
    EXPECT_EQ(queue->visible_seq(), static_cast<uint64_t>(kWrites));
  }
}

TEST_F(PublishQueueTest, AFailureIsNoneIfTheRecordBecameDurableAfterAll) {
  EXPECT_FALSE(Write(true));
  ASSERT_TRUE(log_.Flush().ok());
  EXPECT_TRUE(Resolve(0, absl::UnavailableError("the first try")).ok());
  EXPECT_EQ(undone_, 0);
  EXPECT_EQ(queue_.visible_seq(), 1u);
}

TEST_F(PublishQueueTest, WaitUntilVisibleShowsWhatIsDurable) {
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(true));
  ASSERT_TRUE(log_.Flush().ok());
  queue_.WaitUntilVisible(2);
  EXPECT_EQ(queue_.visible_seq(), 2u);
}

}  // namespace
}  // namespace emdb
