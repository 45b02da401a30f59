#include "pagestore/page_cache.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "pagestore/frame_arena.h"
#include "pagestore/node.h"
#include "pagestore/node_builder.h"
#include "pagestore/page_file.h"
#include "storage/aligned_buffer.h"
#include "storage/epoch.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = 8192;
constexpr uint32_t kFrames = 64;
constexpr PageId kFirst = 2;
constexpr uint32_t kPages = 500;

// A file of leaves, each with its own number as its only key.
class PageCacheTest : public testing::Test {
 protected:
  PageCacheTest() {
    auto file = OpenStoreFile(&env_, "dir/cache", {.write = true, .create = true});
    EXPECT_TRUE(file.ok()) << file.status();
    file_ = std::make_unique<PageFile>(*std::move(file), kPageSize, StoreId{});
    for (PageId id = kFirst; id < kFirst + kPages; ++id) refs_.push_back(WriteLeaf(id, "old"));
    cache_ = std::make_unique<PageCache>(
        file_.get(), *FrameArena::Create(size_t{kFrames} * kPageSize, kPageSize), &epoch_);
  }

  PageRef WriteLeaf(PageId id, std::string_view value) {
    AlignedBuffer page(kPageSize);
    const PageRef ref = BuildLeaf(id, value, page.data());
    EXPECT_TRUE(file_->WriteRun(id, {page.data(), kPageSize}).ok());
    return ref;
  }
  PageRef BuildLeaf(PageId id, std::string_view value, char* page) {
    NodeItems items(0);
    items.Add({std::to_string(id), {}, CellKind::kInline, value});
    items.Build(0, 1, {id, 1}, page, kPageSize);
    return SealPage(file_->crc_seed(), page, kPageSize);
  }
  PagePin Load(PageId id, PageCache::Use use = PageCache::Use::kPoint) {
    absl::StatusOr<PagePin> pin = cache_->Load(refs_[id - kFirst], 0, use);
    EXPECT_TRUE(pin.ok()) << pin.status();
    return *std::move(pin);
  }
  bool IsInMemory(PageId id) {
    return cache_->Pin(id, PageCache::Use::kSequential).data() != nullptr;
  }

  FaultEnv env_;
  Epoch epoch_;
  std::unique_ptr<PageFile> file_;
  std::vector<PageRef> refs_;
  std::unique_ptr<PageCache> cache_;
};

std::string KeyOf(const PagePin& pin) { return LeafView(pin.data()).key(0); }

TEST_F(PageCacheTest, APageIsReadOnceAndFoundAfterwards) {
  EXPECT_EQ(KeyOf(Load(5)), "5");
  EXPECT_EQ(KeyOf(Load(5)), "5");
  EXPECT_EQ(cache_->stats().misses, 1u);
  const EpochGuard guard(&epoch_);
  EXPECT_NE(cache_->Find(5, PageCache::Use::kPoint), nullptr);
  EXPECT_EQ(cache_->Find(6, PageCache::Use::kPoint), nullptr);
}

TEST_F(PageCacheTest, PagesThatAreLoadedAheadAreInMemory) {
  Load(6);
  std::vector<PageRef> wanted(refs_.begin(), refs_.begin() + 10);
  std::reverse(wanted.begin(), wanted.end());
  const uint64_t misses = cache_->stats().misses;
  cache_->LoadAhead(wanted, 0);
  EXPECT_EQ(cache_->stats().misses, misses + 9);
  for (PageId id = kFirst; id < kFirst + 10; ++id) {
    EXPECT_TRUE(IsInMemory(id)) << id;
    EXPECT_EQ(KeyOf(Load(id)), std::to_string(id));
  }
  EXPECT_EQ(cache_->stats().misses, misses + 9);
  // More than there are frames: as many as go.
  cache_->LoadAhead(refs_, 0);
  EXPECT_LE(cache_->stats().used_bytes, cache_->stats().capacity_bytes);
  for (PageId id = kFirst; id < kFirst + 100; ++id) ASSERT_EQ(KeyOf(Load(id)), std::to_string(id));
}

TEST_F(PageCacheTest, WhatCannotBeLoadedAheadIsLeftToLoad) {
  AlignedBuffer page(kPageSize);
  std::memset(page.data(), 'x', kPageSize);
  ASSERT_TRUE(file_->WriteRun(7, {page.data(), kPageSize}).ok());
  const std::vector<PageRef> wanted = {refs_[4], refs_[5], refs_[6]};
  ASSERT_EQ(wanted[1].id, 7u);
  cache_->LoadAhead(wanted, 0);
  EXPECT_TRUE(IsInMemory(6));
  EXPECT_FALSE(IsInMemory(7));
  EXPECT_TRUE(IsInMemory(8));
  EXPECT_EQ(cache_->Load(refs_[5], 0, PageCache::Use::kPoint).status().code(),
            absl::StatusCode::kDataLoss);
  // Reads fail: none is there, and each says so itself.
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kRead; };
  rule.count = 1;
  env_.AddRule(std::move(rule));
  cache_->LoadAhead({refs_[20], refs_[21]}, 0);
  EXPECT_FALSE(IsInMemory(refs_[20].id));
  EXPECT_FALSE(IsInMemory(refs_[21].id));
  EXPECT_EQ(KeyOf(Load(refs_[20].id)), std::to_string(refs_[20].id));
}

TEST_F(PageCacheTest, MorePagesThanFramesPassThrough) {
  for (int round = 0; round < 3; ++round) {
    for (PageId id = kFirst; id < kFirst + kPages; ++id) {
      ASSERT_EQ(KeyOf(Load(id)), std::to_string(id));
    }
  }
  EXPECT_LE(cache_->stats().used_bytes, cache_->stats().capacity_bytes);
  EXPECT_GT(cache_->stats().evictions, kPages);
}

TEST_F(PageCacheTest, PinnedPagesStayAndTheRestStillWorks) {
  std::vector<PagePin> pins;
  for (PageId id = kFirst; id < kFirst + 2 * kFrames; ++id) pins.push_back(Load(id));
  for (uint32_t i = 0; i < pins.size(); ++i) {
    ASSERT_EQ(KeyOf(pins[i]), std::to_string(kFirst + i));
  }
  EXPECT_EQ(KeyOf(Load(400)), "400");
  pins.clear();
  for (PageId id = 300; id < 400; ++id) ASSERT_EQ(KeyOf(Load(id)), std::to_string(id));
}

TEST_F(PageCacheTest, EraseUnusedKeepsWhatPointReadersFound) {
  for (const PageId id : {5, 6, 7}) Load(id);
  Load(6);
  Load(7, PageCache::Use::kSequential);
  const PageId ids[] = {5, 6, 7, 8};
  cache_->EraseUnused(ids);
  EXPECT_FALSE(IsInMemory(5));
  EXPECT_TRUE(IsInMemory(6));
  EXPECT_FALSE(IsInMemory(7));
  EXPECT_FALSE(IsInMemory(8));
  EXPECT_EQ(KeyOf(Load(5)), "5");
}

TEST_F(PageCacheTest, AHeldGuardStopsReuseButNotReading) {
  const EpochGuard guard(&epoch_);
  for (PageId id = kFirst; id < kFirst + kFrames / 2; ++id) Load(id);
  const char* page = cache_->Find(kFirst, PageCache::Use::kPoint);
  ASSERT_NE(page, nullptr);
  for (PageId id = kFirst; id < kFirst + kPages; ++id) {
    ASSERT_EQ(KeyOf(Load(id)), std::to_string(id));
  }
  EXPECT_EQ(LeafView(page).key(0), std::to_string(kFirst));
}

TEST_F(PageCacheTest, AScanDoesNotDriveOutWhatIsUsed) {
  constexpr PageId kHot = 20;
  for (int round = 0; round < 3; ++round) {
    for (PageId id = kFirst; id < kFirst + kHot; ++id) Load(id);
  }
  for (PageId id = kFirst + 100; id < kFirst + kPages; ++id) {
    Load(id, PageCache::Use::kSequential);
  }
  uint32_t kept = 0;
  for (PageId id = kFirst; id < kFirst + kHot; ++id) kept += IsInMemory(id) ? 1 : 0;
  EXPECT_GE(kept, kHot * 9 / 10);
}

TEST_F(PageCacheTest, TheMemoryOfErasedPagesIsUsedAgainBeforeOtherIsTaken) {
  const char* const memory = Load(7).data();
  cache_->Erase({{7, 1}});
  EXPECT_EQ(Load(8).data(), memory);
}

TEST_F(PageCacheTest, ErasedPagesAreReadAnew) {
  Load(7);
  refs_[7 - kFirst] = WriteLeaf(7, "new");
  cache_->Erase({{7, 1}});
  EXPECT_FALSE(IsInMemory(7));
  EXPECT_EQ(LeafView(Load(7).data()).cell(0).payload, "new");
}

TEST_F(PageCacheTest, APinOutlivesTheErasure) {
  const PagePin pin = Load(7);
  cache_->Erase({{7, 1}});
  for (PageId id = 100; id < 100 + 2 * kFrames; ++id) Load(id);
  EXPECT_EQ(KeyOf(pin), "7");
}

TEST_F(PageCacheTest, ErasedPagesThatArePinnedDoNotKeepOthersOut) {
  std::vector<PagePin> pins;
  for (PageId id = kFirst; id < kFirst + 8; ++id) pins.push_back(Load(id));
  for (PageId id = 100; id < 100 + kFrames; ++id) Load(id);
  cache_->Erase({{kFirst, 8}});
  for (PageId id = 200; id < 200 + kFrames; ++id) {
    Load(id);
    EXPECT_TRUE(IsInMemory(id)) << id;
  }
  for (uint32_t i = 0; i < pins.size(); ++i) EXPECT_EQ(KeyOf(pins[i]), std::to_string(kFirst + i));
}

TEST_F(PageCacheTest, DemotedPagesLeaveFirst) {
  for (int round = 0; round < 2; ++round) {
    for (PageId id = kFirst; id < kFirst + kFrames / 2; ++id) Load(id);
  }
  cache_->Demote({{kFirst, 4}});
  for (PageId id = 200; id < 200 + kFrames / 2 + 2; ++id) Load(id);
  EXPECT_FALSE(IsInMemory(kFirst));
  EXPECT_TRUE(IsInMemory(kFirst + 10));
}

TEST_F(PageCacheTest, InsertedPagesAreFound) {
  AlignedBuffer page(kPageSize);
  BuildLeaf(9, "inserted", page.data());
  cache_->Insert(9, page.data(), /*evict=*/false);
  EXPECT_EQ(LeafView(Load(9).data()).cell(0).payload, "inserted");
  EXPECT_EQ(cache_->stats().misses, 0u);
}

TEST_F(PageCacheTest, WithoutRoomInsertDoesNothingUnlessItMayEvict) {
  for (PageId id = kFirst; id < kFirst + 2 * kFrames; ++id) Load(id);
  AlignedBuffer page(kPageSize);
  BuildLeaf(400, "value", page.data());
  cache_->Insert(400, page.data(), /*evict=*/false);
  EXPECT_FALSE(IsInMemory(400));
  cache_->Insert(400, page.data(), /*evict=*/true);
  EXPECT_TRUE(IsInMemory(400));
}

TEST_F(PageCacheTest, DamagedPagesAreReportedAndNotKept) {
  absl::StatusOr<PagePin> pin = cache_->Load({7, refs_[7 - kFirst].crc ^ 1}, 0, {});
  EXPECT_TRUE(absl::IsDataLoss(pin.status())) << pin.status();
  EXPECT_FALSE(IsInMemory(7));
  EXPECT_TRUE(absl::IsDataLoss(cache_->Load(refs_[7 - kFirst], 1, {}).status()));
  EXPECT_EQ(KeyOf(Load(7)), "7");
}

TEST_F(PageCacheTest, ManyThreadsReadMoreThanFits) {
  std::atomic<uint32_t> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      for (int i = 0; i < 5000; ++i) {
        const PageId id = kFirst + static_cast<PageId>(random() % (2 * kFrames));
        {
          const EpochGuard guard(&epoch_);
          const char* page = cache_->Find(id, PageCache::Use::kPoint);
          if (page != nullptr && LeafView(page).key(0) != std::to_string(id)) ++wrong;
        }
        if (KeyOf(Load(id)) != std::to_string(id)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace emdb
