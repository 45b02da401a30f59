#include "pagestore/page_store.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/test.emdb";

class PageStoreTest : public testing::Test {
 protected:
  void SetUp() override { Open(SmallStoreOptions(&env_)); }
  void Open(const PageStoreOptions& options) {
    store_.reset();
    absl::StatusOr<std::unique_ptr<PageStore>> store = PageStore::Open(kPath, options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Put(const Changes& changes) {
    const absl::Status status = Apply(store_.get(), ++seq_, changes);
    ASSERT_TRUE(status.ok()) << status;
  }
  void ExpectVerified() {
    const absl::Status status = store_->Verify();
    ASSERT_TRUE(status.ok()) << status;
  }
  uint64_t FileBytes() { return env_.FullImage().files.at(kPath).size(); }

  FaultEnv env_;
  std::unique_ptr<PageStore> store_;
  uint64_t seq_ = 0;
};

Changes Ascending(int begin, int end, size_t value_size) {
  Changes changes;
  for (int i = begin; i < end; ++i) {
    changes[absl::StrFormat("key%09d", i)] = std::string(value_size, 'v');
  }
  return changes;
}

Changes DeletionsOf(const Changes& puts) {
  Changes changes;
  for (const auto& put : puts) changes[put.first] = std::nullopt;
  return changes;
}

TEST_F(PageStoreTest, ANewStoreIsEmpty) {
  const View view = store_->GetView();
  std::string value;
  EXPECT_TRUE(absl::IsNotFound(view.Get("key", &value)));
  EXPECT_EQ(view.record_count(), 0u);
  EXPECT_EQ(store_->next_seq(), 0u);
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  cursor->SeekToFirst();
  EXPECT_FALSE(cursor->Valid());
  cursor->SeekForPrev("x");
  EXPECT_FALSE(cursor->Valid());
  EXPECT_TRUE(cursor->status().ok());
  ExpectVerified();
}

TEST_F(PageStoreTest, OptionsOfANewStoreAreKept) {
  FaultEnv env;
  PageStoreOptions options = SmallStoreOptions(&env);
  options.page_size_bytes = 32768;
  options.first_seq = 77;
  auto store = PageStore::Open(kPath, options);
  ASSERT_TRUE(store.ok()) << store.status();
  store->reset();
  store = PageStore::Open(kPath, SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->stats().page_size_bytes, 32768u);
  EXPECT_EQ((*store)->next_seq(), 77u);
  EXPECT_EQ((*store)->store_id(), *options.store_id);
}

TEST_F(PageStoreTest, BadOptionsAreRefused) {
  PageStoreOptions options = SmallStoreOptions(&env_);
  options.page_size_bytes = 4096;
  EXPECT_TRUE(absl::IsInvalidArgument(PageStore::Open(kPath, options).status()));
  options = SmallStoreOptions(&env_);
  options.cache_size_bytes = 1000;
  EXPECT_TRUE(absl::IsInvalidArgument(PageStore::Open(kPath, options).status()));
}

TEST_F(PageStoreTest, AMissingStoreIsMadeOnlyIfAskedFor) {
  PageStoreOptions options = SmallStoreOptions(&env_);
  options.create_if_missing = false;
  EXPECT_TRUE(absl::IsNotFound(PageStore::Open("dir/other.emdb", options).status()));
  options = SmallStoreOptions(&env_);
  options.read_only = true;
  EXPECT_TRUE(absl::IsNotFound(PageStore::Open("dir/other.emdb", options).status()));
}

TEST_F(PageStoreTest, AnotherStoresFileIsRefused) {
  PageStoreOptions options = SmallStoreOptions(&env_);
  options.store_id = StoreId{9};
  const absl::Status status = PageStore::Open(kPath, options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(PageStoreTest, AFileThatIsNoStoreIsRefusedAndNotChanged) {
  DiskImage image;
  image.files[kPath] = SparseBytes("a letter to a friend");
  FaultEnv env(image);
  const absl::Status status = PageStore::Open(kPath, SmallStoreOptions(&env)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(env.FullImage().files.at(kPath).ToString(), "a letter to a friend");
}

TEST_F(PageStoreTest, ANewerFormatIsRefusedNamingBothVersions) {
  store_.reset();
  DiskImage image = env_.FullImage();
  for (const uint64_t copy : {0, 4096, 8192, 12288}) image.files[kPath].Write(copy + 8, "\x09");
  FaultEnv env(image);
  const absl::Status status = PageStore::Open(kPath, SmallStoreOptions(&env)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("version 9, expected 1"), absl::string_view::npos) << status;
}

TEST_F(PageStoreTest, ReadOnlyReadsAndWritesNothing) {
  Put({{"a", "1"}});
  PageStoreOptions options = SmallStoreOptions(&env_);
  options.read_only = true;
  Open(options);
  const uint64_t operations = env_.OperationCount();
  std::string value;
  EXPECT_TRUE(store_->GetView().Get("a", &value).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Apply(store_.get(), 9, {{"a", "2"}})));
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Compact()));
  ExpectVerified();
  EXPECT_EQ(env_.OperationCount(), operations);
}

// A put of a value that is a byte too long. Only its length is there.
class TooLongValue : public ChangeSource {
 public:
  bool Valid() const override { return !done_; }
  void Next() override { done_ = true; }
  std::string_view key() const override { return "b"; }
  std::string_view value() const override { return {bytes_, PageStore::kMaxValueBytes + 1}; }
  bool is_deletion() const override { return false; }

 private:
  char bytes_[1] = {};
  bool done_ = false;
};

TEST_F(PageStoreTest, ChangesOutOfBoundsAreRefusedAndNothingIsChanged) {
  Put({{"a", "1"}});
  EXPECT_TRUE(absl::IsInvalidArgument(Apply(store_.get(), 9, {{"", "empty"}})));
  const std::string long_key(PageStore::kMaxKeyBytes + 1, 'k');
  EXPECT_TRUE(absl::IsInvalidArgument(Apply(store_.get(), 9, {{long_key, ""}})));
  TooLongValue long_value;
  EXPECT_TRUE(absl::IsInvalidArgument(store_->Checkpoint(9, &long_value)));
  EXPECT_TRUE(absl::IsInvalidArgument(Apply(store_.get(), 0, {{"b", "2"}})));
  EXPECT_EQ(store_->GetView().record_count(), 1u);
  EXPECT_EQ(store_->next_seq(), 1u);
  ExpectVerified();
  Put({{"b", "2"}});
  EXPECT_EQ(store_->GetView().record_count(), 2u);
}

TEST_F(PageStoreTest, WhatAnAttemptHasTakenOfAFullDiskIsGivenBack) {
  Put(Ascending(0, 2000, 100));
  const Changes much = Ascending(0, 20'000, 100);
  env_.SetCapacity(FileBytes() + (1 << 20));
  for (int i = 0; i < 2; ++i) {
    const absl::Status full = Apply(store_.get(), seq_ + 1, much);
    ASSERT_TRUE(absl::IsResourceExhausted(full)) << full;
    const PageStoreStats stats = store_->stats();
    EXPECT_EQ(FileBytes(), stats.file_pages * stats.page_size_bytes);
    ExpectVerified();
  }
  env_.SetCapacity(UINT64_MAX);
  Put(much);
  EXPECT_EQ(store_->GetView().record_count(), much.size());
  ExpectVerified();
}

TEST_F(PageStoreTest, KeysThatDoNotAscendAreRefused) {
  class Descending : public ChangeSource {
   public:
    bool Valid() const override { return left_ > 0; }
    void Next() override { --left_; }
    std::string_view key() const override { return left_ == 2 ? "b" : "a"; }
    std::string_view value() const override { return "value"; }
    bool is_deletion() const override { return false; }

   private:
    int left_ = 2;
  };
  Descending changes;
  EXPECT_TRUE(absl::IsInvalidArgument(store_->Checkpoint(1, &changes)));
  EXPECT_EQ(store_->GetView().record_count(), 0u);
}

TEST_F(PageStoreTest, LongestKeysWithValuesOfAllSizesAreKept) {
  Changes changes;
  for (size_t size : {0, 1, 127, 128, 129, 4000, 8191, 8192, 8193, 3 << 20}) {
    changes[std::string(PageStore::kMaxKeyBytes - 10, 'k') + absl::StrFormat("%010d", size)] =
        std::string(size, static_cast<char>('a' + size % 26));
  }
  Put(changes);
  Model model;
  ApplyToModel(changes, &model);
  EXPECT_TRUE(*ReadForward(store_->GetView()) == model);
  EXPECT_TRUE(*ReadBackward(store_->GetView()) == model);
  ExpectVerified();
  Put(DeletionsOf(changes));
  EXPECT_EQ(store_->GetView().record_count(), 0u);
  ExpectVerified();
}

// Inner nodes whose separators are half a page long have two children, and split into one of two
// and one of one. Each step splits the leftmost leaf, and with it all that is above.
TEST_F(PageStoreTest, TheTreeStaysLowWhereEachSplitGoesUpToTheRoot) {
  constexpr int kSteps = 60;
  const auto group = [](int step, int begin, int end, bool put) {
    Changes changes;
    const std::string prefix =
        std::string(1, static_cast<char>(250 - step)) + std::string(4080, 'x');
    for (int i = begin; i < end; ++i) {
      std::optional<std::string>& change = changes[prefix + absl::StrFormat("%04d", i)];
      if (put) change = std::string(128, 'v');
    }
    return changes;
  };
  Model model;
  for (int step = 0; step < kSteps; ++step) {
    Changes changes = group(step, 0, 40, /*put=*/true);
    // The keys of the leftmost leaf.
    if (step > 0) changes.merge(group(step - 1, 0, step == 1 ? 29 : 23, /*put=*/false));
    Put(changes);
    ApplyToModel(changes, &model);
    ASSERT_LE(store_->stats().height, 20u) << "step " << step;
    ASSERT_NO_FATAL_FAILURE(Open(SmallStoreOptions(&env_)));
  }
  EXPECT_TRUE(*ReadForward(store_->GetView()) == model);
  ExpectVerified();
}

// Holes of a page are left alone while the file can grow.
TEST_F(PageStoreTest, OnAFullDiskTheSmallestHolesAreTaken) {
  constexpr int kRecords = 50000;
  PageStoreOptions options = SmallStoreOptions(&env_);
  options.slices_above_bytes = UINT64_MAX;
  ASSERT_NO_FATAL_FAILURE(Open(options));
  Put(Ascending(0, kRecords, 1000));
  RandomRecords random(1);
  const auto overwrites = [&] {
    Changes changes;
    for (int i = 0; i < 100; ++i) {
      changes[absl::StrFormat("key%09d", random.Uniform(kRecords))] = std::string(1000, 'w');
    }
    return changes;
  };
  for (int i = 0; i < 12; ++i) Put(overwrites());
  const PageStoreStats stats = store_->stats();
  ASSERT_GT(stats.free_pages, 1000u);
  ASSERT_LT(stats.free_pages * 4, stats.file_pages);
  env_.SetCapacity(FileBytes());
  const absl::Status first = Apply(store_.get(), ++seq_, overwrites());
  EXPECT_TRUE(first.ok() || absl::IsResourceExhausted(first)) << first;
  for (int i = 0; i < 10; ++i) Put(overwrites());
  env_.SetCapacity(UINT64_MAX);
  Put(Ascending(kRecords, 2 * kRecords, 1000));
  Put(overwrites());
  ExpectVerified();
}

TEST_F(PageStoreTest, AnAscendingLoadFillsItsPages) {
  constexpr int kRecords = 20000;
  constexpr size_t kValueSize = 100;
  for (int i = 0; i < kRecords; i += 1000) Put(Ascending(i, i + 1000, kValueSize));
  const uint64_t raw = uint64_t{kRecords} * (12 + kValueSize);
  const uint64_t live = store_->stats().live_pages * store_->stats().page_size_bytes;
  EXPECT_LE(live, raw * 110 / 100);
  ExpectVerified();
}

TEST_F(PageStoreTest, ARandomLoadTakesAtMostAQuarterMoreThanItsBytes) {
  RandomRecords random(4);
  uint64_t raw = 0;
  for (int i = 0; i < 20; ++i) {
    Changes changes;
    for (int j = 0; j < 1000; ++j) {
      changes[absl::StrFormat("%024d", random.Uniform(UINT64_MAX))] = std::string(150, 'v');
    }
    raw += changes.size() * (24 + 150);
    Put(changes);
  }
  const uint64_t live = store_->stats().live_pages * store_->stats().page_size_bytes;
  EXPECT_LE(live, raw * 125 / 100);
  ExpectVerified();
}

TEST_F(PageStoreTest, ASmallChangeRewritesOnlyThePathToIt) {
  Put(Ascending(0, 50000, 100));
  const uint64_t before = store_->stats().pages_written;
  Put({{"key000025000", "new"}});
  EXPECT_LE(store_->stats().pages_written - before, store_->stats().height);
  ExpectVerified();
}

TEST_F(PageStoreTest, DeletionsShrinkTheFile) {
  const Changes load = Ascending(0, 20000, 100);
  Put(load);
  const uint64_t full = FileBytes();
  Changes deletions = DeletionsOf(load);
  deletions.erase("key000000007");
  Put(deletions);
  Put({});
  Put({});
  EXPECT_LT(FileBytes(), full / 10);
  EXPECT_EQ(store_->GetView().record_count(), 1u);
  ExpectVerified();
}

TEST_F(PageStoreTest, WhatCannotBeMovedIsNotLookedForByEveryCheckpoint) {
  const Changes load = Ascending(0, 50000, 100);
  Put(load);
  Put({{"large", std::string(300'000, 'L')}});
  Put(DeletionsOf(Ascending(0, 45000, 100)));
  const auto lookups = [this] { return store_->stats().cache_hits + store_->stats().cache_misses; };
  for (int i = 0; i < 5; ++i) Put({});
  const uint64_t with_large = FileBytes();
  const uint64_t before = lookups();
  for (int i = 0; i < 5; ++i) Put({});
  EXPECT_EQ(lookups(), before);
  EXPECT_EQ(FileBytes(), with_large);
  // When it goes, so does the end of the file.
  Put({{"large", std::nullopt}});
  for (int i = 0; i < 3; ++i) Put({});
  EXPECT_LT(FileBytes(), with_large / 4);
  ExpectVerified();
}

TEST_F(PageStoreTest, TidyMovesTheEndOfTheFileToTheFrontStepByStep) {
  // A second tree behind the first, which then is free.
  const Changes load = Ascending(0, 200000, 100);
  Put(load);
  Put(load);
  const uint64_t before = FileBytes();
  int steps = 0;
  uint64_t longest_step = 0;
  for (bool more = true; more; ++steps) {
    ASSERT_LT(steps, 100);
    const uint64_t written = store_->stats().pages_written;
    const absl::StatusOr<bool> result = store_->Tidy();
    ASSERT_TRUE(result.ok()) << result.status();
    more = *result;
    longest_step = std::max(longest_step, store_->stats().pages_written - written);
  }
  EXPECT_GT(steps, 3);
  const PageStoreStats stats = store_->stats();
  EXPECT_LE(longest_step, before / stats.page_size_bytes / 8);
  EXPECT_LT(FileBytes(), before * 6 / 10);
  EXPECT_LT(FileBytes(), stats.live_pages * stats.page_size_bytes * 105 / 100);
  EXPECT_EQ(stats.records, 200000u);
  ExpectVerified();
}

TEST_F(PageStoreTest, TidyEndsWhileAViewKeepsPagesAndGoesOnAfterwards) {
  const Changes load = Ascending(0, 50000, 100);
  Put(load);
  Put(load);
  const uint64_t before = FileBytes();
  {
    const View view = store_->GetView();
    for (int steps = 0; *store_->Tidy(); ++steps) ASSERT_LT(steps, 100);
    EXPECT_EQ(FileBytes(), before);
    EXPECT_EQ(ReadForward(view)->size(), 50000u);
  }
  for (int steps = 0; *store_->Tidy() || steps < 2; ++steps) ASSERT_LT(steps, 100);
  EXPECT_LT(FileBytes(), before * 7 / 10);
  ExpectVerified();
}

TEST_F(PageStoreTest, PagesThatEmptyOutAreMergedWithTheirNeighbours) {
  Put(Ascending(0, 20000, 100));
  // Nineteen of twenty records go, everywhere.
  Changes deletions = DeletionsOf(Ascending(0, 20000, 100));
  for (int i = 0; i < 20000; i += 20) deletions.erase(absl::StrFormat("key%09d", i));
  Put(deletions);
  const uint64_t raw = 1000 * (12 + 100);
  const uint64_t live = store_->stats().live_pages * store_->stats().page_size_bytes;
  EXPECT_LE(live, raw * 130 / 100 + 8 * 8192);
  ExpectVerified();
}

TEST_F(PageStoreTest, SpaceIsUsedAgainUnderSteadyOverwriting) {
  for (int round = 0; round < 30; ++round) Put(Ascending(0, 2000, 100));
  EXPECT_LT(FileBytes(), uint64_t{2000} * 112 * 4);
  ExpectVerified();
}

TEST_F(PageStoreTest, CompactMakesTheFileDense) {
  RandomRecords random(6);
  Model model;
  for (int i = 0; i < 20; ++i) {
    const Changes changes = random.Batch(500, 5000);
    Put(changes);
    ApplyToModel(changes, &model);
  }
  ASSERT_TRUE(store_->Compact().ok());
  EXPECT_TRUE(*ReadForward(store_->GetView()) == model);
  ExpectVerified();
  const PageStoreStats stats = store_->stats();
  EXPECT_LE(stats.file_pages, stats.live_pages * 110 / 100 + 4);
  EXPECT_EQ(FileBytes(), stats.file_pages * stats.page_size_bytes);
}

TEST_F(PageStoreTest, CompactAroundALongLivedViewThatIsExchangedIsDense) {
  for (int i = 0; i < 10; ++i) Put(Ascending(i, 3000, 100));
  View view = store_->GetView();
  ASSERT_TRUE(store_->Compact([&] { view = store_->GetView(); }).ok());
  const PageStoreStats stats = store_->stats();
  EXPECT_LE(stats.file_pages, stats.live_pages * 110 / 100 + 4);
  EXPECT_EQ(ReadForward(view)->size(), 3000u);
  ExpectVerified();
}

TEST_F(PageStoreTest, AViewKeepsItsGenerationThroughCheckpointsAndCompact) {
  Put(Ascending(0, 3000, 100));
  View view = store_->GetView();
  const Model before = *ReadForward(view);
  for (int i = 0; i < 5; ++i) {
    Changes changes = Ascending(0, 3000, 50 + static_cast<size_t>(i));
    changes["key000000100"] = std::nullopt;
    Put(changes);
  }
  ASSERT_TRUE(store_->Compact().ok());
  EXPECT_TRUE(*ReadForward(view) == before);
  const uint64_t kept_for_the_view = store_->stats().pending_pages;
  ExpectVerified();
  view = store_->GetView();
  Put({});
  EXPECT_LT(store_->stats().pending_pages, kept_for_the_view / 2);
  ExpectVerified();
}

TEST_F(PageStoreTest, CheckpointReportsProgress) {
  MapChangeSource source(Changes{});
  const Changes changes = Ascending(0, 5000, 10);
  MapChangeSource many(changes);
  std::vector<uint64_t> seen;
  ASSERT_TRUE(store_->Checkpoint(1, &many, [&](uint64_t done) { seen.push_back(done); }).ok());
  ASSERT_FALSE(seen.empty());
  EXPECT_LE(seen.back(), changes.size());
  EXPECT_GT(seen.back(), changes.size() / 2);
}

TEST_F(PageStoreTest, VerifyReportsProgressUpToTheEnd) {
  Put(Ascending(0, 50000, 100));
  uint64_t last_done = 0;
  uint64_t last_total = 0;
  ASSERT_TRUE(store_
                  ->Verify([&](uint64_t done, uint64_t total) {
                    EXPECT_GE(done, last_done);
                    last_done = done;
                    last_total = total;
                  })
                  .ok());
  EXPECT_EQ(last_done, last_total);
  EXPECT_EQ(last_total, store_->stats().live_pages);
}

TEST_F(PageStoreTest, EveryPageCanBeDescribed) {
  Put(Ascending(0, 3000, 100));
  Put({{"large", std::string(20000, 'L')}, {"key000000001", std::nullopt}});
  std::string all;
  for (uint64_t id = 0; id < store_->stats().file_pages; ++id) {
    const absl::StatusOr<std::string> text = store_->DescribePage(id);
    ASSERT_TRUE(text.ok()) << text.status();
    absl::StrAppend(&all, *text);
  }
  for (const char* part : {"header slot", "generation 3", "leaf", "inner", "bitmap",
                           "20000 bytes from page", "of a large value, or free"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part;
  }
  EXPECT_TRUE(absl::IsOutOfRange(store_->DescribePage(1000000).status()));
  EXPECT_TRUE(absl::IsOutOfRange(store_->DescribePage(uint64_t{1} << 40).status()));
}

TEST_F(PageStoreTest, APowerCutMayLeadBackToTheGenerationBeforeUntilTheNewestIsDurable) {
  EXPECT_EQ(store_->fallback_next_seq(), 0u);
  ASSERT_TRUE(Apply(store_.get(), 5, {{"a", "1"}}).ok());
  EXPECT_EQ(store_->fallback_next_seq(), 5u);
  // The last sync, behind the header, fails.
  const auto is_sync = [](FileOp op, std::string_view) { return op == FileOp::kSyncData; };
  env_.AddRule({.matches = is_sync, .skip = 1});
  ASSERT_FALSE(Apply(store_.get(), 9, {{"b", "2"}}).ok());
  env_.ClearRules();
  FaultEnv after_power_cut(env_.SyncedImage());

  Open(SmallStoreOptions(&env_));
  EXPECT_EQ(store_->next_seq(), 9u);
  EXPECT_EQ(store_->fallback_next_seq(), 5u);
  ASSERT_TRUE(store_->EnsureDurable().ok());
  EXPECT_EQ(store_->fallback_next_seq(), 9u);

  const auto fallen_back = PageStore::Open(kPath, SmallStoreOptions(&after_power_cut));
  ASSERT_TRUE(fallen_back.ok()) << fallen_back.status();
  EXPECT_EQ((*fallen_back)->next_seq(), 5u);
}

TEST_F(PageStoreTest, AGenerationWithTheSeqOfTheOneBeforeFallsBackToThatSeq) {
  ASSERT_TRUE(Apply(store_.get(), 5, {{"a", "1"}}).ok());
  ASSERT_TRUE(Apply(store_.get(), 9, {{"b", "2"}}).ok());
  Open(SmallStoreOptions(&env_));
  EXPECT_EQ(store_->next_seq(), 9u);
  EXPECT_EQ(store_->fallback_next_seq(), 5u);
  ASSERT_TRUE(Apply(store_.get(), 9, {{"c", "3"}}).ok());
  EXPECT_EQ(store_->fallback_next_seq(), 9u);
  Open(SmallStoreOptions(&env_));
  EXPECT_EQ(store_->next_seq(), 9u);
  EXPECT_EQ(store_->fallback_next_seq(), 9u);
}

TEST_F(PageStoreTest, AStoreWhoseMakingWasCutOffHasNothingToFallBackTo) {
  store_.reset();
  // Generation 0 in its slot, zeros in that of generation 1.
  DiskImage image = env_.FullImage();
  image.files[kPath].Write(8192, std::string(8192, '\0'));
  FaultEnv env(image);
  PageStoreOptions options = SmallStoreOptions(&env);
  options.first_seq = 7;
  const auto store = PageStore::Open(kPath, options);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->fallback_next_seq(), (*store)->next_seq());
}

TEST_F(PageStoreTest, ALoadMakesBothSlotsLeadToIt) {
  ASSERT_TRUE(Apply(store_.get(), 5, {{"a", "1"}}).ok());
  const uint64_t generation = store_->stats().generation;
  const Changes changes = {{"b", "2"}};
  MapChangeSource source(changes);
  ASSERT_TRUE(store_->Load(&source).ok());
  EXPECT_EQ(store_->stats().generation, generation + 2);
  EXPECT_EQ(store_->next_seq(), 5u);
  EXPECT_EQ(store_->GetView().record_count(), 2u);
  ExpectVerified();
  const Changes none;
  MapChangeSource nothing(none);
  ASSERT_TRUE(store_->Load(&nothing).ok());
  EXPECT_EQ(store_->stats().generation, generation + 3);
  ExpectVerified();
  // The pages of the tree before are used again.
  for (int i = 0; i < 10; ++i) {
    MapChangeSource again(changes);
    ASSERT_TRUE(store_->Load(&again).ok());
  }
  EXPECT_LT(store_->stats().file_pages, 12u);
  ExpectVerified();
}

TEST_F(PageStoreTest, HeadersThatAreNotInARowAreDamage) {
  constexpr uint64_t kPage = 8192;
  std::vector<DiskImage> images;  // of the generations 1 to 7
  for (int i = 0; i < 7; ++i) {
    images.push_back(env_.FullImage());
    Put({{"a", std::to_string(i)}});
  }
  const auto open = [](const DiskImage& image) {
    FaultEnv env(image);
    return PageStore::Open(kPath, SmallStoreOptions(&env)).status();
  };
  const auto with_slot = [&](DiskImage image, uint64_t slot, const DiskImage& from) {
    image.files[kPath].Write(slot * kPage, from.files.at(kPath).Read(slot * kPage, kPage));
    return image;
  };
  const DiskImage& newest = images[6];  // 7 in the second slot, 6 in the first
  EXPECT_EQ(open(newest), absl::OkStatus());
  EXPECT_EQ(open(with_slot(newest, 1, images[4])), absl::OkStatus());  // 6 and 5
  for (const DiskImage& damaged :
       {with_slot(newest, 1, images[2]), with_slot(newest, 0, images[3])}) {
    const absl::Status status = open(damaged);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  }
  // One copy that is older than a power cut may leave it is found by Verify.
  for (const uint64_t slot : {0, 1}) {
    DiskImage image = newest;
    const DiskImage& old = images[2 - slot];
    image.files[kPath].Write(slot * kPage + 4096,
                             old.files.at(kPath).Read(slot * kPage + 4096, 512));
    FaultEnv env(image);
    PageStoreOptions options = SmallStoreOptions(&env);
    options.read_only = true;
    const auto store = PageStore::Open(kPath, options);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_TRUE(absl::IsDataLoss((*store)->Verify())) << slot;
  }
}

TEST_F(PageStoreTest, NothingCanBeWrittenOnceItIsClosed) {
  ASSERT_TRUE(store_->Close().ok());
  EXPECT_TRUE(store_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Apply(store_.get(), 1, {})));
}

TEST_F(PageStoreTest, MultiGetLeavesAloneWhatIsAlreadyDecided) {
  Put({{"a", "1"}, {"b", "2"}});
  const std::vector<std::string_view> keys = {"a", "b", "c"};
  std::vector<std::string> values = {"kept", "", ""};
  std::vector<absl::Status> statuses = {absl::OkStatus(), absl::NotFoundError(""),
                                        absl::NotFoundError("")};
  store_->GetView().MultiGet(keys, absl::MakeSpan(values), absl::MakeSpan(statuses));
  EXPECT_EQ(values[0], "kept");
  EXPECT_EQ(values[1], "2");
  EXPECT_TRUE(statuses[1].ok());
  EXPECT_TRUE(absl::IsNotFound(statuses[2]));
}

}  // namespace
}  // namespace emdb
