#include "kv/pacer.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "kv/arena.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

TEST(PacerTest, AFillMayLeadTheMergeByATenth) {
  EXPECT_LE(Pacer::Excess(0.0, 0.0), 0);
  EXPECT_LE(Pacer::Excess(0.09, 0.0), 0);
  EXPECT_GT(Pacer::Excess(0.11, 0.0), 0);
  EXPECT_LE(Pacer::Excess(0.59, 0.5), 0);
  EXPECT_GT(Pacer::Excess(0.61, 0.5), 0);
  EXPECT_LE(Pacer::Excess(1.0, 1.0), 0);
}

TEST(PacerTest, SleepsGrowWithTheExcessFrom30To100Microseconds) {
  EXPECT_EQ(Pacer::SleepMicros(-1), 30u);
  EXPECT_EQ(Pacer::SleepMicros(0), 30u);
  EXPECT_EQ(Pacer::SleepMicros(0.05), 65u);
  EXPECT_EQ(Pacer::SleepMicros(0.1), 100u);
  EXPECT_EQ(Pacer::SleepMicros(5), 100u) << "a memtable of one huge batch";
  for (int i = 1; i < 200; ++i) {
    EXPECT_LE(Pacer::SleepMicros((i - 1) / 1000.0), Pacer::SleepMicros(i / 1000.0));
  }
}

TEST(PacerTest, ASmallWriteSleepsAtMostAMillisecondAndALargeOneInProportion) {
  EXPECT_EQ(Pacer::MostSleeps(0), 10u);
  EXPECT_EQ(Pacer::MostSleeps(65535), 10u);
  EXPECT_EQ(Pacer::MostSleeps(65536), 20u);
  EXPECT_EQ(Pacer::MostSleeps(uint64_t{1} << 30), 163850u);
  EXPECT_LE(Pacer::MostSleeps(1000) * Pacer::SleepMicros(1), 1000u);
}

constexpr size_t kMemtableSize = 1 << 20;

// A store whose merges stand still while `holds_` is set.
class PacerAtWorkTest : public testing::Test {
 protected:
  PacerAtWorkTest() : log_(nullptr), queue_(&log_, 0) {
    PageStoreOptions options;
    options.env = &env_;
    auto store = PageStore::Open("dir/store", options);
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    states_.Update([this](ReadState* state) {
      state->active = NewMemtable();
      state->tree = store_->GetView();
    });
    auto checkpointer = Checkpointer::Start(
        {&env_, &log_, store_.get(), &states_, &queue_, &statistics_, kMemtableSize});
    EXPECT_TRUE(checkpointer.ok()) << checkpointer.status();
    checkpointer_ = *std::move(checkpointer);
    pacer_ = std::make_unique<Pacer>(
        Pacer::Parts{&env_, &states_, checkpointer_.get(), &statistics_}, kMemtableSize);
    env_.SetObserver([this](const FaultEnv::TraceEntry& entry) {
      while (entry.op == FileOp::kSyncData && holds_) std::this_thread::yield();
    });
  }
  ~PacerAtWorkTest() override {
    holds_ = false;
    checkpointer_.reset();
    states_.Close();
  }

  std::shared_ptr<Memtable> NewMemtable() {
    auto table = Memtable::Create(pool_, 2 * kMemtableSize);
    EXPECT_TRUE(table.ok()) << table.status();
    return *std::move(table);
  }

  // The active memtable is full to this part.
  void FillTo(double part) {
    Memtable* const active = states_.Acquire()->active.get();
    while (static_cast<double>(active->memory_bytes()) < part * kMemtableSize) {
      const uint64_t seq = *log_.Append("");
      active->Add(seq, RecordKind::kPut, std::to_string(seq), std::string(1000, 'v'));
      queue_.Publish(seq, /*must_be_durable=*/false);
    }
  }

  // A merge runs and does not get on.
  void StartMerge() {
    holds_ = true;
    FillTo(0.01);
    std::shared_ptr<Memtable> next = NewMemtable();
    states_.Acquire()->active->Freeze(log_.next_seq());
    states_.Update([&next](ReadState* state) {
      state->frozen.push_back(std::move(state->active));
      state->active = std::move(next);
    });
    checkpointer_->Schedule();
    while (!checkpointer_->is_merging()) std::this_thread::yield();
  }

  uint64_t Stalls() {
    Stats stats;
    statistics_.AddTo(&stats);
    return stats.write_stalls.count;
  }

  FaultEnv env_;
  std::atomic<bool> holds_{false};
  DbLog log_;
  std::unique_ptr<PageStore> store_;
  std::shared_ptr<ArenaPool> pool_ = std::make_shared<ArenaPool>(2 * kMemtableSize);
  ReadStates states_;
  PublishQueue queue_;
  Statistics statistics_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<Pacer> pacer_;
};

TEST_F(PacerAtWorkTest, NobodyIsSlowedWithoutAMerge) {
  FillTo(0.9);
  pacer_->BeforeWrite(100);
  EXPECT_EQ(Stalls(), 0u);
}

TEST_F(PacerAtWorkTest, AWriterFarAheadOfTheMergeIsSlowedAndCounted) {
  StartMerge();
  pacer_->BeforeWrite(100);
  EXPECT_EQ(Stalls(), 0u) << "the new memtable is empty";
  // Whatever the merge of 10 KiB says of its progress before it waits for the disk.
  FillTo(1.2);
  pacer_->BeforeWrite(100);
  EXPECT_EQ(Stalls(), 1u);
}

TEST_F(PacerAtWorkTest, AClosedDbSlowsNobody) {
  StartMerge();
  FillTo(1.2);
  holds_ = false;
  checkpointer_->WaitForCheckpoint(1).IgnoreError();
  states_.Close();
  pacer_->BeforeWrite(100);
  EXPECT_EQ(Stalls(), 0u);
}

}  // namespace
}  // namespace emdb
