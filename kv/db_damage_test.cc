// Damages the files of small stores in every way, one at a time, and opens them: what is read is
// right, or DataLoss is reported, which names the file, the offset and what to do. Nothing wrong is
// served, no older state, and no process crashes, hangs, or takes 256 MiB. Where reading meets
// damage, Verify reports some, too.
//
// The exception is what nobody can tell apart from a power cut, in a log that was not closed: see
// OldestAllowed. It is allowed for these bytes, and for no others; never for a file that is missing
// or a segment that is too short.
//
// An open that is refused has changed no byte. (Not tried here: an open that finds more log than
// two memtables hold merges the oldest into the tree, when the log goes on already, and may meet a
// damaged page there. The stores of this test hold less than one.)
//
// EMDB_BITS is about how many bits of each store are flipped (0: all of them), evenly spread; of a
// 4 KiB block of zeros only one bit is ever flipped, its first, and it counts as one: most of a
// log's files is such blocks. EMDB_DAMAGES is how many other damages are done to each store.
// EMDB_SEED says which bits and which damages.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <initializer_list>
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

// Of a witness frame, its size, and its byte that says so; see wal/FORMAT.md.
constexpr uint64_t kWitnessBytes = 24;
constexpr uint64_t kKindOffset = 8;
constexpr char kWitnessKind = 32;

bool IsLog(const std::string& path) { return path.find(".wal") != std::string::npos; }
bool IsBuffer(const std::string& path) { return path.ends_with(".wal.buffer"); }

// The records in the active segment that shared a sync.
struct Group {
  size_t state_before;  // without the group
  // From the witness that ends the group before, behind which the log goes on, to its own.
  Damage::Range records;
  Damage::Range witness;  // that the group before is durable
};

// A store to damage, and what is known of it.
struct Subject {
  DiskImage image;
  DiskImage older;               // of earlier, for stale sectors
  std::vector<Contents> states;  // after each commit, the first being empty
  std::vector<Group> groups;     // that damage may take away; what is in the tree is in none
  size_t durable_state = 0;      // the newest one that was synced; the rest is in the buffer alone
  bool in_buffer = false;        // the append buffer holds the groups, too
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
        subject_.groups.clear();
        subject_.durable_state = subject_.states.size() - 1;
        break;
      case End::kKilled:
        subject_.image = env_.FullImage();
        subject_.in_buffer = true;
        break;
      case End::kPowerCut:
        subject_.image = env_.SyncedImage();
        break;
    }
    env_.CutPowerAt(0);
    db_.reset();
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
    if (sync) NoteGroup();
  }

  // What was written to the log since the last group is the group, in one piece.
  void NoteGroup() {
    const std::vector<FaultEnv::TraceEntry> trace = env_.Trace();
    std::vector<FaultEnv::TraceEntry> writes;
    for (; traced_ < trace.size(); ++traced_) {
      const FaultEnv::TraceEntry& entry = trace[traced_];
      if (entry.op == FileOp::kWrite && IsLog(entry.path)) writes.push_back(entry);
    }
    ASSERT_EQ(writes.size(), 1u);
    // To the active segment, that is, whatever its file was called when it was opened.
    const std::string path = Wal::PathFor(kStorePath);
    const uint64_t begin = writes[0].offset;
    const uint64_t end = begin + writes[0].size;
    const DiskImage image = env_.FullImage();
    EXPECT_EQ(image.files.at(path).Read(end - kWitnessBytes + kKindOffset, 1)[0], kWitnessKind);
    subject_.groups.push_back({.state_before = subject_.durable_state,
                               .records = {path, begin - kWitnessBytes, end - begin},
                               .witness = {path, end - kWitnessBytes, kWitnessBytes}});
    subject_.durable_state = subject_.states.size() - 1;
  }

  // What is in the tree does not depend on the log.
  void Checkpoint() {
    EXPECT_EQ(db_->Checkpoint(), absl::OkStatus());
    traced_ = env_.Trace().size();
    subject_.durable_state = subject_.states.size() - 1;
  }

  FaultEnv env_;
  std::unique_ptr<Db> db_;
  Subject subject_;
  size_t traced_ = 0;  // so much of the trace is accounted for
  unsigned next_letter_ = 0;
};

// No power cut takes a file away or makes a segment shorter.
bool IsNoPowerCut(const Subject& subject, const Damage& damage) {
  const auto is_cut = [&](const auto& file) {
    const auto& [path, bytes] = file;
    const auto now = damage.image.files.find(path);
    if (now == damage.image.files.end()) return true;
    return now->second.size() < bytes.size() && !IsBuffer(path);
  };
  return std::any_of(subject.image.files.begin(), subject.image.files.end(), is_cut);
}

// The oldest state that the damage excuses. What was never synced is lost with any part of the
// buffer. The last groups are if the damage hits the first of them and the witnesses at the ends of
// all others; and the buffer, too, if that would make up for it.
size_t OldestAllowed(const Subject& subject, const Damage& damage) {
  const size_t newest = subject.states.size() - 1;
  if (IsNoPowerCut(subject, damage)) return newest;
  const bool buffer_is_hit = std::any_of(damage.touched.begin(), damage.touched.end(),
                                         [](const auto& range) { return IsBuffer(range.path); });
  if (subject.in_buffer && !buffer_is_hit) return newest;
  size_t oldest = subject.durable_state;
  for (auto group = subject.groups.rbegin(); group != subject.groups.rend(); ++group) {
    if (Touches(damage, group->records)) oldest = group->state_before;
    if (!Touches(damage, group->witness)) break;
  }
  return oldest;
}

bool HasOneOf(const std::string& text, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&text](const char* part) { return text.find(part) != std::string::npos; });
}

std::string CheckError(const absl::Status& error, const char* when) {
  if (error.ok()) return "";
  const std::string text = error.ToString();
  if (text.find(kStorePath) == std::string::npos) {
    return std::string("the error when ") + when + " names no file: " + text;
  }
  // The others are about whole files.
  if (!HasOneOf(text, {" at offset ", " holds no store, but its log ", " is missing; ",
                       "segments are missing or cut"})) {
    return std::string("the error when ") + when + " names no offset: " + text;
  }
  if (!HasOneOf(text, {"restore ", "bring the file back", "remove the file that is a copy"})) {
    return std::string("the error when ") + when + " does not say what to do: " + text;
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

std::string CheckContents(const Subject& subject, const Damage& damage, const Observation& found) {
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
  const Observation found = Observe(**db, subject.keys);
  if (std::string wrong = CheckContents(subject, damage, found); !wrong.empty()) return wrong;
  const absl::Status verified = (*db)->Verify();
  if (verified.ok() && !found.error.ok()) {
    return "Verify finds nothing, but reading does: " + found.error.ToString();
  }
  return CheckError(verified, "verifying");
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
