#include "tools/quickstart/package_index.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace emdb::quickstart {
namespace {

TEST(PackageIndexTest, StanzasAreFoundByName) {
  const absl::StatusOr<PackageIndex> index =
      PackageIndex::Parse("Package: a\nVersion: 1\n\nVersion: 2\nPackage: b\nDescription: x\n y\n");
  ASSERT_TRUE(index.ok()) << index.status();
  ASSERT_EQ(index->packages().size(), 2u);
  EXPECT_EQ(index->packages()[0].name, "a");
  EXPECT_EQ(index->packages()[0].stanza, "Package: a\nVersion: 1");
  EXPECT_EQ(index->packages()[1].name, "b");
  EXPECT_EQ(index->packages()[1].stanza, "Version: 2\nPackage: b\nDescription: x\n y\n");
}

TEST(PackageIndexTest, OfSeveralStanzasOfANameTheFirstIsTaken) {
  const absl::StatusOr<PackageIndex> index =
      PackageIndex::Parse("Package: a\nV: 2\n\nPackage: b\n\n\nPackage: a\nV: 1\n\n");
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(index->stanza_count(), 3u);
  ASSERT_EQ(index->packages().size(), 2u);
  EXPECT_EQ(index->packages()[0].stanza, "Package: a\nV: 2");
}

TEST(PackageIndexTest, PackagesStayValidWhenTheIndexMoves) {
  absl::StatusOr<PackageIndex> index = PackageIndex::Parse("Package: a\n");
  ASSERT_TRUE(index.ok()) << index.status();
  const PackageIndex moved = *std::move(index);
  EXPECT_EQ(moved.packages()[0].name, "a");
  EXPECT_EQ(moved.size_bytes(), 1 + std::string("Package: a\n").size());
}

TEST(PackageIndexTest, WhatIsNoIndexIsRefused) {
  EXPECT_TRUE(absl::IsDataLoss(PackageIndex::Parse("Package: a\n\nhello\n").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(PackageIndex::Parse("").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(PackageIndex::Parse("\n\n\n").status()));
  EXPECT_FALSE(PackageIndex::Read("/nonexistent/index").ok());
}

}  // namespace
}  // namespace emdb::quickstart
