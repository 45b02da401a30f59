#include "tools/quickstart/kill_proof.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "storage/status.h"

namespace emdb::quickstart {
namespace {

constexpr uint64_t kSeed = 11;

PackageIndex MakeIndex() {
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    absl::StrAppend(&text, "Package: p", i * 7919 % 5000, "\nDescription: number ", i, "\n\n");
  }
  absl::StatusOr<PackageIndex> index = PackageIndex::Parse(std::move(text));
  EXPECT_TRUE(index.ok()) << index.status();
  return *std::move(index);
}

class KillProofTest : public ::testing::Test {
 protected:
  KillProofTest()
      : index_(MakeIndex()),
        path_(absl::StrCat(::testing::TempDir(), "/",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                           ".emdb")),
        proof_(&index_, path_, kSeed) {}

  // Does behind the proof's back what a database that loses data would have done.
  template <typename Change>
  void Tamper(Change change) const {
    absl::StatusOr<std::unique_ptr<Db>> db = Db::Open({.create_if_missing = false}, path_);
    ASSERT_TRUE(db.ok()) << db.status();
    ASSERT_TRUE(change(db->get()).ok());
    ASSERT_TRUE((*db)->Close().ok());
  }

  const PackageIndex index_;
  const std::string path_;
  KillProof proof_;
};

TEST_F(KillProofTest, AKilledWriterLosesNothingThatWasAcknowledged) {
  const absl::StatusOr<KillProof::Round> first = proof_.KillAndCheck();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GT(first->acknowledged, 0u);
  EXPECT_GE(first->recovered, first->acknowledged);
  const absl::StatusOr<KillProof::Round> second = proof_.KillAndCheck();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->first, first->recovered);
  EXPECT_GT(second->acknowledged, first->recovered);
  const absl::StatusOr<Stats> finished = proof_.Finish();
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->next_seq, index_.packages().size() / KillProof::kBatchPackages);
}

TEST_F(KillProofTest, AMissingRecordIsNoticed) {
  ASSERT_TRUE(proof_.KillAndCheck().ok());
  Tamper([this](Db* db) { return db->Delete(index_.packages()[3].name, {.sync = true}); });
  EXPECT_TRUE(absl::IsDataLoss(proof_.KillAndCheck().status()));
}

TEST_F(KillProofTest, OtherBytesAreNoticed) {
  ASSERT_TRUE(proof_.KillAndCheck().ok());
  Tamper([this](Db* db) { return db->Put(index_.packages()[3].name, "?", {.sync = true}); });
  EXPECT_TRUE(absl::IsDataLoss(proof_.KillAndCheck().status()));
}

TEST_F(KillProofTest, AnInventedRecordIsNoticed) {
  ASSERT_TRUE(proof_.KillAndCheck().ok());
  Tamper([](Db* db) { return db->Put("not a package", "", {.sync = true}); });
  EXPECT_TRUE(absl::IsDataLoss(proof_.KillAndCheck().status()));
}

TEST_F(KillProofTest, HalfABatchIsNoticed) {
  const absl::StatusOr<KillProof::Round> first = proof_.KillAndCheck();
  ASSERT_TRUE(first.ok()) << first.status();
  // As if the last batch had lost a record, and nothing was acknowledged behind.
  Tamper([&](Db* db) {
    return db->Delete(index_.packages()[first->recovered - 1].name, {.sync = true});
  });
  EXPECT_TRUE(absl::IsDataLoss(proof_.Finish().status()));
}

}  // namespace
}  // namespace emdb::quickstart
