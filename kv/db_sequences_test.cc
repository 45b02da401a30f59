// Every sequence of a few operations on a database: writes of several kinds, checkpoints, bulk
// loads, compactions, reopens after a close and after a kill, and iterators that stay. After each
// of them the process is killed, and the power cut, and the database must be in a state that the
// answers allow.
//
// The longest sequences have EMDB_LENGTH operations.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/forked_run.h"
#include "kv/order_monitor.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/sequence.emdb";
// p, s: a put, without and with sync. L: one that is larger than a page. d: a deletion. c: a
// checkpoint. B: a bulk load. M: a compaction. C, K: a reopen after a close, after a kill. i: an
// iterator that is kept.
constexpr std::string_view kOperations = "psLdcBMCKi";

using State = std::map<std::string, std::string>;

Options SmallOptions(Env* env) {
  Options options;
  options.env = env;
  options.memtable_size = 64 << 10;
  options.cache_size = 1 << 20;
  options.wal_segment_size = 64 << 10;
  options.flush_policy = FlushPolicy::Manual();
  return options;
}

State Scan(Iterator* it) {
  State found;
  for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace(it->key(), it->value());
  return found;
}

class Life {
 public:
  explicit Life(FaultEnv* env) : env_(env), monitor_(env, kPath) {}

  absl::Status Run(std::string_view operations) {
    EMDB_RETURN_IF_ERROR(Open());
    for (const char operation : operations) EMDB_RETURN_IF_ERROR(Step(operation));
    for (const auto& [it, state] : iterators_) {
      if (Scan(it.get()) != state) return absl::InternalError("an iterator shows another state");
    }
    return absl::OkStatus();
  }

  // From here on the process does nothing to the disk.
  void Kill() {
    iterators_.clear();
    env_->AddRule({.matches = [](FileOp op, std::string_view) { return IsNumbered(op); }});
    db_.reset();
    env_->ClearRules();
  }

  const OrderMonitor& monitor() const { return monitor_; }
  const State& newest() const { return states_.back(); }
  // What a power cut may leave.
  bool MayBe(const State& state) const {
    for (size_t i = durable_; i < states_.size(); ++i) {
      if (states_[i] == state) return true;
    }
    return false;
  }

 private:
  absl::Status Open() {
    EMDB_ASSIGN_OR_RETURN(db_, Db::Open(SmallOptions(monitor_.env()), kPath));
    return absl::OkStatus();
  }

  absl::Status Step(char operation) {
    switch (operation) {
      case 'p':
        return Put(100, false);
      case 's':
        return Put(100, true);
      case 'L':
        return Put(9000, false);
      case 'd':
        return Delete();
      case 'c':
        return Durable(db_->Checkpoint());
      case 'B':
        return BulkLoad();
      case 'M':
        return Durable(db_->Compact());
      case 'C':
        iterators_.clear();
        EMDB_RETURN_IF_ERROR(Durable(db_->Close()));
        return Open();
      case 'K':
        Kill();
        EMDB_RETURN_IF_ERROR(Open());
        return CheckIsNewest();
      default:
        iterators_.emplace_back(db_->NewIterator(), newest());
        return absl::OkStatus();
    }
  }

  absl::Status CheckIsNewest() {
    const std::unique_ptr<Iterator> it = db_->NewIterator();
    return Scan(it.get()) == newest() ? absl::OkStatus()
                                      : absl::InternalError("a kill has changed something");
  }

  absl::Status Durable(absl::Status status) {
    if (status.ok()) durable_ = states_.size() - 1;
    return status;
  }

  // In order, so that later ones come behind earlier ones, and now and then on one that is there.
  std::string NextKey() { return "key" + std::to_string(++keys_ % 4); }
  std::string NextValue(size_t size) { return std::string(size, static_cast<char>('a' + keys_)); }

  absl::Status Put(size_t size, bool sync) {
    State next = newest();
    const std::string key = NextKey();
    next[key] = NextValue(size);
    states_.push_back(next);
    const absl::Status status = db_->Put(key, next[key], {.sync = sync});
    return sync ? Durable(status) : status;
  }

  absl::Status Delete() {
    State next = newest();
    const std::string key = next.empty() ? "none" : next.begin()->first;
    next.erase(key);
    states_.push_back(std::move(next));
    return db_->Delete(key);
  }

  absl::Status BulkLoad() {
    State records;
    for (int i = 0; i < 3; ++i) {
      const std::string key = NextKey();
      records[key] = NextValue(300);
    }
    State next = newest();
    for (const auto& [key, value] : records) next[key] = value;
    states_.push_back(std::move(next));
    auto at = records.begin();
    return Durable(
        db_->BulkLoad([&](std::string_view* key, std::string_view* value) -> absl::StatusOr<bool> {
          if (at == records.end()) return false;
          *key = at->first;
          *value = at->second;
          ++at;
          return true;
        }));
  }

  FaultEnv* const env_;
  OrderMonitor monitor_;
  std::vector<State> states_ = {State()};
  size_t durable_ = 0;  // states_ before this one cannot come back
  int keys_ = 0;
  std::unique_ptr<Db> db_;
  std::vector<std::pair<std::unique_ptr<Iterator>, State>> iterators_;
};

std::string CheckAfter(const DiskImage& image, const Life& life, bool is_kill) {
  FaultEnv env(image);
  OrderMonitor monitor(&env, kPath);
  auto db = Db::Open(SmallOptions(monitor.env()), kPath);
  if (!db.ok()) return "opening: " + db.status().ToString();
  State found = Scan((*db)->NewIterator().get());
  if (is_kill ? found != life.newest() : !life.MayBe(found)) return "another state is found";
  if (const absl::Status s = (*db)->Verify(); !s.ok()) return "verifying: " + s.ToString();
  // It goes on, and the next power cut leaves what was found and what was added.
  if (const absl::Status s = (*db)->Put("more", "1", {.sync = true}); !s.ok()) return s.ToString();
  found["more"] = "1";
  FaultEnv after(env.SyncedImage());
  db->reset();
  if (!monitor.failure().empty()) return monitor.failure();
  const auto again = Db::Open(SmallOptions(&after), kPath);
  if (!again.ok()) return "opening again: " + again.status().ToString();
  return Scan((*again)->NewIterator().get()) == found ? "" : "another state is found later";
}

std::string CheckSequence(std::string_view operations, uint64_t seed) {
  FaultEnv env;
  Life life(&env);
  if (const absl::Status s = life.Run(operations); !s.ok()) return s.ToString();
  life.Kill();
  if (!life.monitor().failure().empty()) return life.monitor().failure();
  std::string wrong = CheckAfter(env.FullImage(), life, true);
  if (!wrong.empty()) return "killed: " + wrong;
  wrong = CheckAfter(env.SyncedImage(), life, false);
  if (!wrong.empty()) return "power cut, nothing that was not synced: " + wrong;
  RandomChooser chooser(seed);
  wrong = CheckAfter(env.CrashImage(&chooser), life, false);
  return wrong.empty() ? "" : "power cut, seed " + std::to_string(seed) + ": " + wrong;
}

TEST(DbSequencesTest, EverySequenceOfOperationsLeavesAStateThatItAllows) {
  const uint64_t longest = TestSetting("EMDB_LENGTH", kTestAmountDivisor == 1 ? 4 : 3);
  for (uint64_t length = 1, count = kOperations.size(); length <= longest;
       ++length, count *= kOperations.size()) {
    const ForkedRun run = RunForked(
        count,
        [length](uint64_t i) {
          std::string operations;
          for (uint64_t rest = i; operations.size() < length; rest /= kOperations.size()) {
            operations += kOperations[rest % kOperations.size()];
          }
          const std::string wrong = CheckSequence(operations, i);
          return wrong.empty() ? "" : operations.append(", ").append(wrong);
        },
        {.one_processor_each = true});
    for (const std::string& failure : run.failures) ADD_FAILURE() << failure;
  }
}

}  // namespace
}  // namespace emdb
