#include "kv/salvage.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kv/damage.h"
#include "kv/db.h"
#include "kv/observation.h"
#include "kv/test_setting.h"
#include "pagestore/page_store.h"
#include "storage/fault_env.h"
#include "wal/wal.h"

namespace emdb {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kSource[] = "/disk/source.emdb";
constexpr char kCopy[] = "/disk/copy.emdb";
constexpr uint64_t kPageBytes = 8192;

Options SmallStore(Env* env) {
  Options options;
  options.env = env;
  options.memtable_size = size_t{1} << 20;
  options.cache_size = size_t{1} << 20;
  options.wal_segment_size = uint64_t{64} << 10;
  options.flush_policy = FlushPolicy::Manual();
  return options;
}

std::string NumberedKey(std::string_view name, int i) {
  const std::string digits = std::to_string(i);
  return std::string(name) + std::string(4 - digits.size(), '0') + digits;
}

// A store, what it holds, and all that it ever held.
struct Original {
  DiskImage image;
  DiskImage older;  // of the checkpoint before
  Contents contents;
  std::map<std::string, std::set<std::string>> history;
  // The keys that were written after the first checkpoint, and those of them that are in the
  // active segment of a log that was not closed.
  std::set<std::string> written_later;
  std::set<std::string> in_open_segment;
};

enum class End { kClosed, kKilled, kPowerCut };

class OriginalBuilder {
 public:
  Original Build(End end) {
    auto db = Db::Open(SmallStore(&env_), kSource);
    EXPECT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    FillTree();
    FillLog();
    if (end == End::kClosed) {
      EXPECT_EQ(db_->Close(), absl::OkStatus());
    }
    original_.image = end == End::kPowerCut ? env_.SyncedImage() : env_.FullImage();
    env_.CutPowerAt(0);
    db_.reset();
    if (end != End::kClosed) NoteOpenSegment();
    return std::move(original_);
  }

 private:
  // An inner page, some thirty leaves, a value with pages of its own; freed pages with what they
  // held before.
  void FillTree() {
    for (int i = 0; i < 600; ++i) Put(NumberedKey("tree", i), 300);
    Put("tree-large", 30'000);
    EXPECT_EQ(db_->Checkpoint(), absl::OkStatus());
    original_.older = env_.FullImage();
    original_.written_later.clear();
    for (int i = 0; i < 600; i += 7) Put(NumberedKey("tree", i), 250);
    Delete(NumberedKey("tree", 10));
    EXPECT_EQ(db_->Checkpoint(), absl::OkStatus());
  }

  // Several segments, each commit synced.
  void FillLog() {
    for (int i = 0; i < 150; ++i) {
      Put(NumberedKey("log", i), 1'000);
      if (i % 10 == 0) {
        EXPECT_EQ(db_->Flush(), absl::OkStatus());
      }
    }
    Delete(NumberedKey("tree", 20));
    EXPECT_EQ(db_->Flush(), absl::OkStatus());
  }

  void Put(const std::string& key, size_t size) {
    const std::string value = key + std::string(size, static_cast<char>('a' + letter_++ % 26));
    EXPECT_EQ(db_->Put(key, value), absl::OkStatus());
    original_.contents[key] = value;
    original_.history[key].insert(value);
    original_.written_later.insert(key);
  }
  void Delete(const std::string& key) {
    EXPECT_EQ(db_->Delete(key), absl::OkStatus());
    original_.contents.erase(key);
    original_.written_later.insert(key);
  }
  void NoteOpenSegment() {
    const std::string bytes = original_.image.files.at(Wal::PathFor(kSource)).ToString();
    for (const std::string& key : original_.written_later) {
      if (bytes.find(key) != std::string::npos) original_.in_open_segment.insert(key);
    }
    EXPECT_LT(original_.in_open_segment.size(), 60u);
    EXPECT_GT(original_.in_open_segment.size(), 10u);
  }

  FaultEnv env_;
  std::unique_ptr<Db> db_;
  Original original_;
  unsigned letter_ = 0;
};

const Original& OriginalFor(End end) {
  static const Original* const originals =
      new Original[]{OriginalBuilder().Build(End::kClosed), OriginalBuilder().Build(End::kKilled),
                     OriginalBuilder().Build(End::kPowerCut)};
  return originals[static_cast<int>(end)];
}

struct Salvaged {
  absl::StatusOr<SalvageReport> report = absl::UnknownError("");
  Contents contents;
};

bool IsSource(const std::string& path) { return path.starts_with(kSource); }

// Salvages what is on the disk and reads the copy. The source must stay as it was.
Salvaged SalvageImage(const DiskImage& image) {
  FaultEnv env(image);
  Salvaged salvaged;
  salvaged.report = Salvage(&env, kSource, kCopy);
  for (const auto& [path, bytes] : env.FullImage().files) {
    if (!IsSource(path)) continue;
    EXPECT_TRUE(image.files.contains(path)) << path << " was made";
    EXPECT_EQ(bytes.ToString(), image.files.at(path).ToString()) << path << " was written to";
  }
  if (!salvaged.report.ok()) {
    EXPECT_FALSE(*env.Exists(kCopy)) << salvaged.report.status();
    return salvaged;
  }
  auto db = Db::Open(SmallStore(&env), kCopy);
  EXPECT_TRUE(db.ok()) << db.status();
  const Observation found = Observe(**db, {});
  EXPECT_EQ(found.error, absl::OkStatus());
  EXPECT_EQ(found.contradiction, "");
  EXPECT_EQ(found.present.size(), salvaged.report->records);
  salvaged.contents = found.present;
  return salvaged;
}

// The value of `key` in the copy, or that there is none.
std::string ValueIn(const Salvaged& salvaged, const std::string& key) {
  const auto found = salvaged.contents.find(key);
  return found == salvaged.contents.end() ? "(none)" : found->second;
}

std::string KeysMissing(const Original& original, const Salvaged& salvaged) {
  std::string keys;
  for (const auto& [key, value] : original.contents) {
    if (!salvaged.contents.contains(key)) keys += key + " ";
  }
  return keys;
}

std::string DescribeLost(const SalvageReport& report) {
  std::string text;
  for (const LostPiece& piece : report.lost) {
    text += piece.path + ", offset " + std::to_string(piece.offset) + ": " + piece.what + "\n";
  }
  return text;
}

// The pages of the source whose description says `kind`.
std::vector<uint64_t> PagesOfKind(const DiskImage& image, std::string_view kind) {
  FaultEnv env(image);
  PageStoreOptions options;
  options.read_only = true;
  options.env = &env;
  auto store = PageStore::Open(kSource, options);
  EXPECT_TRUE(store.ok()) << store.status();
  std::vector<uint64_t> pages;
  // Those that the newest generation wrote last are in use for sure.
  for (uint64_t id = 2; id < (*store)->stats().file_pages; ++id) {
    const auto text = (*store)->DescribePage(id);
    if (text.ok() && text->find(kind) != std::string::npos) pages.push_back(id);
  }
  return pages;
}

DiskImage Overwritten(const DiskImage& image, const std::string& path, uint64_t offset,
                      uint64_t size) {
  DiskImage damaged = image;
  damaged.files.at(path).Write(offset, std::string(size, '\x5a'));
  return damaged;
}

class SalvageTest : public testing::TestWithParam<End> {
 protected:
  const Original& original() const { return OriginalFor(GetParam()); }
  uint64_t LargeValueIn(const DiskImage& image) const {
    const std::string bytes = image.files.at(kSource).ToString();
    const size_t at = bytes.rfind(original().contents.at("tree-large").substr(0, 1'000));
    EXPECT_NE(at, std::string::npos);
    return at;
  }
};

TEST_P(SalvageTest, OfAWholeStoreNothingIsLost) {
  const Salvaged salvaged = SalvageImage(original().image);
  ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
  EXPECT_EQ(DescribeLost(*salvaged.report), "");
  EXPECT_EQ(salvaged.contents, original().contents);
  EXPECT_EQ(salvaged.report->log_batches_behind_gap, 0u);
}

TEST_P(SalvageTest, DamagedLeafLosesItsOwnKeysAndNoOthers) {
  // A leaf that is in use is missed when it is damaged; the others are left over.
  int in_use = 0;
  for (const uint64_t page : PagesOfKind(original().image, ": leaf")) {
    const Salvaged salvaged =
        SalvageImage(Overwritten(original().image, kSource, page * kPageBytes + 4'000, 100));
    ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
    const size_t missing = original().contents.size() - salvaged.contents.size();
    if (missing == 0) continue;
    ++in_use;
    EXPECT_LE(missing, 30u) << KeysMissing(original(), salvaged);
    EXPECT_THAT(salvaged.report->lost, ElementsAre(Field(&LostPiece::offset, page * kPageBytes)));
    EXPECT_THAT(salvaged.report->lost[0].what, HasSubstr("a leaf: keys from "));
    for (const auto& [key, value] : salvaged.contents) {
      EXPECT_EQ(value, original().contents.at(key)) << key;
    }
  }
  EXPECT_GE(in_use, 20);
}

TEST_P(SalvageTest, LeavesBelowADamagedInnerPageAreFound) {
  uint64_t strays = 0;
  for (const uint64_t page : PagesOfKind(original().image, ": inner")) {
    const Salvaged salvaged =
        SalvageImage(Overwritten(original().image, kSource, page * kPageBytes + 64, 64));
    ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
    EXPECT_EQ(salvaged.contents, original().contents) << page;
    strays += salvaged.report->stray_pages;
  }
  EXPECT_GE(strays, 20u);
}

TEST_P(SalvageTest, DamagedLargeValueLosesOneKey) {
  const Salvaged salvaged = SalvageImage(
      Overwritten(original().image, kSource, LargeValueIn(original().image) + 20'000, 1));
  ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
  EXPECT_EQ(KeysMissing(original(), salvaged), "tree-large ");
  EXPECT_THAT(DescribeLost(*salvaged.report), HasSubstr("a value of 30010 bytes"));
}

TEST_P(SalvageTest, WithoutAnyHeaderLeavesAndLogAreTaken) {
  DiskImage image = Overwritten(original().image, kSource, 0, 2 * kPageBytes);
  const Salvaged salvaged = SalvageImage(image);
  ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
  EXPECT_THAT(DescribeLost(*salvaged.report), HasSubstr("no header of the store is whole"));
  EXPECT_EQ(KeysMissing(original(), salvaged), "");
  EXPECT_GT(salvaged.report->stray_pages, 20u);
  // Of a key that is there twice the newer leaf has won, and the log over both.
  for (const auto& [key, value] : original().contents) {
    EXPECT_EQ(ValueIn(salvaged, key), value) << key;
  }
}

TEST_P(SalvageTest, WithoutAnyHeaderADamagedLargeValueLosesOneKey) {
  DiskImage image = Overwritten(original().image, kSource, 0, 2 * kPageBytes);
  image = Overwritten(image, kSource, LargeValueIn(image) + 20'000, 1);
  const Salvaged salvaged = SalvageImage(image);
  ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
  EXPECT_THAT(DescribeLost(*salvaged.report), HasSubstr("a value of 30010 bytes"));
  EXPECT_EQ(KeysMissing(original(), salvaged), "tree-large ");
  for (const auto& [key, value] : salvaged.contents) {
    if (original().contents.contains(key)) {
      EXPECT_EQ(value, original().contents.at(key)) << key;
    }
  }
}

TEST_P(SalvageTest, EitherHeaderSlotIsEnough) {
  for (const uint64_t slot : {0, 1}) {
    const Salvaged salvaged =
        SalvageImage(Overwritten(original().image, kSource, slot * kPageBytes, kPageBytes));
    ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
    for (const auto& [key, value] : original().contents) {
      EXPECT_EQ(ValueIn(salvaged, key), value) << key << ", without slot " << slot;
    }
  }
}

TEST_P(SalvageTest, RecordsBehindADamagedOneAreTaken) {
  const std::string log = Wal::PathFor(kSource);
  size_t lost = 0;
  for (const auto& [path, bytes] : original().image.files) {
    if (!path.starts_with(log) || path.find(".spare") != std::string::npos ||
        path.ends_with(".buffer")) {
      continue;
    }
    DiskImage image = Overwritten(original().image, path, 10'000, 1);
    // The append buffer would make it good.
    image.files.at(log + ".buffer")
        .Write(0, std::string(image.files.at(log + ".buffer").size(), '\0'));
    const Salvaged salvaged = SalvageImage(image);
    ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
    const size_t missing = original().contents.size() - salvaged.contents.size();
    EXPECT_LE(missing, 1u) << path << ": " << KeysMissing(original(), salvaged);
    if (missing == 0) continue;
    lost += missing;
    EXPECT_GT(salvaged.report->log_batches_behind_gap, 0u);
    EXPECT_THAT(DescribeLost(*salvaged.report), HasSubstr(path + ", offset ")) << path;
    EXPECT_THAT(DescribeLost(*salvaged.report), HasSubstr("log records with seq"));
  }
  EXPECT_GE(lost, 2u);
}

TEST_P(SalvageTest, WithoutTheStoreFileTheLogIsTaken) {
  DiskImage image = original().image;
  image.files.erase(kSource);
  const Salvaged salvaged = SalvageImage(image);
  ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
  EXPECT_THAT(salvaged.report->lost, testing::Not(IsEmpty()));
  EXPECT_EQ(ValueIn(salvaged, NumberedKey("log", 149)),
            original().contents.at(NumberedKey("log", 149)));
}

TEST_P(SalvageTest, WithoutTheLogTheTreeIsTaken) {
  DiskImage image = original().image;
  std::erase_if(image.files, [](const auto& file) { return file.first != kSource; });
  const Salvaged salvaged = SalvageImage(image);
  ASSERT_TRUE(salvaged.report.ok()) << salvaged.report.status();
  EXPECT_THAT(DescribeLost(*salvaged.report), HasSubstr("the log is missing"));
  EXPECT_EQ(salvaged.contents.count(NumberedKey("tree", 599)), 1u);
}

TEST_P(SalvageTest, WhatHoldsNothingIsRefusedAndNothingIsMade) {
  DiskImage image = original().image;
  for (auto& [path, bytes] : image.files) {
    bytes.Write(0, std::string(bytes.size(), '\x5a'));
  }
  EXPECT_TRUE(absl::IsDataLoss(SalvageImage(image).report.status()));
  image.files.clear();
  EXPECT_TRUE(absl::IsNotFound(SalvageImage(image).report.status()));
}

// What a report says is missing, as keys.
class MissingKeys {
 public:
  MissingKeys(const Original& original, const Damage& damage, const SalvageReport& report)
      : original_(original),
        tail_(std::any_of(damage.touched.begin(), damage.touched.end(),
                          [](const auto& range) { return range.path == Wal::PathFor(kSource); })) {
    for (const LostPiece& piece : report.lost) {
      if (piece.path != kSource) {
        log_ = true;
      } else if (const size_t at = piece.what.find(kFrom); at != std::string::npos) {
        AddRange(std::string_view(piece.what).substr(at + kFrom.size()));
      } else {
        all_ = true;
      }
    }
  }

  bool Contain(const std::string& key) const {
    // Nobody can tell the last records of a log that was not closed from what a power cut tore.
    if (all_ || (tail_ && original_.in_open_segment.contains(key))) return true;
    if (log_ && original_.written_later.contains(key)) return true;
    return std::any_of(ranges_.begin(), ranges_.end(), [&key](const auto& range) {
      return key >= range.first && (range.second.empty() || key < range.second);
    });
  }

 private:
  static constexpr std::string_view kFrom = "keys from ";

  // `text`: "a" to before "b", or: "a" on. A bound may end in \x00, and the keys have no quotes.
  void AddRange(std::string_view text) {
    std::vector<std::string> bounds;
    for (size_t begin = text.find('"'); begin != std::string_view::npos;
         begin = text.find('"', begin)) {
      const size_t end = text.find('"', begin + 1);
      ASSERT_NE(end, std::string_view::npos) << text;
      std::string bound(text.substr(begin + 1, end - begin - 1));
      if (const size_t zero = bound.find('\\'); zero != std::string::npos) {
        bound.replace(zero, std::string::npos, 1, '\0');
      }
      bounds.push_back(std::move(bound));
      begin = end + 1;
    }
    ASSERT_TRUE(bounds.size() == 2 || (bounds.size() == 1 && text.ends_with(" on"))) << text;
    ranges_.emplace_back(bounds[0], bounds.size() == 2 ? bounds[1] : "");
  }

  const Original& original_;
  const bool tail_;
  bool log_ = false;
  bool all_ = false;
  std::vector<std::pair<std::string, std::string>> ranges_;  // "": no upper bound
};

// Every record of the copy was written to the original at some time; and what is not said to be
// missing is there. One damage is never so bad that nothing is left to copy.
std::string Judge(const Original& original, const Damage& damage, const Salvaged& salvaged) {
  if (!salvaged.report.ok()) return salvaged.report.status().ToString();
  for (const auto& [key, value] : salvaged.contents) {
    const auto written = original.history.find(key);
    if (written == original.history.end() || !written->second.contains(value)) {
      return "key " + key + " has a value that was never written";
    }
  }
  const MissingKeys missing(original, damage, *salvaged.report);
  for (const auto& [key, values] : original.history) {
    const auto expected = original.contents.find(key);
    const auto found = salvaged.contents.find(key);
    const bool was_there = expected != original.contents.end();
    const bool is_there = found != salvaged.contents.end();
    if (was_there == is_there && (!was_there || found->second == expected->second)) continue;
    if (missing.Contain(key)) continue;
    return "key " + key + " is not what it was, and is not said to be lost; lost: " +
           DescribeLost(*salvaged.report);
  }
  return "";
}

TEST_P(SalvageTest, RandomDamageYieldsNothingThatWasNeverWritten) {
  const uint64_t seed = TestSetting("EMDB_SEED", 1);
  const uint64_t damages = TestAmount("EMDB_DAMAGES", 80);
  for (uint64_t i = 0; i < damages; ++i) {
    const Damage damage =
        RandomDamage(original().image, original().older, seed * 1'000'000'000 + i);
    EXPECT_EQ(Judge(original(), damage, SalvageImage(damage.image)), "")
        << i << ": " << damage.what;
  }
}

TEST_P(SalvageTest, FlippedBitYieldsNothingThatWasNeverWritten) {
  const SpreadBits bits(original().image, TestAmount("EMDB_BITS", 80), TestSetting("EMDB_SEED", 1));
  for (uint64_t i = 0; i < bits.count; ++i) {
    const Damage damage = FlipBit(original().image, bits.At(i));
    EXPECT_EQ(Judge(original(), damage, SalvageImage(damage.image)), "") << damage.what;
  }
}

TEST(SalvageDestinationTest, AnExistingStoreIsLeftAlone) {
  FaultEnv env(OriginalFor(End::kClosed).image);
  EXPECT_TRUE(absl::IsAlreadyExists(Salvage(&env, kSource, kSource).status()) ||
              absl::IsFailedPrecondition(Salvage(&env, kSource, kSource).status()));
  ASSERT_TRUE(Db::Open(SmallStore(&env), kCopy).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Salvage(&env, kSource, kCopy).status()));
}

TEST(SalvageDestinationTest, ALeftOverLogIsNotTakenForDamageOfTheSource) {
  FaultEnv env(OriginalFor(End::kClosed).image);
  {
    const auto db = Db::Open(SmallStore(&env), kCopy);
    ASSERT_TRUE(db.ok()) << db.status();
    ASSERT_TRUE((*db)->Put("key", "value").ok());
  }
  ASSERT_TRUE(env.Remove(kCopy).ok());
  const DiskImage before = env.FullImage();
  const absl::Status refused = Salvage(&env, kSource, kCopy).status();
  EXPECT_TRUE(absl::IsAlreadyExists(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("left over"));
  EXPECT_TRUE(env.FullImage().files == before.files) << "it was touched";
}

std::string EndName(const testing::TestParamInfo<End>& info) {
  static constexpr const char* kNames[] = {"Closed", "Killed", "PowerCut"};
  return kNames[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Stores, SalvageTest,
                         testing::Values(End::kClosed, End::kKilled, End::kPowerCut), EndName);

}  // namespace
}  // namespace emdb
