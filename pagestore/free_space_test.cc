#include "pagestore/free_space.h"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "pagestore/page_file.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = 8192;

class FreeSpaceTest : public testing::Test {
 protected:
  FreeSpaceTest() {
    absl::StatusOr<std::unique_ptr<File>> file =
        OpenStoreFile(&env_, "dir/space", {.write = true, .create = true});
    EXPECT_TRUE(file.ok()) << file.status();
    file_ = std::make_unique<PageFile>(*std::move(file), kPageSize, StoreId{});
    header_.page_size = kPageSize;
    header_.generation = kFirstGeneration;
    space_ = std::make_unique<FreeSpace>(file_.get());
    space_->Reset(header_);
  }

  PageRun AllocateUpTo(uint32_t max) {
    absl::StatusOr<PageRun> run = space_->AllocateUpTo(max);
    EXPECT_TRUE(run.ok()) << run.status();
    return *run;
  }
  PageRun AllocateExactly(uint32_t count) {
    absl::StatusOr<PageRun> run = space_->AllocateExactly(count);
    EXPECT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(run->count, count);
    return *run;
  }
  void Commit() {
    StoreHeader next = header_;
    ++next.generation;
    const absl::StatusOr<PageId> move_from = space_->EndToMove(FreeSpace::Shrink::kWhenHalfIsFree);
    ASSERT_TRUE(move_from.ok()) << move_from.status();
    const absl::Status status = space_->WriteMap(&next, *move_from);
    ASSERT_TRUE(status.ok()) << status;
    header_ = next;
    space_->Commit(header_.generation);
  }
  // As after closing and opening.
  void Reopen() {
    space_ = std::make_unique<FreeSpace>(file_.get());
    space_->Reset(header_);
  }
  // The pages that the map on disk calls used, without those of the map.
  std::set<PageId> UsedOnDisk() {
    std::set<PageId> used;
    absl::StatusOr<FreeMap> map = ReadFreeMap(*file_, header_);
    EXPECT_TRUE(map.ok()) << map.status();
    for (uint32_t i = 0; i < map->levels[0].size(); ++i) {
      absl::StatusOr<PageBitmap> bits = ReadBitmap(*file_, map->levels[0][i], i);
      EXPECT_TRUE(bits.ok()) << bits.status();
      for (uint32_t bit = bits->NextSet(0); bit < bits->size(); bit = bits->NextSet(bit + 1)) {
        used.insert(i * bits->size() + bit);
      }
    }
    EXPECT_EQ(used.size(), header_.used_pages);
    for (const auto& level : map->levels) {
      for (const MapEntry& entry : level) {
        if (entry.ref.exists()) {
          EXPECT_EQ(used.erase(entry.ref.id), 1u);
        }
      }
    }
    EXPECT_EQ(used.erase(0) + used.erase(1), kHeaderSlots);
    return used;
  }

  FaultEnv env_;
  std::unique_ptr<PageFile> file_;
  StoreHeader header_;
  std::unique_ptr<FreeSpace> space_;
};

std::set<PageId> PagesOf(const std::vector<PageRun>& runs) {
  std::set<PageId> pages;
  for (const PageRun& run : runs) {
    for (uint64_t id = run.first; id < run.end(); ++id) pages.insert(static_cast<PageId>(id));
  }
  return pages;
}

TEST_F(FreeSpaceTest, HandsOutTheLowestPagesFirst) {
  EXPECT_EQ(AllocateUpTo(10), (PageRun{2, 10}));
  EXPECT_EQ(AllocateUpTo(10), (PageRun{12, 10}));
  EXPECT_EQ(space_->used_pages(), 22u);
}

TEST_F(FreeSpaceTest, WhatIsGivenBackIsHandedOutAgain) {
  AllocateUpTo(10);
  ASSERT_TRUE(space_->GiveBack({7, 5}).ok());
  EXPECT_EQ(AllocateUpTo(3), (PageRun{7, 3}));
}

TEST_F(FreeSpaceTest, ASearchForAnExactNumberDoesNotGoBackForWhatIsGivenBack) {
  AllocateExactly(10);
  AllocateExactly(5);
  ASSERT_TRUE(space_->GiveBack({4, 6}).ok());
  EXPECT_EQ(AllocateExactly(6), (PageRun{17, 6}));
  EXPECT_EQ(AllocateUpTo(10), (PageRun{4, 6}));
}

TEST_F(FreeSpaceTest, ALargeNumberForWhichThereIsNoHoleLeavesTheHolesToSmallerOnes) {
  std::vector<PageRun> small;
  for (int i = 0; i < 20; ++i) small.push_back(AllocateExactly(2));
  Commit();
  for (int i = 0; i < 20; i += 2) ASSERT_TRUE(space_->Free(small[i]).ok());
  Commit();
  space_->Reclaim(header_.generation);
  const PageRun large = AllocateExactly(300);
  EXPECT_GE(large.first, small.back().end());
  for (int i = 0; i < 20; i += 2) EXPECT_EQ(AllocateExactly(2), small[i]);
  EXPECT_GE(AllocateExactly(2).first, large.end());
}

TEST_F(FreeSpaceTest, FreedPagesAreUsedAgainOnlyAfterReclaim) {
  const PageRun run = AllocateUpTo(10);
  Commit();
  ASSERT_TRUE(space_->Free(run).ok());
  EXPECT_GE(AllocateUpTo(10).first, run.end());
  Commit();
  EXPECT_TRUE(space_->Reclaim(header_.generation - 1).empty() ||
              PagesOf(space_->Reclaim(header_.generation - 1)).count(run.first) == 0);
  EXPECT_GE(AllocateUpTo(10).first, run.end());
  Commit();
  space_->Reclaim(header_.generation);
  EXPECT_EQ(AllocateUpTo(10).first, run.first);
}

TEST_F(FreeSpaceTest, PagesThatAreNotUsedCannotBeFreed) {
  AllocateUpTo(10);
  EXPECT_TRUE(absl::IsDataLoss(space_->Free({11, 2})));
  EXPECT_TRUE(absl::IsDataLoss(space_->Free({1000000, 1})));
}

TEST_F(FreeSpaceTest, ResetForgetsWhatWasNotCommitted) {
  const PageRun run = AllocateUpTo(10);
  Commit();
  const uint64_t used = space_->used_pages();
  const uint64_t pending = space_->pending_pages();
  ASSERT_TRUE(space_->Free(run).ok());
  AllocateUpTo(50);
  space_->Reset(header_);
  EXPECT_EQ(space_->used_pages(), used);
  EXPECT_EQ(space_->pending_pages(), pending);
  EXPECT_TRUE(space_->Free(run).ok());
}

TEST_F(FreeSpaceTest, TheFileEndsBehindItsLastUsedPage) {
  const PageRun low = AllocateUpTo(10);
  const PageRun high = AllocateExactly(1000);
  Commit();
  EXPECT_GE(header_.file_pages, high.end());
  ASSERT_TRUE(space_->Free(high).ok());
  Commit();  // the pages are pending, so the file keeps them
  EXPECT_GE(header_.file_pages, high.end());
  for (int i = 0; i < 2; ++i) {
    space_->Reclaim(header_.generation);
    Commit();  // the first moves the map's page to the front
  }
  EXPECT_LT(header_.file_pages, low.end() + 10);
}

TEST_F(FreeSpaceTest, ACheckpointMovesAFewMiBAtMostAndAnIdleStoreAPartOfTheFile) {
  const PageRun low = AllocateExactly(60'000);
  AllocateExactly(40'000);
  Commit();
  ASSERT_TRUE(space_->Free(low).ok());
  Commit();
  space_->Reclaim(header_.generation);
  const absl::StatusOr<PageId> ordinary = space_->EndToMove(FreeSpace::Shrink::kWhenHalfIsFree);
  const absl::StatusOr<PageId> idle = space_->EndToMove(FreeSpace::Shrink::kWhenIdle);
  ASSERT_TRUE(ordinary.ok() && idle.ok());
  EXPECT_GE(header_.file_pages - *ordinary, 2000u);
  EXPECT_LE(header_.file_pages - *ordinary, 2200u);
  EXPECT_GE(header_.file_pages - *idle, 6000u);
}

TEST_F(FreeSpaceTest, RunsCrossTheBordersOfBitmapPages) {
  const uint32_t border = BitmapPages(kPageSize);
  const PageRun run = AllocateExactly(border + 100);
  EXPECT_EQ(run.first, 2u);
  Commit();
  EXPECT_EQ(header_.map_level, 1u);
  EXPECT_EQ(UsedOnDisk(), PagesOf({run}));
  Reopen();
  ASSERT_TRUE(space_->Free({border - 5, 10}).ok());
  Commit();
  space_->Reclaim(header_.generation);
  EXPECT_EQ(AllocateExactly(10), (PageRun{border - 5, 10}));
}

TEST_F(FreeSpaceTest, TheMapShrinksWithTheFile) {
  const PageRun run = AllocateExactly(3 * BitmapPages(kPageSize));
  Commit();
  EXPECT_EQ(header_.map_level, 1u);
  ASSERT_TRUE(space_->Free(run).ok());
  for (int i = 0; i < 4; ++i) {
    Commit();
    space_->Reclaim(header_.generation);
  }
  Commit();
  EXPECT_EQ(header_.map_level, 0u);
  EXPECT_LT(header_.file_pages, 100u);
}

TEST_F(FreeSpaceTest, TheCostOfACommitFollowsTheChange) {
  AllocateExactly(20 * BitmapPages(kPageSize));
  Commit();
  const uint64_t before = file_->counters().bytes_written.load();
  ASSERT_TRUE(space_->Free({5, 1}).ok());
  Commit();
  EXPECT_LE(file_->counters().bytes_written.load() - before, 6 * uint64_t{kPageSize});
}

// What a seeded history allocates and frees, against sets of pages.
TEST_F(FreeSpaceTest, AgreesWithSetsOfPages) {
  constexpr uint64_t kSeed = 21;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  std::map<PageId, uint32_t> live;  // runs
  std::set<PageId> used;
  for (int generation = 0; generation < 60; ++generation) {
    const size_t frees = random() % (live.size() / 2 + 1);
    for (size_t i = 0; i < frees; ++i) {
      const auto at = std::next(live.begin(), static_cast<int64_t>(random() % live.size()));
      ASSERT_TRUE(space_->Free({at->first, at->second}).ok());
      for (uint32_t page = 0; page < at->second; ++page) used.erase(at->first + page);
      live.erase(at);
    }
    for (size_t i = random() % 40; i-- > 0;) {
      const uint32_t count = 1 + random() % 300;
      const PageRun run = random() % 2 == 0 ? AllocateUpTo(count) : AllocateExactly(count);
      for (uint64_t id = run.first; id < run.end(); ++id) {
        ASSERT_TRUE(used.insert(static_cast<PageId>(id)).second) << "handed out twice";
      }
      live[run.first] = run.count;
    }
    ASSERT_NO_FATAL_FAILURE(Commit());
    ASSERT_EQ(UsedOnDisk(), used);
    if (random() % 3 == 0) space_->Reclaim(header_.generation);
    if (random() % 8 == 0) Reopen();
  }
}

}  // namespace
}  // namespace emdb
