// Each operation of a small workload fails in turn, of each kind that can: once or from then on,
// with EIO or ENOSPC, a write half way, a sync with what it leaves in the page cache. Where the
// process is killed then, or the power is cut, or the store is opened again on the same disk, it
// must hold what CommitModel allows: each acknowledged value and removal, and nothing that was not
// written.
//
// The workload runs on a new store, and on one whose process was killed. Each EMDB_STRIDE-th case
// is run, another first one for each way of failing.

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kv/commit_model.h"
#include "kv/db.h"
#include "kv/observation.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/every.emdb";

using Loss = CommitModel::Loss;

Options SmallOptions(Env* env) {
  Options options;
  options.env = env;
  options.flush_policy = FlushPolicy::Manual();
  options.memtable_size = 64 << 10;
  options.cache_size = 1 << 20;
  options.wal_segment_size = 64 << 10;
  return options;
}

// What a life leaves, and what the model says of it.
struct Remains {
  DiskImage image;
  CommitModel model;
  Loss loss;
};

// Opens the store, writes, and goes on whatever fails.
class Life {
 public:
  Life(FaultEnv* env, CommitModel model) : env_(env), model_(std::move(model)) {}

  const CommitModel& model() const { return model_; }
  bool is_open() const { return db_ != nullptr; }
  const std::string& failure() const { return failure_; }

  // `loss`: what the store may have lost since the model was last told.
  absl::Status Open(Loss loss) {
    auto db = Db::Open(SmallOptions(env_), kPath);
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
    is_refused_ = false;
    const Observation found = Observe(*db_, model_.keys());
    if (found.error.ok()) Note("opened: ", model_.Reopened(found, loss));
    return found.error;
  }

  // Eight writes that can be told from others by `round`, all kinds of I/O among them.
  void Run(const std::string& round) {
    Write({{"key", round}}, true);
    Write({{"large", round + std::string(30'000, 'l')}, {"gone", round}}, false);
    Finish(db_->Checkpoint());
    Write({{"gone", std::nullopt}, {"key", round + "b"}}, true);
    Look();
    Write({{"unsynced", round}}, false);
    Finish(db_->Flush());
    Write({{"large", std::nullopt}, {"more", round + std::string(9'000, 'm')}}, false);
    Finish(db_->Compact());
    Write({{"key", round + "c"}}, true);
    Write({{"key", std::nullopt}}, false);
    Write({{"last", round}}, false);
    Look();
  }

  bool Close() {
    const absl::Status status = db_->Close();
    Finish(status);
    db_.reset();
    return status.ok();
  }

  void Write(CommitModel::Changes changes, bool sync) {
    WriteBatch batch;
    for (const auto& [key, value] : changes) {
      if (value.has_value()) {
        batch.Put(key, *value);
      } else {
        batch.Delete(key);
      }
    }
    const absl::Status status = db_->Write(batch, {.sync = sync});
    if (status.ok()) {
      if (is_refused_) Note("a write behind a refused one: ", "OK");
      model_.Record(std::move(changes),
                    sync ? CommitModel::Outcome::kDurable : CommitModel::Outcome::kAcknowledged);
    } else if (!is_refused_) {
      // Once it has said that it refuses writes, none of them may be found later.
      is_refused_ = absl::IsFailedPrecondition(status);
      model_.Record(std::move(changes), CommitModel::Outcome::kUncertain);
    }
  }

 private:
  void Note(const std::string& where, const std::string& what) {
    if (failure_.empty() && !what.empty()) failure_ = where + what;
  }

  void Finish(const absl::Status& status) {
    if (status.ok()) model_.MarkDurable();
  }

  void Look() { Note("running: ", Difference(Observe(*db_, model_.keys()), model_.visible())); }

  FaultEnv* const env_;
  CommitModel model_;
  std::unique_ptr<Db> db_;
  bool is_refused_ = false;
  std::string failure_;
};

struct Fault {
  FileOp op;
  uint64_t count;
  int error_number;
  bool short_write = false;
  bool drop_unsynced = false;
  bool reads_old = false;
};

std::string Describe(const Fault& fault, uint64_t k) {
  return std::string(FileOpName(fault.op)) + " " + std::to_string(k) + " fails" +
         (fault.count == 1 ? " once" : " with all behind it") +
         (fault.error_number == EIO ? ", EIO" : ", ENOSPC") +
         (fault.short_write ? ", half way" : "") +
         (fault.drop_unsynced ? ", and what was to be synced is forgotten" : "") +
         (fault.reads_old ? ", and what was to be synced is gone" : "");
}

std::vector<Fault> AllFaults() {
  std::vector<Fault> faults;
  for (const FileOp op :
       {FileOp::kOpen, FileOp::kCreate, FileOp::kRead, FileOp::kWrite, FileOp::kSyncData,
        FileOp::kTruncate, FileOp::kReserve, FileOp::kRename, FileOp::kRemove,
        FileOp::kSyncDirectory, FileOp::kMapRing, FileOp::kLock, FileOp::kList}) {
    for (const uint64_t count : {uint64_t{1}, UINT64_MAX}) {
      for (const int error_number : {EIO, ENOSPC}) {
        Fault fault = {op, count, error_number};
        faults.push_back(fault);
        if (op == FileOp::kWrite) {
          fault.short_write = true;
          faults.push_back(fault);
        }
        if (op == FileOp::kSyncData || op == FileOp::kSyncDirectory) {
          fault.drop_unsynced = true;
          faults.push_back(fault);
        }
        if (op == FileOp::kSyncData) {
          fault.reads_old = true;
          faults.push_back(fault);
        }
      }
    }
  }
  return faults;
}

// The store opens on a disk that works, and holds what it must.
void ExpectRemains(Remains remains) {
  FaultEnv env(remains.image);
  Life life(&env, std::move(remains.model));
  ASSERT_EQ(life.Open(remains.loss), absl::OkStatus());
  ASSERT_EQ(life.failure(), "");
}

// The next process finds the page cache as the failure left it, and builds upon that. What it makes
// durable is looked at after a power cut, or, where names are seen that a failed sync of the
// directory forgot, which it cannot know, as a kill leaves it.
void ExpectToGoOn(FaultEnv* env, CommitModel model, Loss loss, bool names_are_forgotten) {
  const auto image = [&] { return names_are_forgotten ? env->FullImage() : env->SyncedImage(); };
  Life life(env, std::move(model));
  ASSERT_EQ(life.Open(loss), absl::OkStatus());
  life.Write({{"after", "the fault"}}, true);
  ASSERT_EQ(life.failure(), "");
  ASSERT_NO_FATAL_FAILURE(ExpectRemains({image(), life.model(), Loss::kWhatIsNotDurable}));
  ASSERT_TRUE(life.Close());
  FaultEnv closed(image());
  const auto db = Db::Open(SmallOptions(&closed), kPath);
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_EQ((*db)->Verify(), absl::OkStatus());
  ASSERT_EQ(Difference(Observe(**db, life.model().keys()), life.model().visible()), "");
}

// Whether there was a k-th operation to fail.
bool RunCase(const Remains& start, const Fault& fault, uint64_t k) {
  SCOPED_TRACE(Describe(fault, k));
  FaultEnv env(start.image);
  FaultRule rule;
  rule.matches = [&fault](FileOp op, std::string_view) { return op == fault.op; };
  rule.skip = k;
  rule.count = fault.count;
  rule.error_number = fault.error_number;
  rule.short_write = fault.short_write;
  rule.drop_unsynced = fault.drop_unsynced;
  rule.reads_old = fault.reads_old;
  env.AddRule(rule);
  std::atomic<bool> has_failed = false;
  env.SetObserver([&has_failed, &fault](const FaultEnv::TraceEntry& entry) {
    if (!entry.ok && entry.op == fault.op) has_failed = true;
  });
  // Where the page cache has let go of what was written, a kill takes it.
  const Loss of_kill = fault.reads_old ? Loss::kWhatIsNotDurable : Loss::kNothing;
  std::vector<Remains> remains;
  const auto leave = [&](const CommitModel& model) {
    remains.push_back({env.SyncedImage(), model, Loss::kWhatIsNotDurable});
    remains.push_back({env.FullImage(), model, of_kill});
  };
  Life life(&env, start.model);
  // A store that opens and cannot be read goes on: what it takes must be kept.
  life.Open(start.loss).IgnoreError();
  bool closed = false;
  if (life.is_open()) {
    life.Run("2");
    leave(life.model());
    closed = life.Close();
  }
  leave(life.model());
  env.SetObserver(nullptr);
  env.ClearRules();
  EXPECT_EQ(life.failure(), "");
  for (Remains& left : remains) ExpectRemains(std::move(left));
  const bool names_are_forgotten = fault.op == FileOp::kSyncDirectory && fault.drop_unsynced;
  ExpectToGoOn(&env, life.model(), closed ? Loss::kNothing : of_kill, names_are_forgotten);
  return has_failed;
}

void RunAllCases(const Remains& start) {
  const uint64_t stride = TestSetting("EMDB_STRIDE", kTestAmountDivisor);
  uint64_t cases = 0;
  uint64_t first = 0;
  for (const Fault& fault : AllFaults()) {
    first = (first + 1) % stride;
    for (uint64_t k = first; RunCase(start, fault, k); k += stride) {
      ++cases;
      if (testing::Test::HasFailure()) return;
    }
  }
  std::printf("%llu cases\n", static_cast<unsigned long long>(cases));
}

TEST(DbEveryFaultTest, ANewStore) { RunAllCases({DiskImage(), CommitModel(), Loss::kNothing}); }

TEST(DbEveryFaultTest, AStoreWhoseProcessWasKilled) {
  FaultEnv env;
  Life life(&env, CommitModel());
  ASSERT_EQ(life.Open(Loss::kNothing), absl::OkStatus());
  life.Run("1");
  ASSERT_EQ(life.failure(), "");
  RunAllCases({env.FullImage(), life.model(), Loss::kNothing});
}

}  // namespace
}  // namespace emdb
