// Kills a process with SIGKILL while 16 of its threads write to a store on real files, then up to
// two more while they recover what it left; opens the store, and compares: all that had been
// acknowledged is there, synced or not; what was under way is there whole or not at all; nothing
// else is. Then the next process goes on with the same store.
//
// EMDB_KILLS is how many kills of writers, EMDB_SEED where the randomness starts.

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/observation.h"
#include "kv/shared_memory.h"
#include "kv/test_setting.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

constexpr unsigned kThreads = 16;
constexpr unsigned kKeysPerThread = 12;

// What the child tells its parent while it lives. The parent reads it when the child is dead.
struct Progress {
  std::atomic<uint64_t> total{0};  // of `acknowledged`, and 1 for the Open: the parent waits for it
  std::atomic<bool> failed{false};
  std::array<std::atomic<uint64_t>, kThreads> acknowledged{};  // operations, by thread
};

// The same of one that only opens the store.
struct OpenProgress {
  std::atomic<bool> has_begun{false};
  std::atomic<bool> is_done{false};
};

// One write of one thread to keys of its own: a function of its place, so that the parent can say
// what the child did.
struct PlannedWrite {
  WriteBatch batch;
  std::vector<std::pair<std::string, std::string>> puts;  // in order, later ones win
  std::vector<std::string> deletions;                     // of other keys
  bool sync = false;
};

PlannedWrite Plan(uint64_t seed, uint64_t life, unsigned thread, uint64_t index) {
  std::seed_seq place{seed, life, uint64_t{thread}, index};
  std::mt19937 random(place);
  PlannedWrite plan;
  plan.sync = random() % 3 == 0;
  const uint64_t count = random() % 4 == 0 ? 2 + random() % 5 : 1;
  std::set<uint64_t> keys;
  while (keys.size() < count) keys.insert(random() % kKeysPerThread);
  for (const uint64_t i : keys) {
    std::string key = "t" + std::to_string(thread) + "-" + std::to_string(i);
    if (random() % 5 == 0) {
      plan.batch.Delete(key);
      plan.deletions.push_back(std::move(key));
      continue;
    }
    std::string value = std::to_string(life) + "/" + std::to_string(index) + "/";
    const size_t padding = random() % 40 == 0 ? 20'000 : random() % 300;
    value.append(padding, static_cast<char>('a' + random() % 26));
    plan.batch.Put(key, value);
    plan.puts.emplace_back(std::move(key), std::move(value));
  }
  return plan;
}

void Apply(const PlannedWrite& plan, Contents* contents) {
  for (const auto& [key, value] : plan.puts) (*contents)[key] = value;
  for (const std::string& key : plan.deletions) contents->erase(key);
}

Options DbOptions(uint64_t life) {
  Options options;
  // Small enough that checkpoints, rotations and recycled segments are under way at most kills.
  options.memtable_size = size_t{256} << 10;
  options.cache_size = size_t{1} << 20;
  options.wal_segment_size = uint64_t{128} << 10;
  if (life % 3 == 1) options.flush_policy = FlushPolicy::Manual();
  return options;
}

class DbKillThreadsTest : public testing::Test {
 protected:
  // The child: opens the store and writes until it is killed.
  [[noreturn]] void WriteForEver(uint64_t life) {
    auto db = Db::Open(DbOptions(life), path_);
    if (!db.ok()) Die(db.status());
    progress_->total.fetch_add(1, std::memory_order_release);
    std::vector<std::thread> threads;
    for (unsigned thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([this, &db, life, thread] { WriteThread(db->get(), life, thread); });
    }
    for (std::thread& thread : threads) thread.join();
    _exit(1);
  }

  void WriteThread(Db* db, uint64_t life, unsigned thread) {
    for (uint64_t index = 0;; ++index) {
      const PlannedWrite plan = Plan(seed_, life, thread, index);
      const absl::Status status = db->Write(plan.batch, {.sync = plan.sync});
      if (!status.ok()) Die(status);
      progress_->acknowledged[thread].store(index + 1, std::memory_order_release);
      progress_->total.fetch_add(1, std::memory_order_release);
    }
  }

  [[noreturn]] void Die(const absl::Status& status) {
    std::fprintf(stderr, "the child: %s\n", status.ToString().c_str());
    progress_->failed = true;
    _exit(1);
  }

  void RunAndKill(uint64_t life) {
    progress_->total = 0;
    for (auto& count : progress_->acknowledged) count = 0;
    // Of ten kills, one at once, one when the store is open, the others in the midst of writes.
    const uint64_t choice = random_() % 10;
    const uint64_t target = choice < 2 ? choice : 1 + random_() % 4000;
    const uint64_t spins = random_() % 20'000;
    std::fflush(nullptr);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteForEver(life);
    // Acquire: not needed for the counters, which are read after the wait; it only polls.
    while (progress_->total.load(std::memory_order_acquire) < target && !progress_->failed) {
      sched_yield();
    }
    for (std::atomic<uint64_t> i = 0; i < spins; ++i) {
    }
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed before it was killed";
  }

  // Opens the store as it is in a process that is killed in the midst of it, as far as can be told
  // from how long the last open took.
  void KillInOpen(uint64_t life) {
    open_progress_->has_begun = false;
    open_progress_->is_done = false;
    std::fflush(nullptr);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) OpenAndWait(life);
    // Acquire: not needed, it only polls.
    while (!open_progress_->has_begun.load(std::memory_order_acquire)) sched_yield();
    const std::chrono::nanoseconds wait(random_() % static_cast<uint64_t>(open_time_.count()));
    const auto end = std::chrono::steady_clock::now() + wait;
    while (std::chrono::steady_clock::now() < end) sched_yield();
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed before it was killed";
    if (!open_progress_->is_done) ++kills_in_open_;
  }

  [[noreturn]] void OpenAndWait(uint64_t life) {
    open_progress_->has_begun.store(true, std::memory_order_release);
    auto db = Db::Open(DbOptions(life), path_);
    if (!db.ok()) Die(db.status());
    open_progress_->is_done.store(true, std::memory_order_release);
    while (true) pause();
  }

  void CheckAndGoOn(uint64_t life) {
    const auto start = std::chrono::steady_clock::now();
    auto db = Db::Open(DbOptions(life), path_);
    open_time_ = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(db.ok()) << db.status();
    const Observation found = Observe(**db, {});
    ASSERT_EQ(found.error, absl::OkStatus());
    ASSERT_EQ(found.contradiction, "");
    size_t expected_size = 0;
    for (unsigned thread = 0; thread < kThreads; ++thread) {
      CheckThread(found.present, life, thread);
      expected_size += expected_[thread].size();
    }
    EXPECT_EQ(found.present.size(), expected_size) << "there are keys that nobody wrote";
    if (random_() % 4 == 0) {
      EXPECT_EQ((*db)->Verify(), absl::OkStatus());
    }
    if (random_() % 2 == 0) {
      EXPECT_EQ((*db)->Close(), absl::OkStatus());
    }
  }

  // Finds the thread's keys as its acknowledged operations left them, or the next one too.
  void CheckThread(const Contents& found, uint64_t life, unsigned thread) {
    const std::string prefix = "t" + std::to_string(thread) + "-";
    Contents own;
    for (auto i = found.lower_bound(prefix); i != found.end() && i->first.starts_with(prefix);
         ++i) {
      own.insert(*i);
    }
    const uint64_t count = progress_->acknowledged[thread];
    for (uint64_t index = 0; index < count; ++index) {
      Apply(Plan(seed_, life, thread, index), &expected_[thread]);
    }
    if (own == expected_[thread]) return;
    Apply(Plan(seed_, life, thread, count), &expected_[thread]);
    EXPECT_TRUE(own == expected_[thread])
        << "thread " << thread << " had " << count << " operations acknowledged";
  }

  const uint64_t seed_ = TestSetting("EMDB_SEED", 1);
  const TempDirectory directory_;
  const std::string path_ = directory_.Path("store.emdb");
  std::mt19937_64 random_{seed_};
  SharedMemory<Progress> progress_;
  SharedMemory<OpenProgress> open_progress_;
  std::array<Contents, kThreads> expected_;
  std::chrono::nanoseconds open_time_ = std::chrono::milliseconds(1);  // of the last open here
  uint64_t kills_in_open_ = 0;
};

TEST_F(DbKillThreadsTest, EverythingAcknowledgedSurvives) {
  const uint64_t kills = TestSetting("EMDB_KILLS", 60);
  uint64_t acknowledged = 0;
  for (uint64_t life = 0; life < kills && !HasFailure(); ++life) {
    SCOPED_TRACE(testing::Message() << "kill " << life);
    RunAndKill(life);
    if (HasFatalFailure()) return;
    acknowledged += progress_->total;
    for (uint64_t n = random_() % 3; n > 0; --n) ASSERT_NO_FATAL_FAILURE(KillInOpen(life));
    CheckAndGoOn(life);
  }
  std::printf("%llu operations acknowledged, %llu kills in recovery\n",
              static_cast<unsigned long long>(acknowledged),
              static_cast<unsigned long long>(kills_in_open_));
  EXPECT_GT(acknowledged, kills);
  // Of about as many as there are kills; the others come when the open is just done.
  if (kills >= 50) {
    EXPECT_GE(kills_in_open_, kills / 6);
  }
}

}  // namespace
}  // namespace emdb
