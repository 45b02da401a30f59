#include "kv/checkpointer.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/arena.h"
#include "kv/memtable_changes.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr size_t kCapacity = 1 << 20;

// A log, a store and an empty active memtable; the writes are made as a Db makes them.
class CheckpointerTest : public testing::Test {
 protected:
  CheckpointerTest()
      : log_(OpenLog(&env_)), store_(OpenStore(&env_)), queue_(&log_, log_.next_seq()) {
    std::shared_ptr<Memtable> table = NewMemtable();
    active_ = table.get();
    states_.Update([&](ReadState* state) {
      state->active = std::move(table);
      state->tree = store_->GetView();
    });
  }
  ~CheckpointerTest() override {
    checkpointer_.reset();
    states_.Close();
  }

  static std::unique_ptr<Wal> OpenLog(Env* env) {
    WalOptions options;
    options.flush_policy = FlushPolicy::Manual();
    options.segment_size_bytes = 64 << 10;
    options.env = env;
    auto wal = Wal::Open("dir/store.wal", options);
    EXPECT_TRUE(wal.ok()) << wal.status();
    return *std::move(wal);
  }
  static std::unique_ptr<PageStore> OpenStore(Env* env) {
    PageStoreOptions options;
    options.cache_size_bytes = 1 << 20;
    options.env = env;
    auto store = PageStore::Open("dir/store", options);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  std::shared_ptr<Memtable> NewMemtable() {
    auto table = Memtable::Create(pool_, kCapacity);
    EXPECT_TRUE(table.ok()) << table.status();
    return *std::move(table);
  }

  void Start() {
    auto checkpointer = Checkpointer::Start(
        {&env_, &log_, store_.get(), &states_, &queue_, &statistics_, kCapacity});
    ASSERT_TRUE(checkpointer.ok()) << checkpointer.status();
    checkpointer_ = *std::move(checkpointer);
  }

  uint64_t Write(const std::string& key, bool must_be_durable = false,
                 std::string_view value = "value") {
    const absl::StatusOr<uint64_t> seq = log_.Append(key);
    EXPECT_TRUE(seq.ok());
    active_->Add(*seq, RecordKind::kPut, key, value);
    queue_.Publish(*seq, must_be_durable);
    return *seq;
  }

  // Returns the end of what is frozen.
  uint64_t Freeze() {
    const absl::StatusOr<uint64_t> boundary = log_.Rotate();
    EXPECT_TRUE(boundary.ok());
    active_->Freeze(*boundary);
    std::shared_ptr<Memtable> next = NewMemtable();
    active_ = next.get();
    states_.Update([&next](ReadState* state) {
      state->frozen.insert(state->frozen.begin(), std::move(state->active));
      state->active = std::move(next);
    });
    if (checkpointer_ != nullptr) checkpointer_->Schedule();
    return *boundary;
  }

  bool IsInTree(const std::string& key) {
    std::string value;
    return states_.Acquire()->tree.Get(key, &value).ok();
  }

  // Operations of this kind fail, on the log's files or on the store's.
  void Fail(FileOp failing, bool on_log) {
    FaultRule rule;
    rule.matches = [failing, on_log](FileOp op, std::string_view path) {
      return op == failing && (on_log ? path.starts_with("dir/store.wal") : path == "dir/store");
    };
    env_.AddRule(std::move(rule));
  }

  FaultEnv env_;
  DbLog log_;
  std::unique_ptr<PageStore> store_;
  std::shared_ptr<ArenaPool> pool_ = std::make_shared<ArenaPool>(kCapacity);
  ReadStates states_;
  PublishQueue queue_;
  Statistics statistics_;
  std::unique_ptr<Checkpointer> checkpointer_;
  Memtable* active_ = nullptr;
};

TEST_F(CheckpointerTest, AFrozenMemtableMovesToTheTreeAndOutOfTheLog) {
  Start();
  Write("key");
  const uint64_t end = Freeze();
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
  EXPECT_TRUE(IsInTree("key"));
  EXPECT_TRUE(states_.Acquire()->frozen.empty());
  EXPECT_EQ(store_->next_seq(), end);
  EXPECT_EQ(log_.stats().segments_live, 1u);
  EXPECT_FALSE(checkpointer_->is_merging());
}

TEST_F(CheckpointerTest, WhatIsFrozenAtTheStartIsCheckpointedToo) {
  Write("key");
  const uint64_t end = Freeze();
  Start();
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
  EXPECT_TRUE(IsInTree("key"));
}

// Puts half a memtable, checkpoints it, and tells the size of the largest write to the store.
class CheckpointBesideCommitsTest : public CheckpointerTest {
 protected:
  uint64_t LargestWrite() {
    std::atomic<uint64_t> largest = 0;
    env_.SetObserver([&largest](const FaultEnv::TraceEntry& entry) {
      if (entry.op != FileOp::kWrite || entry.path != "dir/store") return;
      if (entry.size > largest) largest = entry.size;
    });
    for (int i = 0; i < 128; ++i) Write("key" + std::to_string(1000 + i), false, kLargeValue);
    const uint64_t end = Freeze();
    if (is_filled_meanwhile_) {
      for (int i = 0; i < 128; ++i) Write("more" + std::to_string(i), false, kLargeValue);
    }
    Start();
    EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
    env_.SetObserver(nullptr);
    return largest;
  }

  const std::string kLargeValue = std::string(4000, 'v');
  static constexpr uint64_t kAllPages = 500'000;  // at least
  static constexpr uint64_t kPiece = 128 << 10;   // PageStore::YieldDisk
  bool is_filled_meanwhile_ = false;
};

TEST_F(CheckpointBesideCommitsTest, WithoutCommitsPagesAreWrittenTogether) {
  EXPECT_GT(LargestWrite(), kAllPages);
}

TEST_F(CheckpointBesideCommitsTest, WithCommitsPagesAreWrittenInPieces) {
  // As if it were still going on while the pages are written.
  statistics_.RecordCommit(env_.NowNanos(), env_.NowNanos() + 60'000'000'000);
  EXPECT_EQ(LargestWrite(), kPiece);
}

TEST_F(CheckpointBesideCommitsTest, CommitsOfLongAgoDoNotCount) {
  statistics_.RecordCommit(1, env_.NowNanos() - 200'000'000);
  EXPECT_GT(LargestWrite(), kAllPages);
}

TEST_F(CheckpointBesideCommitsTest, OtherWorkYieldsTooUnlessAMemtableWaitsForIt) {
  statistics_.RecordCommit(env_.NowNanos(), env_.NowNanos() + 60'000'000'000);
  Start();
  for (const bool memtable_waits : {false, true}) {
    const std::shared_ptr<Memtable> table = NewMemtable();
    for (uint64_t i = 0; i < 128; ++i) {
      table->Add(i, RecordKind::kPut, "key" + std::to_string(1000 + i), kLargeValue);
    }
    table->Freeze(128);
    uint64_t largest = 0;
    const absl::Status loaded = checkpointer_->RunExclusively([&] {
      if (memtable_waits) {
        Write("waits");
        Freeze();
      }
      const size_t written_before = env_.Trace().size();
      MemtableChanges changes(table.get());
      absl::Status status = store_->Load(&changes);
      const std::vector<FaultEnv::TraceEntry> trace = env_.Trace();
      for (size_t i = written_before; i < trace.size(); ++i) {
        const bool is_page = trace[i].op == FileOp::kWrite && trace[i].path == "dir/store";
        if (is_page) largest = std::max(largest, trace[i].size);
      }
      return status;
    });
    EXPECT_TRUE(loaded.ok()) << loaded;
    if (memtable_waits) {
      EXPECT_GT(largest, kAllPages);
    } else {
      EXPECT_EQ(largest, kPiece);
    }
  }
}

TEST_F(CheckpointBesideCommitsTest, WritersWhoWouldHaveToWaitComeFirst) {
  is_filled_meanwhile_ = true;
  statistics_.RecordCommit(env_.NowNanos(), env_.NowNanos() + 60'000'000'000);
  EXPECT_GT(LargestWrite(), kAllPages);
}

TEST_F(CheckpointerTest, MemtablesAreMergedOldestFirst) {
  Start();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(checkpointer_->WaitForRoom().ok());
    Write("key" + std::to_string(i));
    Freeze();
  }
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(10).ok());
  EXPECT_EQ(store_->next_seq(), 10u);
  EXPECT_EQ(store_->stats().records, 10u);
}

// Its own thread decides what becomes of a write, and uses the memtable if that is to be void; once
// the write is visible it never is. So that must come before the merge, however late the thread is.
TEST_F(CheckpointerTest, WhatIsMergedIsVisibleBeforeThoughItsWriterHasNotCalledBack) {
  Start();
  Write("synced", /*must_be_durable=*/true);
  std::atomic<uint64_t> visible_at_first_write = UINT64_MAX;
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kWrite || entry.path != "dir/store") return;
    uint64_t none = UINT64_MAX;
    visible_at_first_write.compare_exchange_strong(none, queue_.visible_seq());
  });
  const uint64_t end = Freeze();
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
  env_.SetObserver(nullptr);
  EXPECT_EQ(visible_at_first_write.load(), end);
  EXPECT_TRUE(IsInTree("synced"));
}

TEST_F(CheckpointerTest, TheLogIsDurableBeforeTheStoreIsAheadOfIt) {
  Start();
  Write("first");
  std::atomic<bool> is_syncing{false};
  std::atomic<bool> go_on{false};
  std::atomic<uint64_t> durable_at_first_write = UINT64_MAX;
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    // The first segment; while it is being synced, what is frozen cannot be.
    if (entry.op == FileOp::kSyncData && entry.path == "dir/store.wal.spare.0") {
      is_syncing = true;
      while (!go_on) std::this_thread::yield();
    }
    if (entry.op != FileOp::kWrite || entry.path != "dir/store") return;
    uint64_t none = UINT64_MAX;
    durable_at_first_write.compare_exchange_strong(none, log_.durable_seq());
  });
  std::thread syncer([this] { EXPECT_TRUE(log_.Flush().ok()); });
  while (!is_syncing) std::this_thread::yield();
  Write("unsynced");
  const uint64_t end = Freeze();
  // Time for a checkpoint that does not wait to write.
  for (int i = 0; i < 100 && durable_at_first_write == UINT64_MAX; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  go_on = true;
  syncer.join();
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
  env_.SetObserver(nullptr);
  EXPECT_GE(durable_at_first_write.load(), end);
}

TEST_F(CheckpointerTest, AWriteThatIsNotYetVisibleIsWaitedForAndAVoidOneLeftOut) {
  Start();
  const uint64_t failed = Write("failed", /*must_be_durable=*/true);
  Write("behind");
  const auto undo = [this, failed] { active_->Void("failed", failed); };
  const absl::Status error = absl::UnavailableError("the disk");
  EXPECT_EQ(queue_.Resolve(failed, error, undo), error);
  const uint64_t durable = Write("durable", /*must_be_durable=*/true);
  const uint64_t end = Freeze();
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
  EXPECT_GT(queue_.visible_seq(), durable);
  EXPECT_FALSE(IsInTree("failed"));
  EXPECT_TRUE(IsInTree("behind"));
  EXPECT_TRUE(IsInTree("durable"));
}

TEST_F(CheckpointerTest, WithoutSpaceItTriesAgainAndWritesThatNeedRoomAreTold) {
  Start();
  Write("key");
  // The log has its space already; the store gets no more.
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view path) {
    return op == FileOp::kWrite && path == "dir/store";
  };
  rule.error_number = ENOSPC;
  env_.AddRule(std::move(rule));
  const uint64_t end = Freeze();
  const absl::Status failed = checkpointer_->WaitForCheckpoint(end);
  EXPECT_EQ(failed.code(), absl::StatusCode::kResourceExhausted) << failed;
  EXPECT_EQ(checkpointer_->WaitForRoom().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(checkpointer_->health().ok());
  EXPECT_FALSE(IsInTree("key"));
  env_.ClearRules();
  checkpointer_->RetryNow();
  EXPECT_TRUE(checkpointer_->WaitForRoom().ok());
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
  EXPECT_TRUE(IsInTree("key"));
}

// The memtable has moved to the tree all the same.
TEST_F(CheckpointerTest, ATruncationWithoutSpaceHoldsUpNoLaterWrite) {
  Start();
  Write("key");
  std::atomic<bool> is_full{false};
  FaultRule rule;
  rule.matches = [&is_full](FileOp op, std::string_view path) {
    return is_full && IsNumbered(op) && path.starts_with("dir/store.wal");
  };
  rule.error_number = ENOSPC;
  env_.AddRule(std::move(rule));
  // What comes behind is the header, and the log.
  env_.SetObserver([&is_full](const FaultEnv::TraceEntry& entry) {
    if (entry.op == FileOp::kSyncData && entry.path == "dir/store") is_full = true;
  });
  Freeze();
  while (statistics_.checkpoint_failures.Get() == 0) std::this_thread::yield();
  env_.SetObserver(nullptr);
  env_.ClearRules();
  EXPECT_TRUE(IsInTree("key"));
  EXPECT_TRUE(checkpointer_->health().ok()) << checkpointer_->health();
  Write("later");
  const uint64_t end = Freeze();
  EXPECT_EQ(checkpointer_->WaitForRoom(), absl::OkStatus());
  EXPECT_EQ(checkpointer_->WaitForCheckpoint(end), absl::OkStatus());
  EXPECT_TRUE(IsInTree("later"));
}

// A failed write, other than a failed sync, does not end the log: nor does it end checkpoints.
TEST_F(CheckpointerTest, AfterAnErrorOfALogThatGoesOnItTriesAgain) {
  Write("key");
  const uint64_t end = Freeze();
  Write("behind");  // which the checkpoint will write
  Fail(FileOp::kWrite, /*on_log=*/true);
  Start();
  const absl::Status failed = checkpointer_->WaitForCheckpoint(end);
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable) << failed;
  EXPECT_TRUE(checkpointer_->health().ok()) << checkpointer_->health();
  EXPECT_FALSE(IsInTree("key"));
  env_.ClearRules();
  checkpointer_->RetryNow();
  EXPECT_EQ(checkpointer_->WaitForRoom(), absl::OkStatus());
  EXPECT_EQ(checkpointer_->WaitForCheckpoint(end), absl::OkStatus());
  EXPECT_TRUE(IsInTree("key"));
}

TEST_F(CheckpointerTest, AFailedSyncOfTheLogIsFinal) {
  Write("key");
  const uint64_t end = Freeze();
  Write("behind");  // which the checkpoint will write
  Fail(FileOp::kSyncData, /*on_log=*/true);
  Start();
  EXPECT_FALSE(checkpointer_->WaitForCheckpoint(end).ok());
  env_.ClearRules();
  checkpointer_->RetryNow();
  EXPECT_EQ(checkpointer_->health().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(IsInTree("key"));
}

TEST_F(CheckpointerTest, AnyOtherErrorIsFinal) {
  Start();
  Write("key");
  Fail(FileOp::kSyncData, /*on_log=*/false);
  const uint64_t end = Freeze();
  EXPECT_FALSE(checkpointer_->WaitForCheckpoint(end).ok());
  env_.ClearRules();
  checkpointer_->RetryNow();
  constexpr auto kRefused = absl::StatusCode::kFailedPrecondition;
  EXPECT_EQ(checkpointer_->health().code(), kRefused);
  EXPECT_EQ(checkpointer_->WaitForCheckpoint(end).code(), kRefused);
  EXPECT_EQ(checkpointer_->WaitForRoom().code(), kRefused);
  EXPECT_FALSE(IsInTree("key"));
  EXPECT_EQ(states_.Acquire()->frozen.size(), 1u) << "reads still find what is in it";
}

TEST_F(CheckpointerTest, RoomIsWaitedForWhileAMemtableIsFrozen) {
  Start();
  Write("key");
  // The merge stands still until the test lets it go on.
  std::atomic<bool> go_on{false};
  env_.SetObserver([&go_on](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kSyncData || entry.path != "dir/store") return;
    while (!go_on) std::this_thread::yield();
  });
  const uint64_t end = Freeze();
  std::atomic<bool> has_room{false};
  std::thread waiter([this, &has_room] {
    EXPECT_TRUE(checkpointer_->WaitForRoom().ok());
    has_room = true;
  });
  while (!checkpointer_->is_merging()) std::this_thread::yield();
  EXPECT_FALSE(has_room);
  go_on = true;
  waiter.join();
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
}

// Else a writer that waits takes memory for a third one.
TEST_F(CheckpointerTest, WhenThereIsRoomTheMemoryOfTheMemtableIsThereToo) {
  Write("key");
  const uint64_t end = Freeze();
  const std::weak_ptr<Memtable> frozen = states_.Acquire()->frozen.back();
  std::atomic<bool> is_synced{false};
  std::atomic<bool> has_room{false};
  // The log is not cut before there is room.
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op == FileOp::kSyncData && entry.path == "dir/store") is_synced = true;
    const bool cuts = entry.op == FileOp::kRename || entry.op == FileOp::kRemove;
    while (is_synced && cuts && !has_room) std::this_thread::yield();
  });
  Start();
  EXPECT_EQ(checkpointer_->WaitForRoom(), absl::OkStatus());
  EXPECT_TRUE(frozen.expired());
  has_room = true;
  EXPECT_EQ(checkpointer_->WaitForCheckpoint(end), absl::OkStatus());
  env_.SetObserver(nullptr);
}

TEST_F(CheckpointerTest, ExclusiveWorkPublishesTheTreeItLeaves) {
  Start();
  Write("key");
  const uint64_t end = Freeze();
  EXPECT_TRUE(checkpointer_->WaitForCheckpoint(end).ok());
  const uint64_t before = states_.Acquire()->tree.generation();
  EXPECT_TRUE(checkpointer_->RunExclusively([this] { return store_->Compact(); }).ok());
  EXPECT_GT(states_.Acquire()->tree.generation(), before);
  const absl::Status error = absl::DataLossError("found");
  EXPECT_EQ(checkpointer_->RunExclusively([&error] { return absl::Status(error); }), error);
  EXPECT_TRUE(IsInTree("key"));
}

TEST_F(CheckpointerTest, TheDestructorLetsARunningCheckpointFinish) {
  Start();
  for (int i = 0; i < 100; ++i) Write("key" + std::to_string(i));
  const uint64_t end = Freeze();
  while (!checkpointer_->is_merging() && store_->next_seq() < end) std::this_thread::yield();
  checkpointer_.reset();
  EXPECT_EQ(store_->next_seq(), end);
  EXPECT_EQ(store_->stats().records, 100u);
}

}  // namespace
}  // namespace emdb
