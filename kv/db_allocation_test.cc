// What a Get allocates: nothing, whether it finds its value in the memtable, in the tree, or not at
// all. Counted by an operator new of this program's own.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "gtest/gtest.h"
#include "kv/db.h"

namespace {

// Of the calling thread, so that what the Db does in the background does not count.
thread_local uint64_t allocations = 0;

}  // namespace

// Not inlined: the compiler would see malloc on one side of a pair and delete on the other.
__attribute__((noinline)) void* operator new(size_t size) {
  allocations++;
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace emdb {
namespace {

std::string Key(int n) { return "a key of some length " + std::to_string(1'000'000 + n); }

class DbAllocationTest : public testing::Test {
 protected:
  DbAllocationTest() {
    auto db = Db::OpenInMemory({});
    EXPECT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    for (int i = 0; i < 10'000; i += 2) {
      EXPECT_TRUE(db_->Put(Key(i), std::string(150, 'v')).ok());
    }
    value_.reserve(1000);
  }

  // Of looking the keys up; the first one comes twice, uncounted at first: a thread's first call
  // sets things up.
  uint64_t AllocationsOfGets(int begin, bool is_found) {
    EXPECT_EQ(db_->Get(Key(begin), &value_).ok(), is_found);
    uint64_t sum = 0;
    for (int i = begin; i < 10'000; i += 2) {
      const std::string key = Key(i);
      const uint64_t before = allocations;
      const absl::Status status = db_->Get(key, &value_);
      sum += allocations - before;
      EXPECT_EQ(status.ok(), is_found);
      EXPECT_EQ(absl::IsNotFound(status), !is_found);
    }
    return sum;
  }

  std::unique_ptr<Db> db_;
  std::string value_;
};

TEST_F(DbAllocationTest, NoneFromTheMemtable) {
  EXPECT_EQ(AllocationsOfGets(0, true), 0u);
  EXPECT_EQ(AllocationsOfGets(1, false), 0u);
}

TEST_F(DbAllocationTest, NoneFromTheTree) {
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(AllocationsOfGets(0, true), 0u);
  EXPECT_EQ(AllocationsOfGets(1, false), 0u);
}

TEST_F(DbAllocationTest, NoneForAPinnedValue) {
  ASSERT_TRUE(db_->Checkpoint().ok());
  PinnedValue value;
  ASSERT_TRUE(db_->Get(Key(0), &value).ok());
  const std::string found = Key(2);
  const std::string missing = Key(1);
  const uint64_t before = allocations;
  const bool is_found = db_->Get(found, &value).ok() && value.is_pinned();
  const bool is_missing = absl::IsNotFound(db_->Get(missing, &value));
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(is_found && is_missing);
}

TEST_F(DbAllocationTest, NoneFromTheTreeBehindAMemtable) {
  ASSERT_TRUE(db_->Checkpoint().ok());
  for (int i = 10'000; i < 12'000; ++i) ASSERT_TRUE(db_->Put(Key(i), "other").ok());
  EXPECT_EQ(AllocationsOfGets(0, true), 0u);
  EXPECT_EQ(AllocationsOfGets(1, false), 0u);
}

TEST_F(DbAllocationTest, NoneForADeletedKey) {
  for (int i = 0; i < 10'000; i += 2) ASSERT_TRUE(db_->Delete(Key(i)).ok());
  EXPECT_EQ(AllocationsOfGets(0, false), 0u);
}

TEST_F(DbAllocationTest, ACountThatIsRight) {
  const uint64_t before = allocations;
  const auto one = std::make_unique<int>(1);
  EXPECT_EQ(allocations - before, 1u);
}

}  // namespace
}  // namespace emdb
