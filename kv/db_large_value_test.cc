// A value of the size EMDB_VALUE_MIB (64 MiB by default, 1 GiB, the largest, in the manual target),
// in real files: written, read back, moved to the page store, and found again by the next open,
// before and after that; and salvaged.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/salvage.h"
#include "kv/test_setting.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

std::string NewValue(size_t size) {
  std::string value(size, '\0');
  std::mt19937_64 random(7);
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    const uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), std::min(sizeof(word), size - i), &value[i]);
  }
  return value;
}

class DbLargeValueTest : public testing::Test {
 protected:
  DbLargeValueTest() {
    options_.memtable_size = 1 << 20;
    options_.cache_size = 8 << 20;
    Open();
  }

  void Open() {
    db_.reset();
    auto db = Db::Open(options_, directory_.Path("store.emdb"));
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void Reopen() {
    ASSERT_TRUE(db_->Close().ok());
    Open();
  }

  void ExpectValue(std::string_view expected) {
    std::string value;
    ASSERT_TRUE(db_->Get("large", &value).ok());
    // Not EXPECT_EQ, which would print both.
    EXPECT_TRUE(value == expected);
    const std::unique_ptr<Iterator> it = db_->NewIterator();
    it->Seek("l");
    ASSERT_TRUE(it->Valid()) << it->status();
    EXPECT_TRUE(it->value() == expected);
    it->Next();
    ASSERT_TRUE(it->Valid()) << it->status();
    EXPECT_EQ(it->key(), "small");
  }

  // Into a store of its own.
  void ExpectSalvaged(std::string_view expected) {
    ASSERT_TRUE(db_->Close().ok());
    const std::string copy = directory_.Path("copy.emdb");
    const absl::StatusOr<SalvageReport> report =
        Salvage(nullptr, directory_.Path("store.emdb"), copy);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->lost.empty());
    const absl::StatusOr<std::unique_ptr<Db>> salvaged = Db::Open(options_, copy);
    ASSERT_TRUE(salvaged.ok()) << salvaged.status();
    std::string value;
    ASSERT_TRUE((*salvaged)->Get("large", &value).ok());
    EXPECT_TRUE(value == expected);
    Open();
  }

  const TempDirectory directory_;
  Options options_;
  std::unique_ptr<Db> db_;
};

TEST_F(DbLargeValueTest, IsReadBackAtEveryStageOfItsLife) {
  const std::string value = NewValue(TestSetting("EMDB_VALUE_MIB", 64) << 20);
  ASSERT_TRUE(db_->Put("small", "1").ok());
  ASSERT_TRUE(db_->Put("large", value, {.sync = true}).ok());
  ExpectValue(value);
  Reopen();
  ExpectValue(value);
  ASSERT_TRUE(db_->Checkpoint().ok());
  ExpectValue(value);
  Reopen();
  ExpectValue(value);
  EXPECT_TRUE(db_->Verify().ok());
  ExpectSalvaged(value);

  ASSERT_TRUE(db_->Delete("large").ok());
  ASSERT_TRUE(db_->Compact().ok());
  std::string unused;
  EXPECT_TRUE(absl::IsNotFound(db_->Get("large", &unused)));
  const PageStoreStats stats = db_->GetStats().page_store;
  EXPECT_LT(stats.file_pages * stats.page_size_bytes, value.size() / 10) << "its space is back";
  ASSERT_TRUE(db_->Close().ok());
}

TEST_F(DbLargeValueTest, ABatchIsHeldToTheSizeOfTheLargestPut) {
  if (TestSetting("EMDB_VALUE_MIB", 64) << 20 < Db::kMaxValueBytes) {
    GTEST_SKIP() << "only with a value of 1 GiB";
  }
  const std::string value(Db::kMaxValueBytes, 'v');
  WriteBatch batch;
  batch.Put(std::string(Db::kMaxKeyBytes, 'k'), value);
  EXPECT_TRUE(batch.Validate().ok()) << batch.Validate();
  batch.Put("more", std::string(2000, 'v'));
  EXPECT_TRUE(absl::IsInvalidArgument(batch.Validate())) << batch.Validate();
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Write(batch)));
  EXPECT_EQ(db_->GetStats().next_seq, 0u);
}

}  // namespace
}  // namespace emdb
