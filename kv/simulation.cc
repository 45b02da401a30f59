#include "kv/simulation.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <optional>
#include <random>
#include <string_view>
#include <utility>

#include "kv/commit_model.h"
#include "kv/db.h"
#include "kv/observation.h"
#include "kv/order_monitor.h"
#include "storage/mutex.h"

namespace emdb {
namespace {

constexpr std::string_view kStorePath = "/disk/store.emdb";
constexpr int kKeys = 24;
constexpr size_t kMaxUncertain = 6;  // then a life ends: the model tries all combinations

class Simulator {
 public:
  Simulator(uint64_t seed, const SimulationOptions& options)
      : options_(options), seed_(seed), disk_(std::make_unique<FaultEnv>(seed)) {
    SetUpDisk();
  }

  SimulationResult Run() {
    for (uint64_t life = 0; life < options_.lives && result_.failure.empty(); ++life) {
      Tell("life " + std::to_string(life));
      Live(life);
    }
    if (result_.failure.empty()) LastLook();
    const MutexLock lock(&mutex_);
    result_.disk_operations = trace_.disk_operations;
    result_.faults = trace_.faults;
    return std::move(result_);
  }

 private:
  using Outcome = CommitModel::Outcome;
  using Loss = CommitModel::Loss;

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  void Tell(std::string line) {
    if (options_.prints_story) std::fprintf(stderr, "%s\n", line.c_str());
    result_.story.push_back(std::move(line));
  }
  void Tell(std::string_view what, const absl::Status& status) {
    Tell("  " + std::string(what) + ": " + status.ToString());
  }

  void Fail(std::string what) {
    if (result_.failure.empty()) result_.failure = std::move(what);
  }

  // ---- The disk.

  void SetUpDisk() {
    if (options_.wrap_env) {
      env_ = options_.wrap_env(disk_.get());
    } else {
      monitor_ = std::make_unique<OrderMonitor>(disk_.get(), std::string(kStorePath));
    }
    disk_->SetObserver([this](const FaultEnv::TraceEntry& entry) { Note(entry); });
  }

  // Threads of the database come here too.
  void Note(const FaultEnv::TraceEntry& entry) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (is_dead_ || disk_->PowerIsCut()) return;
    const MutexLock lock(&mutex_);
    ++trace_.disk_operations;
    if (!entry.ok) ++trace_.faults;
    if (!entry.ok && entry.op == FileOp::kSyncDirectory && fault_forgets_) names_forgotten_ = true;
  }

  void NewDisk(const DiskImage& image) {
    env_.reset();
    monitor_.reset();
    disk_ = std::make_unique<FaultEnv>(image);
    names_forgotten_ = false;
    SetUpDisk();
  }

  void PlanPowerCut(uint64_t within_operations) {
    disk_->CutPowerAt(disk_->OperationCount() + Below(within_operations));
  }

  void PlanFault() {
    static constexpr FileOp kOps[] = {FileOp::kOpen,          FileOp::kCreate,   FileOp::kRead,
                                      FileOp::kWrite,         FileOp::kSyncData, FileOp::kTruncate,
                                      FileOp::kReserve,       FileOp::kRename,   FileOp::kRemove,
                                      FileOp::kSyncDirectory, FileOp::kMapRing,  FileOp::kList};
    const FileOp op = kOps[Below(std::size(kOps))];
    FaultRule rule;
    rule.matches = [op](FileOp candidate, std::string_view) { return candidate == op; };
    rule.skip = Below(4);
    rule.count = OneIn(3) ? UINT64_MAX : 1 + Below(2);
    rule.error_number = OneIn(3) ? ENOSPC : EIO;
    rule.short_write = OneIn(2);
    rule.drop_unsynced = OneIn(2);
    Tell("  fault: " + std::string(FileOpName(op)) + " number " + std::to_string(rule.skip) +
         " from here fails with " + (rule.error_number == EIO ? "EIO" : "ENOSPC") + ", " +
         (rule.count == UINT64_MAX ? "and all later ones" : std::to_string(rule.count) + " times"));
    fault_forgets_ = rule.drop_unsynced;
    disk_->AddRule(std::move(rule));
    fault_is_active_ = true;
    fault_in_this_life_ = true;
  }

  void EndFaults() {
    if (fault_is_active_) Tell("  the disk works again");
    disk_->ClearRules();
    fault_is_active_ = false;
  }

  // Whether an error may be the disk's fault.
  bool ErrorIsExcused() const { return fault_in_this_life_ || disk_->PowerIsCut(); }

  // ---- One life, from an Open to a crash.

  void Live(uint64_t life) {
    // What a life does should not depend on how the one before went.
    std::seed_seq life_seed{seed_, life};
    random_.seed(life_seed);
    fault_in_this_life_ = false;
    if (OneIn(3)) PlanPowerCut(30);  // may hit the recovery
    if (OneIn(5)) PlanFault();
    if (!OpenAndCheck()) return Crash(true);
    if (!disk_->PowerIsCut()) PlanPowerCut(OneIn(4) ? 400 : 100);
    const uint64_t operations = Below(options_.operations_per_life) + 1;
    for (uint64_t i = 0; i < operations && MayGoOn(); ++i) {
      if (!fault_is_active_ && OneIn(20)) PlanFault();
      if (fault_is_active_ && OneIn(8)) EndFaults();
      RunOne();
      ++result_.operations;
    }
    Crash(false);
  }

  bool MayGoOn() const {
    return result_.failure.empty() && db_ != nullptr && !disk_->PowerIsCut() &&
           model_.uncertain_count() < kMaxUncertain;
  }

  Options DbOptions() {
    Options options;
    options.env = env_ != nullptr ? env_.get() : monitor_->env();
    // If it is never full, no checkpoint starts on its own.
    options.memtable_size = size_t{64} << (options_.background_work ? 10 : 20);
    options.cache_size = size_t{1} << 20;
    options.wal_segment_size = uint64_t{64} << 10;
    options.wal_io_mode = OneIn(2) ? IoMode::kBuffered : IoMode::kDirect;
    options.flush_policy = OneIn(4)                   ? FlushPolicy::OnEachWrite()
                           : options_.background_work ? FlushPolicy::Group(absl::Milliseconds(1))
                                                      : FlushPolicy::Manual();
    every_write_is_durable_ = options.flush_policy.kind() == FlushPolicy::Kind::kOnEachWrite;
    return options;
  }

  // Opens the store, and checks it against the model; false if it did not open.
  bool OpenAndCheck() {
    auto db = Db::Open(DbOptions(), kStorePath);
    Tell("open", db.status());
    if (!db.ok()) {
      if (!ErrorIsExcused()) Fail("Open failed on a disk that works: " + db.status().ToString());
      return false;
    }
    db_ = *std::move(db);
    writes_are_refused_ = false;
    EndFaults();
    const Observation found = Observe(*db_, model_.keys());
    if (!found.error.ok() && ErrorIsExcused()) return false;
    if (!found.error.ok()) Fail("reading: " + found.error.ToString());
    const std::string difference = model_.Reopened(found, loss_);
    if (!difference.empty()) Fail("after opening: " + difference);
    loss_ = Loss::kNothing;
    if (OneIn(3)) Verify();  // which makes a checkpoint, so not each time
    return result_.failure.empty();
  }

  void RunOne() {
    const uint64_t choice = Below(100);
    if (choice < 60) return WriteSomething();
    if (choice < 68) return FlushSomething("flush", [this] { return db_->Flush(); });
    if (choice < 78) return FlushSomething("checkpoint", [this] { return db_->Checkpoint(); });
    if (choice < 80) return FlushSomething("compact", [this] { return db_->Compact(); });
    if (choice < 83) return Reopen();
    if (choice < 86) return Verify();
    if (choice < 90) return TakeSnapshot();
    if (choice < 94) return CheckSnapshot();
    CheckState();
  }

  std::string KeyName(uint64_t i) const {
    const std::string digits = std::to_string(i);
    if (i % 8 == 7) return digits + std::string(Db::kMaxKeyBytes - digits.size(), 'k');
    return digits + std::string(i * 3, 'k');
  }

  std::string NewValue() {
    const std::string number = std::to_string(++last_value_);
    if (OneIn(12)) return number + std::string(9000 + Below(30'000), 'v');
    return number + std::string(Below(200), 'v');
  }

  CommitModel::Changes NewChanges() {
    CommitModel::Changes changes;
    const uint64_t count = OneIn(3) ? 2 + Below(6) : 1;
    for (uint64_t i = 0; i < count; ++i) {
      std::string key = KeyName(Below(kKeys));
      if (OneIn(4)) {
        changes.emplace_back(std::move(key), std::nullopt);
      } else {
        changes.emplace_back(std::move(key), NewValue());
      }
    }
    return changes;
  }

  absl::Status Apply(const CommitModel::Changes& changes, const WriteOptions& write_options) {
    if (changes.size() == 1) {
      const auto& [key, value] = changes[0];
      return value.has_value() ? db_->Put(key, *value, write_options)
                               : db_->Delete(key, write_options);
    }
    WriteBatch batch;
    for (const auto& [key, value] : changes) {
      if (value.has_value()) {
        batch.Put(key, *value);
      } else {
        batch.Delete(key);
      }
    }
    return db_->Write(batch, write_options);
  }

  void WriteSomething() {
    CommitModel::Changes changes = NewChanges();
    const bool sync = OneIn(3);
    const absl::Status status = Apply(changes, {.sync = sync});
    Tell((sync ? "synced write of " : "write of ") + std::to_string(changes.size()) +
             " keys, the last value being " + std::to_string(last_value_),
         status);
    if (status.ok()) {
      const bool durable = sync || every_write_is_durable_;
      model_.Record(std::move(changes), durable ? Outcome::kDurable : Outcome::kAcknowledged);
      return;
    }
    if (!ErrorIsExcused()) Fail("a write failed on a disk that works: " + status.ToString());
    // Once it has said that it refuses writes, none of them may be found later.
    if (writes_are_refused_) return;
    writes_are_refused_ = absl::IsFailedPrecondition(status);
    model_.Record(std::move(changes), Outcome::kUncertain);
  }

  void FlushSomething(std::string_view name, const std::function<absl::Status()>& flush) {
    const absl::Status status = flush();
    Tell(name, status);
    if (status.ok()) {
      model_.MarkDurable();
    } else if (!ErrorIsExcused()) {
      Fail(std::string(name) + " failed on a disk that works: " + status.ToString());
    }
  }

  // Closes and opens on the same disk; nothing may be lost if the disk never failed.
  void Reopen() {
    Close();
    if (!result_.failure.empty() || disk_->PowerIsCut() || names_forgotten_) return;
    EndFaults();
    fault_in_this_life_ = false;
    OpenAndCheck();
  }

  void Close() {
    DropSnapshot();
    const absl::Status status = db_->Close();
    Tell("close", status);
    db_.reset();
    if (status.ok()) {
      model_.MarkDurable();
      loss_ = Loss::kNothing;
    } else {
      if (!ErrorIsExcused()) Fail("Close failed on a disk that works: " + status.ToString());
      loss_ = Loss::kWhatIsNotDurable;
    }
  }

  // ---- Checks.

  void Verify() {
    const absl::Status status = db_->Verify();
    if (status.ok()) {
      model_.MarkDurable();
    } else {
      Tell("verify", status);
      if (!ErrorIsExcused()) Fail("Verify: " + status.ToString());
    }
  }

  void CheckOrder() {
    if (monitor_ == nullptr || monitor_->failure().empty()) return;
    Fail("the disk was used out of order: " + monitor_->failure());
  }

  void CheckState() {
    const Observation found = Observe(*db_, model_.keys());
    if (!found.error.ok() && !fault_is_active_ && !disk_->PowerIsCut()) {
      Fail("reading on a disk that works: " + found.error.ToString());
    }
    const std::string difference = Difference(found, model_.visible());
    if (!difference.empty()) Fail("while running: " + difference);
  }

  void TakeSnapshot() {
    DropSnapshot();
    // In this order: a checkpoint may become durable in between. A snapshot keeps what any later
    // generation reaches, but not what only an earlier one does.
    snapshot_.emplace(db_->GetSnapshot());
    if (monitor_ != nullptr) snapshot_pages_ = monitor_->PinDurable();
    snapshot_contents_ = model_.visible();
  }

  void DropSnapshot() {
    snapshot_pages_.reset();
    snapshot_.reset();
  }

  void CheckSnapshot() {
    if (!snapshot_.has_value()) return;
    const std::unique_ptr<Iterator> iterator = db_->NewIterator({.snapshot = &*snapshot_});
    Contents found;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      found.emplace(iterator->key(), iterator->value());
    }
    if (!iterator->status().ok()) {
      if (!ErrorIsExcused()) Fail("reading a snapshot: " + iterator->status().ToString());
    } else if (found != snapshot_contents_) {
      Fail("a snapshot changed");
    }
  }

  // ---- Crashes.

  void Crash(bool in_recovery) {
    const bool power_cut = disk_->PowerIsCut() || OneIn(3) || names_forgotten_;
    Tell(power_cut ? "power cut" : "kill");
    if (power_cut) {
      disk_->CutPowerAt(0);
      ++result_.power_cuts;
      if (in_recovery) ++result_.cut_recoveries;
      if (in_recovery && recovery_was_cut_) ++result_.recoveries_cut_again;
    } else {
      ++result_.kills;
    }
    recovery_was_cut_ = power_cut && in_recovery;
    // A kill takes nothing, but with a disk that failed the kernel may hold less than was written.
    if (power_cut || fault_in_this_life_) loss_ = Loss::kWhatIsNotDurable;
    disk_->ClearRules();
    fault_is_active_ = false;
    BuryDb();
    if (power_cut) {
      RandomChooser chooser(random_());
      NewDisk(disk_->CrashImage(&chooser));
    }
  }

  // Destroys the database without letting it reach the disk.
  void BuryDb() {
    is_dead_ = true;
    disk_->AddRule(FaultRule{});
    DropSnapshot();
    db_.reset();
    disk_->ClearRules();
    is_dead_ = false;
    CheckOrder();
  }

  // On a disk that works, the store must open.
  void LastLook() {
    Tell("last look");
    fault_in_this_life_ = false;
    if (!OpenAndCheck()) return;
    Close();
    CheckOrder();
  }

  const SimulationOptions& options_;
  const uint64_t seed_;
  std::mt19937_64 random_;
  std::unique_ptr<FaultEnv> disk_;
  std::unique_ptr<OrderMonitor> monitor_;  // in front of disk_; null: env_ is
  std::unique_ptr<Env> env_;
  std::unique_ptr<Db> db_;
  std::optional<Snapshot> snapshot_;
  OrderMonitor::Pages snapshot_pages_;
  Contents snapshot_contents_;
  CommitModel model_;
  Loss loss_ = Loss::kNothing;  // what the next Open may find missing
  bool every_write_is_durable_ = false;
  bool writes_are_refused_ = false;  // one of this open was, for an earlier failure
  std::atomic<bool> is_dead_ = false;
  std::atomic<bool> fault_forgets_ = false;
  // The next open would take names for durable that are not: the power is cut in front of it.
  std::atomic<bool> names_forgotten_ = false;
  bool fault_is_active_ = false;
  bool fault_in_this_life_ = false;
  bool recovery_was_cut_ = false;  // by the last crash
  uint64_t last_value_ = 0;
  SimulationResult result_;

  struct Trace {
    uint64_t disk_operations = 0;
    uint64_t faults = 0;
  };
  Mutex mutex_;
  Trace trace_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

SimulationResult Simulate(uint64_t seed, const SimulationOptions& options) {
  const ThreadScheduler scheduler(seed);
  SimulationResult result = Simulator(seed, options).Run();
  result.threads = scheduler.counts();
  return result;
}

}  // namespace emdb
