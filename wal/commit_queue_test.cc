#include "wal/commit_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace emdb {
namespace {

constexpr uint64_t kSyncNanos = 100'000;

TEST(CommitQueueTest, LoneWriterLeadsAtOnceEveryTime) {
  CommitQueue queue;
  for (int i = 0; i < 100; ++i) {
    const CommitQueue::Ticket ticket = queue.Join();
    ASSERT_TRUE(ticket.leads);
    EXPECT_EQ(queue.StartSync(), ticket.group);
    const CommitQueue::Served served = queue.Finish(0, kSyncNanos);
    EXPECT_TRUE(served.group_done);
    EXPECT_EQ(served.group, ticket.group);
    EXPECT_FALSE(served.has_sleepers);
    EXPECT_FALSE(queue.owned());
    EXPECT_EQ(queue.ServeAtNanos(), CommitQueue::kNever);
  }
}

// One leads, `others` join while its sync runs; returns the group that these are in.
CommitQueue::Group LeadWithOthersWaiting(CommitQueue* queue, int others) {
  EXPECT_TRUE(queue->Join().leads);
  queue->StartSync();
  CommitQueue::Group group = 0;
  for (int i = 0; i < others; ++i) {
    const CommitQueue::Ticket ticket = queue->Join();
    EXPECT_FALSE(ticket.leads);
    group = ticket.group;
  }
  return group;
}

TEST(CommitQueueTest, LastOfTheCompanyLeads) {
  CommitQueue queue;
  const CommitQueue::Group group = LeadWithOthersWaiting(&queue, 3);
  queue.Finish(1000, kSyncNanos);
  EXPECT_FALSE(queue.owned());
  // Three wait, and the one that was served is expected back.
  EXPECT_EQ(queue.waiters(), 3u);
  EXPECT_EQ(queue.ServeAtNanos(), 1000 + kSyncNanos / 4 * 2 / 5);
  const CommitQueue::Ticket last = queue.Join();
  EXPECT_TRUE(last.leads);
  EXPECT_EQ(last.group, group);
  EXPECT_EQ(queue.StartSync(), group);
  const CommitQueue::Served served = queue.Finish(2000, kSyncNanos);
  EXPECT_EQ(served.group, group);
  EXPECT_TRUE(served.has_sleepers);
}

TEST(CommitQueueTest, FlusherServesWhenTheCompanyStaysAway) {
  CommitQueue queue;
  LeadWithOthersWaiting(&queue, 3);
  queue.Finish(0, kSyncNanos);
  queue.LingerTimedOut();
  EXPECT_EQ(queue.waiters(), 3u);
  queue.Own();
  queue.StartSync();
  EXPECT_TRUE(queue.Finish(0, kSyncNanos).has_sleepers);
}

TEST(CommitQueueTest, LingeringInVainIsLeftOffForAWhile) {
  CommitQueue queue;
  int lingered = 0;
  for (int i = 0; i < 50; ++i) {
    LeadWithOthersWaiting(&queue, 2);
    queue.Finish(1000, kSyncNanos);
    if (queue.ServeAtNanos() > 1000) ++lingered;
    queue.LingerTimedOut();
    queue.Own();
    queue.StartSync();
    queue.Finish(1000, kSyncNanos);
    // Those two do not come back, either.
    if (queue.ServeAtNanos() == CommitQueue::kNever) continue;
    if (queue.ServeAtNanos() > 1000) ++lingered;
    queue.LingerTimedOut();
  }
  EXPECT_GT(lingered, 0);
  EXPECT_LT(lingered, 20);
}

TEST(CommitQueueTest, WhoJoinsTheRunningSyncIsServedByIt) {
  CommitQueue queue;
  EXPECT_TRUE(queue.Join().leads);
  const CommitQueue::Group running = queue.StartSync();
  const CommitQueue::Ticket ticket = queue.JoinRunning();
  EXPECT_FALSE(ticket.leads);
  EXPECT_EQ(ticket.group, running);
  EXPECT_TRUE(queue.Finish(0, kSyncNanos).has_sleepers);
}

TEST(CommitQueueTest, WorkWithoutASyncServesNobody) {
  CommitQueue queue;
  queue.Own();
  EXPECT_FALSE(queue.Join().leads);
  const CommitQueue::Served served = queue.Finish(500, 0);
  EXPECT_FALSE(served.group_done);
  // The one that waits is served at once.
  EXPECT_EQ(queue.ServeAtNanos(), 500u);
}

TEST(CommitQueueTest, AbortServesTheOpenGroup) {
  CommitQueue queue;
  const CommitQueue::Group open = LeadWithOthersWaiting(&queue, 2);
  queue.Finish(0, 0);
  const CommitQueue::Served aborted = queue.Abort();
  EXPECT_EQ(aborted.group, open);
  EXPECT_TRUE(aborted.has_sleepers);
  EXPECT_EQ(queue.waiters(), 0u);
}

// The flusher does what is due; returns what it served.
CommitQueue::Served ServeByFlusher(CommitQueue* queue, uint64_t now_nanos) {
  queue->LingerTimedOut();
  queue->Own();
  queue->StartSync();
  return queue->Finish(now_nanos, kSyncNanos);
}

TEST(CommitQueueTest, LoneCallbackIsServedAtOnceEveryTime) {
  CommitQueue queue;
  for (int i = 0; i < 100; ++i) {
    queue.JoinCallback();
    EXPECT_EQ(queue.waiters(), 1u);
    ASSERT_EQ(queue.ServeAtNanos(), 0u);
    const CommitQueue::Served served = ServeByFlusher(&queue, 1000);
    EXPECT_FALSE(served.has_sleepers);
    queue.CallbacksRan(2000);
    EXPECT_EQ(queue.ServeAtNanos(), CommitQueue::kNever);
  }
}

TEST(CommitQueueTest, CompanyOfCallbacksIsServedWhenItIsBack) {
  CommitQueue queue;
  for (int i = 0; i < 4; ++i) queue.JoinCallback();
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(queue.waiters(), 4u);
    ASSERT_EQ(queue.ServeAtNanos(), 0u);
    EXPECT_FALSE(ServeByFlusher(&queue, 1000).has_sleepers);
    for (int i = 0; i < 3; ++i) queue.JoinCallback();
    EXPECT_GT(queue.ServeAtNanos(), 1000u);
    queue.JoinCallback();
  }
}

TEST(CommitQueueTest, CallbacksAreGivenTimeSinceTheLastOneRan) {
  CommitQueue queue;
  for (int i = 0; i < 4; ++i) queue.JoinCallback();
  ServeByFlusher(&queue, 1000);
  queue.CallbacksRan(500'000);
  EXPECT_EQ(queue.ServeAtNanos(), 500'000 + kSyncNanos / 4);
  // Whoever is back by then is served.
  queue.JoinCallback();
  EXPECT_FALSE(ServeByFlusher(&queue, 600'000).has_sleepers);
}

TEST(CommitQueueTest, ServiceThatIsDueIsNotPutOffByCallbacks) {
  CommitQueue queue;
  queue.JoinCallback();
  ASSERT_EQ(queue.ServeAtNanos(), 0u);
  queue.CallbacksRan(500'000);
  EXPECT_EQ(queue.ServeAtNanos(), 0u);
}

TEST(CommitQueueTest, ThreadLeadsWhenItIsTheLastOfACompanyOfCallbacks) {
  CommitQueue queue;
  for (int i = 0; i < 2; ++i) queue.JoinCallback();
  ServeByFlusher(&queue, 1000);
  queue.JoinCallback();
  EXPECT_TRUE(queue.Join().leads);
  queue.StartSync();
  // The leader is awake, and nobody sleeps for a callback.
  EXPECT_FALSE(queue.Finish(2000, kSyncNanos).has_sleepers);
}

TEST(CommitQueueTest, ThreadBesideCallbacksIsWoken) {
  CommitQueue queue;
  queue.JoinCallback();
  EXPECT_FALSE(queue.Join().leads);
  EXPECT_TRUE(ServeByFlusher(&queue, 1000).has_sleepers);
}

TEST(CommitQueueTest, NeitherTheLeaderNorCallbacksSleep) {
  CommitQueue queue;
  EXPECT_TRUE(queue.Join().leads);
  queue.StartSync();
  EXPECT_EQ(queue.sleepers(), 0u);
  queue.JoinRunning();
  EXPECT_EQ(queue.sleepers(), 1u);
  queue.Join();
  queue.Join();
  queue.JoinCallback();
  EXPECT_TRUE(queue.Finish(0, 1000).has_sleepers);
  queue.LingerTimedOut();
  queue.Own();
  queue.StartSync();
  EXPECT_EQ(queue.sleepers(), 2u);
}

TEST(CommitQueueTest, AbortWakesNobodyForACallback) {
  CommitQueue queue;
  queue.JoinCallback();
  EXPECT_FALSE(queue.Abort().has_sleepers);
  EXPECT_EQ(queue.waiters(), 0u);
  EXPECT_EQ(queue.ServeAtNanos(), CommitQueue::kNever);
}

TEST(CommitQueueTest, WordsWakeTheirGroup) {
  CommitQueue::Words words;
  std::atomic<int> awake{0};
  std::vector<std::thread> threads;
  for (CommitQueue::Group group = 1; group <= 3; ++group) {
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&words, &awake, group] {
        words.Await(group);
        ++awake;
      });
    }
  }
  for (CommitQueue::Group group = 1; group <= 3; ++group) {
    words.SetDone(group);
    words.Wake(group);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(awake, 12);
}

TEST(CommitQueueTest, DoneGroupsAreNotWaitedFor) {
  CommitQueue::Words words;
  words.SetDone(5);
  words.Await(5);
  words.Await(1);
}

}  // namespace
}  // namespace emdb
