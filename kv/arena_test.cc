#include "kv/arena.h"

#include <cstring>
#include <utility>

#include "gtest/gtest.h"

namespace emdb {
namespace {

std::unique_ptr<Arena> NewArena(size_t capacity_bytes) {
  absl::StatusOr<std::unique_ptr<Arena>> arena = Arena::Create(capacity_bytes);
  EXPECT_TRUE(arena.ok()) << arena.status();
  return std::move(arena).value();
}

TEST(ArenaTest, HandsOutAlignedMemoryThatDoesNotOverlap) {
  std::unique_ptr<Arena> arena = NewArena(1 << 20);
  const Arena::Ref first = arena->Allocate(13, 8);
  const Arena::Ref node = arena->Allocate(1024, 64);
  const Arena::Ref last = arena->Allocate(1, 8);
  EXPECT_NE(first, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(arena->At(node)) % 64, 0u);
  std::memset(arena->At(first), 1, 13);
  std::memset(arena->At(node), 2, 1024);
  std::memset(arena->At(last), 3, 1);
  EXPECT_EQ(arena->At(first)[12], 1);
  EXPECT_EQ(arena->At(node)[1023], 2);
  EXPECT_GE(arena->used_bytes(), 13u + 1024 + 1);
}

TEST(ArenaTest, TheWholeCapacityCanBeUsed) {
  std::unique_ptr<Arena> arena = NewArena(4096);
  const Arena::Ref ref = arena->Allocate(4096, 8);
  std::memset(arena->At(ref), 7, 4096);
  EXPECT_EQ(arena->used_bytes(), arena->capacity_bytes());
}

TEST(ArenaTest, ResetStartsOver) {
  std::unique_ptr<Arena> arena = NewArena(1 << 20);
  const size_t empty = arena->used_bytes();
  const Arena::Ref before = arena->Allocate(100, 8);
  arena->Reset();
  EXPECT_EQ(arena->used_bytes(), empty);
  EXPECT_EQ(arena->Allocate(100, 8), before);
}

TEST(ArenaPoolTest, AnArenaGivenBackIsTakenAgain) {
  ArenaPool pool(1 << 20);
  std::unique_ptr<Arena> arena = std::move(pool.Take(1 << 10)).value();
  EXPECT_GE(arena->capacity_bytes(), size_t{1} << 20);
  Arena* const address = arena.get();
  arena->Allocate(1000, 8);
  pool.GiveBack(std::move(arena));
  std::unique_ptr<Arena> again = std::move(pool.Take(1 << 20)).value();
  EXPECT_EQ(again.get(), address);
  EXPECT_LT(again->used_bytes(), 1000u);
}

TEST(ArenaPoolTest, ALargerNeedGetsAnArenaOfItsOwnThatIsNotKept) {
  ArenaPool pool(1 << 20);
  std::unique_ptr<Arena> large = std::move(pool.Take(1 << 22)).value();
  EXPECT_GE(large->capacity_bytes(), size_t{1} << 22);
  large->Allocate(2 << 20, 8);
  pool.GiveBack(std::move(large));
  std::unique_ptr<Arena> next = std::move(pool.Take(1 << 20)).value();
  EXPECT_LT(next->capacity_bytes(), size_t{1} << 22);
}

// For a batch that was not written after all.
TEST(ArenaPoolTest, ALargeArenaIsNotKeptThoughLittleOfItWasUsed) {
  ArenaPool pool(1 << 20);
  pool.GiveBack(std::move(pool.Take(1 << 22)).value());
  std::unique_ptr<Arena> next = std::move(pool.Take(1 << 20)).value();
  EXPECT_LT(next->capacity_bytes(), size_t{1} << 22);
}

}  // namespace
}  // namespace emdb
