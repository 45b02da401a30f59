#include "kv/publish_queue.h"

#include <memory>
#include <thread>
#include <utility>

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

  FaultEnv env_;
  DbLog log_;
  PublishQueue queue_;
  int undone_ = 0;
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
  queue_.Wait(1);
  EXPECT_GE(queue_.visible_seq(), 2u);
  queue_.Wait(3);
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

TEST_F(PublishQueueTest, TheWritesBehindAFailedOneWaitForItsOwner) {
  EXPECT_FALSE(Write(true));
  EXPECT_FALSE(Write(false));
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kSyncData; };
  env_.AddRule(std::move(rule));
  std::thread behind([this] { queue_.Wait(1); });
  const absl::Status failed = log_.WaitForSeq(0);
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(queue_.visible_seq(), 0u);
  EXPECT_EQ(Resolve(0, failed), failed);
  behind.join();
  EXPECT_EQ(queue_.visible_seq(), 2u);
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
