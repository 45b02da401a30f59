// Damages the files of small stores, and runs `emdb verify`: it reports damage wherever an open is
// refused for damage, or a read fails, and changes nothing. EMDB_BITS and EMDB_DAMAGES are how many
// bits are flipped in each store and how many other damages are done to it; EMDB_SEED says which.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kv/damage.h"
#include "kv/db.h"
#include "kv/observation.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"
#include "tools/cli/cli.h"
#include "tools/cli/exit_code.h"
#include "tools/cli/testing.h"

namespace emdb::cli {
namespace {

constexpr char kStore[] = "/disk/store.emdb";
constexpr int kRecords = 60;

Options SmallStore(Env* env) {
  Options options;
  options.env = env;
  options.memtable_size = size_t{1} << 20;
  options.cache_size = size_t{1} << 20;
  options.wal_segment_size = uint64_t{64} << 10;
  return options;
}

enum class End { kClosed, kKilled, kPowerCut };

struct Original {
  DiskImage image;
  DiskImage older;
};

std::string Key(int i) { return "key" + std::to_string(i); }

void PutEach(Db* db, int step, size_t size) {
  for (int i = 0; i < kRecords; i += step) {
    const std::string value(size, static_cast<char>('a' + i % 26));
    EXPECT_EQ(db->Put(Key(i), value, {.sync = true}), absl::OkStatus());
  }
}

// Two generations of the tree, a value with pages of its own, and a log.
Original MakeOriginal(End end) {
  FaultEnv env;
  Original original;
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallStore(&env), kStore);
  EXPECT_TRUE(db.ok()) << db.status();
  PutEach(db->get(), 1, 300);
  EXPECT_EQ((*db)->Put("large", std::string(20'000, 'l')), absl::OkStatus());
  EXPECT_EQ((*db)->Checkpoint(), absl::OkStatus());
  original.older = env.FullImage();
  PutEach(db->get(), 7, 250);
  EXPECT_EQ((*db)->Checkpoint(), absl::OkStatus());
  PutEach(db->get(), 5, 200);
  if (end == End::kClosed) {
    EXPECT_EQ((*db)->Close(), absl::OkStatus());
  }
  original.image = end == End::kPowerCut ? env.SyncedImage() : env.FullImage();
  env.CutPowerAt(0);
  return original;
}

// What an open or a read says of damage.
absl::Status FirstError(const DiskImage& image) {
  FaultEnv env(image);
  const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallStore(&env), kStore);
  if (!db.ok()) return db.status();
  std::set<std::string> keys = {"large"};
  for (int i = 0; i < kRecords; ++i) keys.insert(Key(i));
  absl::Status error = Observe(**db, keys).error;
  error.Update((*db)->Verify());
  return error;
}

class VerifyDamageTest : public testing::TestWithParam<End> {
 protected:
  // Whether verify reported damage.
  bool Check(const Damage& damage) const {
    FaultEnv env(damage.image);
    TestConsole console(&env);
    const ExitCode code = RunEmdb({"verify", kStore}, *console.console());
    EXPECT_TRUE(env.FullImage().files == damage.image.files) << damage.what << "changed";
    const absl::Status error = FirstError(damage.image);
    const bool is_reported = code == ExitCode::kCorruption;
    EXPECT_TRUE(is_reported || code == ExitCode::kOk)
        << damage.what << "exit code " << static_cast<int>(code) << ": " << console.err();
    EXPECT_TRUE(is_reported || error.ok())
        << damage.what << "verify does not report " << error << "; but: " << console.out();
    return is_reported;
  }

  const Original original_ = MakeOriginal(GetParam());
};

TEST_P(VerifyDamageTest, OfAnUndamagedStoreNothingIsReported) {
  EXPECT_FALSE(Check({.what = "nothing", .image = original_.image, .touched = {}}));
  EXPECT_FALSE(Check({.what = "older", .image = original_.older, .touched = {}}));
}

TEST_P(VerifyDamageTest, FlippedBitThatAnOpenOrAReadMeetsIsReported) {
  const SpreadBits bits(original_.image, TestAmount("EMDB_BITS", 400), TestSetting("EMDB_SEED", 1));
  uint64_t reported = 0;
  for (uint64_t i = 0; i < bits.count; ++i) {
    if (Check(FlipBit(original_.image, bits.At(i)))) ++reported;
  }
  EXPECT_GT(reported, bits.count / 10);
  EXPECT_LT(reported, bits.count);
}

TEST_P(VerifyDamageTest, OtherDamageThatAnOpenOrAReadMeetsIsReported) {
  const uint64_t seed = TestSetting("EMDB_SEED", 1);
  const uint64_t damages = TestAmount("EMDB_DAMAGES", 400);
  uint64_t reported = 0;
  for (uint64_t i = 0; i < damages; ++i) {
    const uint64_t damage_seed = seed * 1'000'000'000 + i;
    if (Check(RandomDamage(original_.image, original_.older, damage_seed))) ++reported;
  }
  EXPECT_GT(reported, damages / 10);
  EXPECT_LT(reported, damages);
}

std::string EndName(const testing::TestParamInfo<End>& info) {
  static constexpr const char* kNames[] = {"Closed", "Killed", "PowerCut"};
  return kNames[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Stores, VerifyDamageTest,
                         testing::Values(End::kClosed, End::kKilled, End::kPowerCut), EndName);

}  // namespace
}  // namespace emdb::cli
