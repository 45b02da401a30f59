// A page store whose checkpoints leave changes in slices: what is read through them, what folds
// them, and what they do to the file.

#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "pagestore/page_store.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/store";
constexpr int kKeys = 20000;

std::string Key(int i) { return absl::StrCat("key", 1000000 + i); }

class PageStoreSliceTest : public ::testing::Test {
 protected:
  PageStoreSliceTest() {
    Open();
    Changes changes;
    for (int i = 0; i < kKeys; ++i) changes[Key(i)] = std::string(100, 'a');
    Checkpoint(changes);
    EXPECT_EQ(store_->stats().slice_records, 0u);
  }
  ~PageStoreSliceTest() override {
    if (store_ == nullptr) return;
    EXPECT_EQ(store_->Verify(), absl::OkStatus());
  }

  void Open() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<PageStore>> store =
        PageStore::Open(kPath, SmallStoreOptions(&env_));
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  void Checkpoint(const Changes& changes) {
    ASSERT_EQ(Apply(store_.get(), ++seq_, changes), absl::OkStatus());
    ApplyToModel(changes, &model_);
  }

  // Changes that touch every leaf, some of them deletions.
  Changes Scattered(int offset) const {
    Changes changes;
    for (int i = offset; i < kKeys; i += 40) {
      changes[Key(i)] = absl::StrCat("changed ", seq_, std::string(80, 'b'));
      changes[Key(i) + "+"] = absl::StrCat("new ", seq_);
      if (i + 7 < kKeys) changes[Key(i + 7)] = std::nullopt;
    }
    return changes;
  }

  void ExpectModel() {
    const View view = store_->GetView();
    EXPECT_EQ(*ReadForward(view), model_);
    EXPECT_EQ(*ReadBackward(view), model_);
    std::vector<std::string> keys;
    for (int i = 0; i < kKeys; i += 13) {
      keys.push_back(Key(i));
      keys.push_back(Key(i) + "+");
    }
    const std::vector<std::string_view> key_views(keys.begin(), keys.end());
    std::vector<std::string> values(keys.size());
    std::vector<absl::Status> statuses(keys.size(), absl::NotFoundError(""));
    view.MultiGet(key_views, absl::MakeSpan(values), absl::MakeSpan(statuses));
    for (size_t i = 0; i < keys.size(); ++i) {
      std::string value;
      const absl::Status status = view.Get(keys[i], &value);
      const auto expected = model_.find(keys[i]);
      ASSERT_EQ(status.ok(), expected != model_.end()) << keys[i];
      ASSERT_EQ(statuses[i].ok(), status.ok());
      if (!status.ok()) continue;
      EXPECT_EQ(value, expected->second);
      EXPECT_EQ(values[i], expected->second);
    }
  }

  FaultEnv env_;
  std::unique_ptr<PageStore> store_;
  uint64_t seq_ = 0;
  Model model_;
};

TEST_F(PageStoreSliceTest, ScatteredChangesGoToSlicesAndAreRead) {
  const uint64_t records = store_->stats().records;
  const uint64_t written_before = store_->stats().pages_written;
  const Changes changes = Scattered(0);
  Checkpoint(changes);
  const PageStoreStats stats = store_->stats();
  EXPECT_EQ(stats.slice_records, changes.size());
  EXPECT_EQ(stats.records, records);
  // Instead of every leaf.
  EXPECT_LT(stats.pages_written - written_before, stats.live_pages / 4);
  ExpectModel();
}

TEST_F(PageStoreSliceTest, AStoreThatFitsInTheCacheHasNone) {
  Checkpoint(Scattered(0));
  EXPECT_GT(store_->stats().slice_records, 0u);
  store_.reset();
  PageStoreOptions options = SmallStoreOptions(&env_);
  options.slices_above_bytes.reset();
  options.cache_size_bytes = size_t{64} << 20;
  absl::StatusOr<std::unique_ptr<PageStore>> store = PageStore::Open(kPath, options);
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  // Everywhere, so that every node is folded.
  Checkpoint(Scattered(0));
  EXPECT_EQ(store_->stats().slice_records, 0u);
  EXPECT_EQ(store_->stats().records, model_.size());
  ExpectModel();
}

TEST_F(PageStoreSliceTest, TheNewestSliceDecides) {
  Checkpoint(Scattered(0));
  Checkpoint(Scattered(0));
  Checkpoint(Scattered(33));  // deletes what the first two had put, and the other way around
  EXPECT_GT(store_->stats().slice_records, 0u);
  ExpectModel();
}

TEST_F(PageStoreSliceTest, SlicesAreThereAfterAReopen) {
  Checkpoint(Scattered(0));
  Open();
  EXPECT_GT(store_->stats().slice_records, 0u);
  ExpectModel();
}

TEST_F(PageStoreSliceTest, ManyCheckpointsFoldWhatHasGathered) {
  uint64_t slice_pages = 0;
  int folds = 0;
  for (int i = 0; i < 60; ++i) {
    Checkpoint(Scattered(i * 11 % 40));
    folds += store_->stats().slice_pages < slice_pages ? 1 : 0;
    slice_pages = store_->stats().slice_pages;
    ASSERT_EQ(store_->Verify(), absl::OkStatus()) << i;
  }
  EXPECT_GT(folds, 2);
  EXPECT_LT(folds, 30);
  ExpectModel();
}

TEST_F(PageStoreSliceTest, SmallSlicesAreJoined) {
  // A tenth of the leaves, so that the share that is folded is far away.
  for (int round = 0; round < 30; ++round) {
    Changes changes;
    for (int i = round; i < kKeys; i += 400) changes[Key(i)] = absl::StrCat("round ", round);
    Checkpoint(changes);
    ASSERT_EQ(store_->Verify(), absl::OkStatus()) << round;
  }
  ExpectModel();
}

TEST_F(PageStoreSliceTest, TidyFoldsAllOfThem) {
  Checkpoint(Scattered(0));
  Checkpoint(Scattered(5));
  for (;;) {
    const absl::StatusOr<bool> more = store_->Tidy();
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
  }
  EXPECT_EQ(store_->stats().slice_records, 0u);
  EXPECT_EQ(store_->stats().slice_pages, 0u);
  EXPECT_EQ(store_->stats().records, model_.size());
  ExpectModel();
}

// A step folds 64 MiB of nodes. Were each to begin at the front, a large store's idle work would
// grow with the square of its size.
TEST_F(PageStoreSliceTest, TidyGoesOnWhereItEnded) {
  constexpr int kLargeKeys = 100000;
  const auto put = [&](int begin, int end, int step, size_t value_size) {
    Changes changes;
    for (int i = begin; i < end; i += step) changes[Key(i)] = std::string(value_size, 'c');
    Checkpoint(changes);
  };
  put(0, kLargeKeys, 1, 900);
  put(0, kLargeKeys, 40, 100);
  const uint64_t slice_pages = store_->stats().slice_pages;
  ASSERT_GT(slice_pages, 0u);
  ASSERT_TRUE(*store_->Tidy());
  ASSERT_LT(store_->stats().slice_pages, slice_pages / 2);
  ASSERT_GT(store_->stats().slice_pages, 0u);
  // In front of where it ended.
  put(0, kLargeKeys / 10, 40, 80);
  ASSERT_TRUE(*store_->Tidy());
  const uint64_t in_front = store_->stats().slice_pages;
  EXPECT_GT(in_front, 0u);
  EXPECT_LT(in_front, slice_pages / 5);
  // They are not forgotten.
  ASSERT_TRUE(*store_->Tidy());
  EXPECT_EQ(store_->stats().slice_pages, 0u);
  EXPECT_EQ(store_->stats().slice_records, 0u);
  EXPECT_EQ(store_->stats().records, model_.size());
  ExpectModel();
}

// There the pages of one node fit, and those that its folding frees are room for the next ones.
TEST_F(PageStoreSliceTest, TidyFoldsAllOfThemOnAFullDisk) {
  constexpr int kLargeKeys = 40000;
  Changes load;
  Changes changes;
  for (int i = 0; i < kLargeKeys; ++i) {
    load[Key(i)] = std::string(900, 'c');
    if (i % 40 == 0) changes[Key(i)] = std::string(100, 'd');
  }
  Checkpoint(load);
  Checkpoint(changes);
  const PageStoreStats before = store_->stats();
  ASSERT_GT(before.slice_pages, 0u);
  env_.SetCapacity((before.file_pages << 13) + (size_t{4} << 20));
  for (int steps = 0; store_->stats().slice_pages > 0; ++steps) {
    ASSERT_LT(steps, 100);
    const absl::StatusOr<bool> more = store_->Tidy();
    ASSERT_TRUE(more.ok()) << more.status();
    ASSERT_TRUE(*more);
  }
  EXPECT_EQ(store_->stats().records, model_.size());
  env_.SetCapacity(UINT64_MAX);
  ExpectModel();
}

// A slice takes as much space as the changes. Later there may be space, and reads get no slices to
// look at any more.
TEST_F(PageStoreSliceTest, AStoreThatFitsInTheCacheHasSomeForATimeAfterTheDiskWasFull) {
  store_.reset();
  PageStoreOptions options = SmallStoreOptions(&env_);
  options.slices_above_bytes = UINT64_MAX;
  store_ = *PageStore::Open(kPath, options);
  env_.SetCapacity(store_->stats().file_pages << 13);
  ASSERT_TRUE(absl::IsResourceExhausted(Apply(store_.get(), ++seq_, Scattered(0))));
  env_.SetCapacity((store_->stats().file_pages + 60) << 13);
  Checkpoint(Scattered(0));
  EXPECT_GT(store_->stats().slice_pages, 0u);
  env_.SetCapacity(UINT64_MAX);
  for (int round = 0; store_->stats().slice_pages > 0; ++round) {
    ASSERT_LT(round, 30);
    ASSERT_EQ(store_->Compact(), absl::OkStatus());
    Checkpoint(Scattered(round));
  }
  ExpectModel();
}

// What a source is short of is not the disk.
TEST_F(PageStoreSliceTest, AStoreThatFitsInTheCacheHasNoneAfterALoadWhoseSourceFailed) {
  class Exhausted : public MapChangeSource {
   public:
    using MapChangeSource::MapChangeSource;
    absl::Status status() const override { return absl::ResourceExhaustedError("its own quota"); }
  };
  store_.reset();
  PageStoreOptions options = SmallStoreOptions(&env_);
  options.slices_above_bytes = UINT64_MAX;
  store_ = *PageStore::Open(kPath, options);
  const Changes none;
  Exhausted source(none);
  ASSERT_TRUE(absl::IsResourceExhausted(store_->Load(&source)));
  Checkpoint(Scattered(0));
  EXPECT_EQ(store_->stats().slice_pages, 0u);
  ExpectModel();
}

TEST_F(PageStoreSliceTest, CompactFoldsAllOfThem) {
  Checkpoint(Scattered(0));
  ASSERT_EQ(store_->Compact(), absl::OkStatus());
  EXPECT_EQ(store_->stats().slice_records, 0u);
  EXPECT_EQ(store_->stats().records, model_.size());
  ExpectModel();
}

TEST_F(PageStoreSliceTest, AViewKeepsTheSlicesOfItsGeneration) {
  Checkpoint(Scattered(0));
  const View view = store_->GetView();
  const Model then = model_;
  for (int i = 1; i < 15; ++i) Checkpoint(Scattered(i));
  ASSERT_EQ(store_->Compact(), absl::OkStatus());
  EXPECT_EQ(*ReadForward(view), then);
  ExpectModel();
}

TEST_F(PageStoreSliceTest, LargeValuesGoThroughSlices) {
  for (int round = 0; round < 3; ++round) {
    Changes changes = Scattered(round);
    for (int i = 0; i < kKeys; i += 1000) {
      changes[Key(i)] = std::string(20000 + static_cast<size_t>(round), 'v');
    }
    Checkpoint(changes);
  }
  EXPECT_GT(store_->stats().slice_records, 0u);
  ExpectModel();
  ASSERT_EQ(store_->Compact(), absl::OkStatus());
  ExpectModel();
}

TEST_F(PageStoreSliceTest, TheKeyStaysReadableWhenItsValueCannotBeRead) {
  // Longer than what a ShortString keeps in itself: its memory is freed with it.
  const std::string large_key = Key(500) + std::string(80, 'k');
  Changes changes = Scattered(0);
  changes[large_key] = std::string(20000, 'v');
  Checkpoint(changes);
  EXPECT_GT(store_->stats().slice_records, 0u);
  const View view = store_->GetView();
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  cursor->Seek(large_key);
  ASSERT_TRUE(cursor->Valid());
  const std::string_view key = cursor->key();
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kRead; };
  env_.AddRule(std::move(rule));
  EXPECT_EQ(cursor->value(), "");
  EXPECT_FALSE(cursor->Valid());
  EXPECT_FALSE(cursor->status().ok());
  EXPECT_EQ(key, large_key);
  cursor->Next();
  EXPECT_FALSE(cursor->Valid());
  env_.ClearRules();
  cursor->Seek(large_key);
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->value(), model_[large_key]);
}

TEST_F(PageStoreSliceTest, EverythingDeletedThroughSlicesIsGoneWhenFolded) {
  for (int part = 0; part < 40; ++part) {
    Changes changes;
    for (int i = part; i < kKeys; i += 40) changes[Key(i)] = std::nullopt;
    Checkpoint(changes);
  }
  EXPECT_TRUE(model_.empty());
  ExpectModel();
  ASSERT_EQ(store_->Compact(), absl::OkStatus());
  EXPECT_EQ(store_->stats().records, 0u);
  ExpectModel();
}

TEST_F(PageStoreSliceTest, CursorsTurnAroundAmidSlices) {
  Checkpoint(Scattered(0));
  Checkpoint(Scattered(3));
  const View view = store_->GetView();
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  for (int i = 0; i < kKeys; i += 997) {
    cursor->Seek(Key(i));
    auto at = model_.lower_bound(Key(i));
    for (const int step : {1, 1, 1, -1, -1, -1, -1, 1, 1}) {
      ASSERT_EQ(cursor->Valid(), at != model_.end());
      ASSERT_EQ(cursor->key(), at->first);
      if (step < 0 && at == model_.begin()) break;
      step > 0 ? cursor->Next() : cursor->Prev();
      std::advance(at, step);
      if (at == model_.end()) break;
    }
    cursor->SeekForPrev(Key(i));
    auto before = model_.upper_bound(Key(i));
    ASSERT_EQ(cursor->Valid(), before != model_.begin());
    if (!cursor->Valid()) continue;
    EXPECT_EQ(cursor->key(), std::prev(before)->first);
  }
}

}  // namespace
}  // namespace emdb
