// Damages the files of small stores in every way, one at a time, and opens them: what is read is
// right, or an error that names the file is reported. Nothing wrong is served, no older state, and
// no process crashes, hangs, or takes 256 MiB.
//
// The exception is what nobody can tell apart from a power cut: in a log that was not closed, the
// last records that were written, if the damage hits them all and nothing behind them shows that
// they had been durable. It is allowed for these bytes, and for no others.
//
// An open that is refused for damage has changed no byte, and the error is DataLoss, but for what
// IsOfDamage lists. (Not tried here: an open that finds more log than two memtables hold merges the
// oldest into the tree, when the log goes on already, and may meet a damaged page there. The stores
// of this test hold less than one.)
//
// EMDB_BITS is about how many bits of each store are flipped (0: all of them), evenly spread; of a
// 4 KiB block of zeros only one bit is ever flipped, its first, and it counts as one: most of a
// log's files is such blocks. EMDB_DAMAGES is how many other damages are done to each store.
// EMDB_SEED says which bits and which damages.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/damage.h"
#include "kv/db.h"
#include "kv/forked_run.h"
#include "kv/observation.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kStorePath[] = "/disk/store.emdb";

Options DbOptions(Env* env) {
  Options options;
  options.env = env;
  options.memtable_size = size_t{1} << 20;
  options.cache_size = size_t{1} << 20;
  options.wal_segment_size = uint64_t{64} << 10;
  // The store itself says when it syncs, so the groups are known.
  options.flush_policy = FlushPolicy::Manual();
  return options;
}

// Of a witness frame; see wal/FORMAT.md.
constexpr uint64_t kWitnessBytes = 24;

bool IsLog(const std::string& path) { return path.find(".wal") != std::string::npos; }

// A store to damage, and what is known of it.
struct Subject {
  DiskImage image;
  DiskImage older;               // of earlier, for stale sectors
  std::vector<Contents> states;  // after each commit, the first being empty
  // For each commit, where the log holds it; several commits may share a place. A commit that has
  // none can't be lost.
  std::vector<std::vector<Damage::Range>> places;
  std::set<std::string> keys;
};

class SubjectBuilder {
 public:
  enum class End { kClosed, kKilled, kPowerCut };

  Subject Build(End end) {
    auto db = Db::Open(DbOptions(&env_), kStorePath);
    EXPECT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    subject_.states.emplace_back();
    subject_.places.emplace_back();
    FillTree();
    FillLog();
    if (end == End::kKilled) {
      for (int i = 0; i < 3; ++i) Put("unsynced" + std::to_string(i), 60, false);
    }
    Finish(end);
    return std::move(subject_);
  }

 private:
  // Leaves, an inner page, a value with pages of its own, freed pages; two generations.
  void FillTree() {
    for (int i = 0; i < 60; ++i) Put("tree" + std::to_string(i), 300, false);
    Put("tree-large", 20'000, false);
    Checkpoint();
    subject_.older = env_.FullImage();
    for (int i = 0; i < 60; i += 7) Put("tree" + std::to_string(i), 250, false);
    Delete("tree10");
    Checkpoint();
  }

  // Groups of one record; one of several pages; one that deletes.
  void FillLog() {
    for (int i = 0; i < 6; ++i) {
      Put("log" + std::to_string(i), 80, true);
      // So the older image holds a log too.
      if (i == 2) subject_.older.files.merge(env_.FullImage().files);
    }
    Put("log-large", 9'000, true);
    Delete("tree20");
    EXPECT_EQ(db_->Flush(), absl::OkStatus());
    NoteGroup();
    for (int i = 6; i < 9; ++i) Put("log" + std::to_string(i), 80, true);
  }

  void Finish(End end) {
    switch (end) {
      case End::kClosed:
        EXPECT_EQ(db_->Close(), absl::OkStatus());
        subject_.image = env_.FullImage();
        // Nothing of a closed store can be lost.
        subject_.places.assign(subject_.states.size(), {});
        break;
      case End::kKilled:
        subject_.image = env_.FullImage();
        AllowForUnsyncedTail();
        break;
      case End::kPowerCut:
        subject_.image = env_.SyncedImage();
        break;
    }
    env_.CutPowerAt(0);
    db_.reset();
  }

  // What was never synced lies in the append buffer, wherever that is, or in the log.
  void AllowForUnsyncedTail() {
    for (size_t commit = durable_; commit < subject_.states.size(); ++commit) {
      for (const auto& [path, bytes] : subject_.image.files) {
        if (IsLog(path)) subject_.places[commit].push_back({path, 0, bytes.size() + (1 << 20)});
      }
    }
  }

  void Put(const std::string& key, size_t size, bool sync) {
    const std::string value = key + std::string(size, static_cast<char>('a' + next_letter_++ % 26));
    Contents state = subject_.states.back();
    state[key] = value;
    WriteBatch batch;
    batch.Put(key, value);
    Commit(batch, std::move(state), sync);
  }

  void Delete(const std::string& key) {
    Contents state = subject_.states.back();
    state.erase(key);
    WriteBatch batch;
    batch.Delete(key);
    Commit(batch, std::move(state), false);
  }

  void Commit(const WriteBatch& batch, Contents state, bool sync) {
    EXPECT_EQ(db_->Write(batch, {.sync = sync}), absl::OkStatus());
    for (const auto& [key, value] : state) subject_.keys.insert(key);
    subject_.states.push_back(std::move(state));
    subject_.places.emplace_back();
    if (sync) NoteGroup();
  }

  // What was written to the log since the last group is the place of all commits since then.
  void NoteGroup() {
    const std::vector<FaultEnv::TraceEntry> trace = env_.Trace();
    std::vector<Damage::Range> place;
    for (; traced_ < trace.size(); ++traced_) {
      const FaultEnv::TraceEntry& entry = trace[traced_];
      if (entry.op != FileOp::kWrite || !IsLog(entry.path)) continue;
      // To the active segment, that is, whatever its file was called when it was opened. A group
      // begins where the witness that ends the group before is hit: what is behind it is cut too.
      place.push_back(
          {Wal::PathFor(kStorePath), entry.offset - kWitnessBytes, entry.size + kWitnessBytes});
    }
    for (; durable_ < subject_.states.size(); ++durable_) subject_.places[durable_] = place;
  }

  // What is in the tree does not depend on the log.
  void Checkpoint() {
    EXPECT_EQ(db_->Checkpoint(), absl::OkStatus());
    traced_ = env_.Trace().size();
    durable_ = subject_.states.size();
  }

  FaultEnv env_;
  std::unique_ptr<Db> db_;
  Subject subject_;
  size_t durable_ = 1;  // the commits of the states below it are durable
  size_t traced_ = 0;   // so much of the trace is accounted for
  unsigned next_letter_ = 0;
};

// The oldest state that the damage excuses: it has to hit every commit behind it.
size_t OldestAllowed(const Subject& subject, const Damage& damage) {
  size_t state = subject.states.size() - 1;
  const auto is_hit = [&](const Damage::Range& place) { return Touches(damage, place); };
  while (state > 0 &&
         std::any_of(subject.places[state].begin(), subject.places[state].end(), is_hit)) {
    --state;
  }
  return state;
}

std::string CheckError(const absl::Status& error, const char* when) {
  if (error.ok()) return "";
  const std::string text = error.ToString();
  if (text.find(kStorePath) == std::string::npos) {
    return std::string("the error when ") + when + " names no file: " + text;
  }
  if (absl::IsDataLoss(error)) return "";
  return std::string("the error when ") + when + " is not one of damage: " + text;
}

// An open that is refused leaves everything as it was.
std::string CheckUnchanged(const FaultEnv& env, const Damage& damage) {
  const std::map<std::string, SparseBytes> now = env.FullImage().files;
  for (const auto& [path, bytes] : damage.image.files) {
    const auto file = now.find(path);
    if (file == now.end()) return "a refused open removed " + path;
    if (!(file->second == bytes)) return "a refused open changed " + path;
  }
  for (const auto& [path, bytes] : now) {
    if (!damage.image.files.contains(path)) return "a refused open made " + path;
  }
  return "";
}

std::string CheckContents(const Subject& subject, const Damage& damage, const Db& db) {
  const Observation found = Observe(db, subject.keys);
  std::string error = CheckError(found.error, "reading");
  if (!error.empty()) return error;
  const size_t oldest = OldestAllowed(subject, damage);
  for (size_t i = subject.states.size(); i-- > 0;) {
    if (!Difference(found, subject.states[i]).empty()) continue;
    if (i >= oldest) return "";
    return "the state is that after commit " + std::to_string(i) + " of " +
           std::to_string(subject.states.size() - 1) + ", allowed are those from " +
           std::to_string(oldest) + " on";
  }
  return Difference(found, subject.states.back());
}

// Opens the store and reads everything; sets *refused if it does not open.
std::string CheckOpen(const Subject& subject, const Damage& damage, FaultEnv* env, bool* refused) {
  auto db = Db::Open(DbOptions(env), kStorePath);
  *refused = !db.ok();
  if (*refused) {
    const std::string wrong = CheckError(db.status(), "opening");
    return wrong.empty() ? CheckUnchanged(*env, damage) : wrong;
  }
  const std::string wrong = CheckContents(subject, damage, **db);
  return wrong.empty() ? CheckError((*db)->Verify(), "verifying") : wrong;
}

std::string CheckDamage(const Subject& subject, const Damage& damage) {
  FaultEnv env(damage.image);
  bool refused = false;
  std::string wrong = CheckOpen(subject, damage, &env, &refused);
  // Who tries again gets no other answer.
  if (wrong.empty() && refused) {
    wrong = CheckOpen(subject, damage, &env, &refused);
    if (wrong.empty() && !refused) wrong = "refused once, opened the next time";
  }
  return wrong.empty() ? "" : damage.what + ": " + wrong;
}

// Sanitizers have memory of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kMaxMemory = UINT64_MAX;
#else
constexpr uint64_t kMaxMemory = uint64_t{256} << 20;
#endif

class DbDamageTest : public testing::TestWithParam<SubjectBuilder::End> {
 protected:
  void Run(uint64_t count, const std::function<Damage(uint64_t)>& make_damage) {
    const ForkedRun run =
        RunForked(count, [&](uint64_t i) { return CheckDamage(subject_, make_damage(i)); },
                  {.one_processor_each = true});
    for (const std::string& failure : run.failures) ADD_FAILURE() << failure;
    EXPECT_LE(run.peak_memory_bytes, kMaxMemory);
    std::printf("%llu damages, at most %llu MiB\n", static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(run.peak_memory_bytes >> 20));
  }

  const Subject subject_ = SubjectBuilder().Build(GetParam());
};

TEST_P(DbDamageTest, UndamagedStoreIsRead) {
  const Damage none{.what = "nothing", .image = subject_.image, .touched = {}};
  EXPECT_EQ(CheckDamage(subject_, none), "");
}

TEST_P(DbDamageTest, FlippedBitIsReportedOrHarmless) {
  const SpreadBits bits(subject_.image, TestAmount("EMDB_BITS", 1'500),
                        TestSetting("EMDB_SEED", 1));
  Run(bits.count, [&](uint64_t i) { return FlipBit(subject_.image, bits.At(i)); });
}

TEST_P(DbDamageTest, DamagedSectorsAndFilesAreReportedOrHarmless) {
  const uint64_t seed = TestSetting("EMDB_SEED", 1);
  Run(TestAmount("EMDB_DAMAGES", 1'500), [&](uint64_t i) {
    return RandomDamage(subject_.image, subject_.older, seed * 1'000'000'000 + i);
  });
}

std::string SubjectName(const testing::TestParamInfo<SubjectBuilder::End>& info) {
  static constexpr const char* kNames[] = {"Closed", "Killed", "PowerCut"};
  return kNames[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Stores, DbDamageTest,
                         testing::Values(SubjectBuilder::End::kClosed, SubjectBuilder::End::kKilled,
                                         SubjectBuilder::End::kPowerCut),
                         SubjectName);

}  // namespace
}  // namespace emdb
