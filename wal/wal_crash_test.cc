// Power is cut at every operation of a log's life, and of the recoveries from that: whatever the
// disk kept of what was not synced, the log opens, holds every record that was durable, a prefix of
// those that were appended, and nothing else.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/crash_chooser.h"
#include "storage/fault_env.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";
constexpr uint64_t kSeed = 20240607;
constexpr int kRandomImages = 5;

// What a user of the log knows when the power goes.
struct Promise {
  uint64_t durable = 0;    // records below it must be there
  uint64_t attempted = 0;  // no record at or above it can be there
  uint64_t dropped = 0;    // records below it may be missing
};

// Runs `steps` one after another on `wal` until one fails.
using Step = std::function<absl::Status(Wal* wal, Promise* promise)>;

Step Append(uint64_t count) {
  return [count](Wal* wal, Promise* promise) {
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t n = promise->attempted++;
      const absl::StatusOr<uint64_t> seq = wal->Append(TestRecord(n));
      if (!seq.ok()) return seq.status();
      EXPECT_EQ(*seq, n);
    }
    return absl::OkStatus();
  };
}

Step Flush() {
  return [](Wal* wal, Promise* promise) {
    absl::Status status = wal->Flush();
    if (status.ok()) promise->durable = promise->attempted;
    return status;
  };
}

Step Rotate() {
  return [](Wal* wal, Promise*) { return wal->Rotate().status(); };
}

Step TruncateBefore(uint64_t seq) {
  return [seq](Wal* wal, Promise* promise) {
    promise->dropped = seq;
    return wal->TruncateBefore(seq);
  };
}

// A life with rotations, truncations, a segment that fills up, a clean and an unclean end.
std::vector<std::vector<Step>> Sessions() {
  return {
      {Append(5), Flush(), Append(7), Flush(), Append(3), Rotate(), Append(20), Flush(),
       TruncateBefore(10), TruncateBefore(15), Append(1)},
      {Append(300), Flush(), Rotate(), Append(40), TruncateBefore(300), Append(300), Flush(),
       Append(2)},
      {Append(1), Flush()},
      // Files that are dropped and used again.
      {Append(5), Flush(),
       Rotate(),  Append(2),
       Flush(),   TruncateBefore(684),
       Rotate(),  Append(2),
       Flush(),   TruncateBefore(686),
       Rotate(),  Append(2),
       Flush(),   TruncateBefore(688),
       Rotate(),  Append(2),
       Flush(),   TruncateBefore(690),
       Rotate(),  Append(2),
       Flush()},
  };
}

// A short one, with a rotation and a truncation.
std::vector<std::vector<Step>> ShortSessions() {
  return {
      {Append(5), Flush(), Rotate(), Append(3), Flush(), TruncateBefore(5), Append(1)},
      {Append(2), Flush(), Rotate(), Append(2), Rotate(), Append(1), Flush(), TruncateBefore(9)},
  };
}

// Lives on `env` until the power goes, an operation fails or all is done.
Promise Live(FaultEnv* env, IoMode mode,
             const std::vector<std::vector<Step>>& sessions = Sessions()) {
  Promise promise;
  for (const std::vector<Step>& steps : sessions) {
    WalOptions options = SmallLog(env);
    options.io_mode = mode;
    absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(kPath, options);
    if (!wal.ok()) return promise;
    EXPECT_EQ((*wal)->next_seq(), promise.attempted);
    for (const Step& step : steps) {
      if (!step(wal->get(), &promise).ok()) return promise;
    }
    if (!(*wal)->Close().ok()) return promise;
    promise.durable = promise.attempted;
  }
  return promise;
}

// Checks that the log in `image` opens and keeps `promise`. Returns what it holds.
void ExpectKept(const DiskImage& image, const Promise& promise, IoMode mode) {
  FaultEnv env(image);
  WalOptions options = SmallLog(&env);
  options.io_mode = mode;
  uint64_t first = 0;
  uint64_t next = 0;
  {
    const auto wal = OpenLog(kPath, options);
    ASSERT_NE(wal, nullptr);
    first = wal->first_seq();
    next = wal->next_seq();
    ASSERT_LE(first, promise.dropped);
    ASSERT_GE(next, promise.durable);
    ASSERT_LE(next, promise.attempted);
    ASSERT_EQ(wal->durable_seq(), next);
    ExpectRecords(wal.get(), first, next);
    // Goes on, without a clean end.
    AppendRecords(wal.get(), next, next + 3);
    ASSERT_OK(wal->Flush());
  }
  const auto again = OpenLog(kPath, options);
  ASSERT_NE(again, nullptr);
  ExpectRecords(again.get(), first, next + 3);
}

// Images of `env` after its crash.
std::vector<DiskImage> Images(const FaultEnv& env, uint64_t seed) {
  std::vector<DiskImage> images = {env.SyncedImage(), env.FullImage()};
  for (int i = 0; i < kRandomImages; ++i) {
    RandomChooser chooser(seed * 1000 + static_cast<uint64_t>(i));
    images.push_back(env.CrashImage(&chooser));
  }
  return images;
}

// Cuts the power at each operation of the recovery of `image`.
void CrashRecovery(const DiskImage& image, const Promise& promise, IoMode mode) {
  for (uint64_t k = 0;; ++k) {
    FaultEnv env(image);
    env.CutPowerAt(k);
    WalOptions options = SmallLog(&env);
    options.io_mode = mode;
    const bool opened = Wal::Open(kPath, options).ok();
    if (!env.PowerIsCut()) {
      ASSERT_TRUE(opened);
      return;
    }
    RandomChooser chooser(kSeed + k);
    for (const DiskImage& after : {env.SyncedImage(), env.CrashImage(&chooser), env.FullImage()}) {
      ASSERT_NO_FATAL_FAILURE(ExpectKept(after, promise, mode)) << "recovery cut at " << k;
    }
  }
}

// Decides about the first changes, those of names, by the bits of a number, and keeps all or
// nothing of the rest.
class NamesChooser final : public CrashChooser {
 public:
  NamesChooser(uint64_t kept, uint64_t changes, bool keeps_rest)
      : kept_(kept), changes_left_(changes), keeps_rest_(keeps_rest) {}

  uint32_t Choose(uint32_t n) override {
    if (changes_left_ == 0) return keeps_rest_ ? n - 1 : 0;
    --changes_left_;
    const uint32_t kept = kept_ & 1;
    kept_ >>= 1;
    return kept;
  }

 private:
  uint64_t kept_;
  uint64_t changes_left_;
  const bool keeps_rest_;
};

bool ChangesNames(FileOp op) {
  return op == FileOp::kCreate || op == FileOp::kRename || op == FileOp::kRemove;
}

// How many changes of names are not durable on `env`, all of whose files are in one directory.
uint64_t UnsyncedNames(const FaultEnv& env) {
  uint64_t changes = 0;
  bool has_buffer = false;
  for (const FaultEnv::TraceEntry& entry : env.Trace()) {
    if (!entry.ok) continue;
    const bool creates_buffer = entry.op == FileOp::kMapRing && !has_buffer;
    if (creates_buffer) has_buffer = true;
    if (entry.op == FileOp::kSyncDirectory) changes = 0;
    if (ChangesNames(entry.op) || creates_buffer) ++changes;
  }
  return changes;
}

// Opens the log on `env`. What a power cut may leave behind each change of names on the way.
std::vector<DiskImage> ImagesOfRecovery(FaultEnv* env, IoMode mode) {
  std::vector<DiskImage> images;
  env->SetObserver([env, &images](const FaultEnv::TraceEntry& entry) {
    if (!ChangesNames(entry.op)) return;
    const uint64_t changes = UnsyncedNames(*env);
    ASSERT_LE(changes, 10u);
    for (uint64_t kept = 0; kept < uint64_t{1} << changes; ++kept) {
      for (const bool keeps_rest : {false, true}) {
        NamesChooser chooser(kept, changes, keeps_rest);
        images.push_back(env->CrashImage(&chooser));
      }
    }
  });
  WalOptions options = SmallLog(env);
  options.io_mode = mode;
  const absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(kPath, options);
  EXPECT_OK(wal.status());
  env->SetObserver(nullptr);
  return images;
}

class WalCrashTest : public testing::TestWithParam<IoMode> {};

TEST_P(WalCrashTest, EveryOperationOfALife) {
  std::cout << "seed " << kSeed << std::endl;
  uint64_t cuts = 0;
  for (uint64_t k = 0;; ++k) {
    FaultEnv env(kSeed);
    env.CutPowerAt(k);
    const Promise promise = Live(&env, GetParam());
    if (!env.PowerIsCut()) break;
    ++cuts;
    for (const DiskImage& image : Images(env, kSeed + k)) {
      ASSERT_NO_FATAL_FAILURE(ExpectKept(image, promise, GetParam())) << "power cut at " << k;
    }
  }
  EXPECT_GT(cuts, 50u);
}

TEST_P(WalCrashTest, EveryOperationOfARecovery) {
  // Every thirteenth: their recoveries are alike.
  uint64_t cuts = 0;
  for (uint64_t k = 3;; k += 13) {
    FaultEnv env(kSeed);
    env.CutPowerAt(k);
    const Promise promise = Live(&env, GetParam());
    if (!env.PowerIsCut()) break;
    ++cuts;
    RandomChooser chooser(kSeed + k);
    for (const DiskImage& image : {env.FullImage(), env.CrashImage(&chooser)}) {
      ASSERT_NO_FATAL_FAILURE(CrashRecovery(image, promise, GetParam())) << "power cut at " << k;
    }
  }
  EXPECT_GT(cuts, 4u);
}

// What a killed process had not synced is not durable when the next one finds it.
TEST_P(WalCrashTest, EveryOperationOfARecoveryFromAKill) {
  uint64_t kills = 0;
  for (uint64_t k = 0;; ++k) {
    FaultEnv env(kSeed);
    FaultRule rule;
    rule.matches = [](FileOp op, std::string_view) { return IsNumbered(op); };
    rule.skip = k;
    env.AddRule(rule);
    const Promise promise = Live(&env, GetParam(), ShortSessions());
    if (env.OperationCount() <= k) break;
    ++kills;
    env.ClearRules();
    for (const DiskImage& image : ImagesOfRecovery(&env, GetParam())) {
      ASSERT_NO_FATAL_FAILURE(ExpectKept(image, promise, GetParam())) << "killed at " << k;
    }
  }
  EXPECT_GT(kills, 40u);
}

TEST_P(WalCrashTest, TruncationToASeqIsAllOrNothing) {
  for (uint64_t k = 0;; ++k) {
    FaultEnv env(kSeed);
    WalOptions options = SmallLog(&env);
    options.io_mode = GetParam();
    bool truncated = false;
    {
      const auto wal = OpenLog(kPath, options);
      AppendRecords(wal.get(), 0, 5);
      ASSERT_OK(wal->Rotate().status());
      AppendRecords(wal.get(), 5, 10);
      ASSERT_OK(wal->Flush());
      env.CutPowerAt(env.OperationCount() + k);
      truncated = wal->Truncate(1000).ok();
      // Before the log is closed.
      if (!env.PowerIsCut()) {
        EXPECT_GT(k, 3u);
        return;
      }
    }
    for (const DiskImage& image : Images(env, kSeed + k)) {
      FaultEnv after(image);
      options.env = &after;
      const auto wal = OpenLog(kPath, options);
      ASSERT_NE(wal, nullptr);
      const bool is_new = wal->next_seq() == 1000;
      ASSERT_TRUE(is_new || !truncated) << k;
      ExpectRecords(wal.get(), is_new ? 1000 : 0, is_new ? 1000 : 10);
    }
  }
}

// A log that is emptied goes on in a small file in place of a large one.
TEST_P(WalCrashTest, LogThatIsMadeSmallKeepsItsPlace) {
  constexpr uint64_t kRecords = 7000;  // more than the first segment holds
  uint64_t made_small = 0;
  for (uint64_t k = 0;; ++k) {
    FaultEnv env(kSeed);
    WalOptions options = SmallLog(&env);
    options.segment_size_bytes = 4 << 20;
    options.io_mode = GetParam();
    bool durable = false;
    {
      const auto wal = OpenLog(kPath, options);
      AppendRecords(wal.get(), 0, kRecords);
      ASSERT_OK(wal->Flush());
      ASSERT_EQ(*wal->Rotate(), kRecords);
      env.CutPowerAt(env.OperationCount() + k);
      const bool truncated = wal->TruncateBefore(kRecords).ok();
      if (truncated) ++made_small;
      durable = truncated && wal->Append(TestRecord(kRecords)).ok() && wal->Flush().ok();
      if (!env.PowerIsCut()) break;
    }
    for (const DiskImage& image : Images(env, kSeed + k)) {
      FaultEnv after(image);
      options.env = &after;
      const auto wal = OpenLog(kPath, options);
      ASSERT_NE(wal, nullptr) << k;
      const uint64_t first = wal->first_seq();
      ASSERT_TRUE(first == 0 || first == kRecords) << k << ", " << first;
      ASSERT_GE(wal->next_seq(), kRecords + (durable ? 1 : 0)) << k;
      ASSERT_LE(wal->next_seq(), kRecords + 1) << k;
      ExpectRecords(wal.get(), first, wal->next_seq());
    }
  }
  EXPECT_GT(made_small, 0u);
}

INSTANTIATE_TEST_SUITE_P(Modes, WalCrashTest, testing::Values(IoMode::kBuffered, IoMode::kDirect),
                         [](const auto& info) {
                           return info.param == IoMode::kDirect ? "Direct" : "Buffered";
                         });

}  // namespace
}  // namespace emdb
