#include "storage/sparse_bytes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace emdb {
namespace {

TEST(SparseBytesTest, GapsReadAsZeros) {
  SparseBytes bytes;
  bytes.Write(10000, "end");
  EXPECT_EQ(bytes.size(), 10003u);
  EXPECT_EQ(bytes.ToString(), std::string(10000, '\0') + "end");
  EXPECT_EQ(bytes.Read(10001, 100), "nd");
  EXPECT_EQ(bytes.Read(20000, 100), "");
}

TEST(SparseBytesTest, WhatWasCutOffDoesNotComeBack) {
  SparseBytes bytes(std::string(9000, 'x'));
  bytes.Resize(5000);
  bytes.Resize(9000);
  EXPECT_EQ(bytes.ToString(), std::string(5000, 'x') + std::string(4000, '\0'));
}

TEST(SparseBytesTest, CopiesDoNotSeeEachOthersWrites) {
  SparseBytes original(std::string(10000, 'a'));
  SparseBytes copy = original;
  EXPECT_EQ(copy, original);
  copy.Write(5000, "b");
  original.Write(0, "c");
  EXPECT_EQ(original.ToString(), "c" + std::string(9999, 'a'));
  EXPECT_EQ(copy.ToString(), std::string(5000, 'a') + "b" + std::string(4999, 'a'));
  EXPECT_FALSE(copy == original);
}

TEST(SparseBytesTest, ZerosEqualHoles) {
  SparseBytes hole;
  hole.Resize(8192);
  SparseBytes zeros(std::string(8192, 'x'));
  zeros.Write(0, std::string(8192, '\0'));
  EXPECT_EQ(hole, zeros);
  zeros.Write(8191, "y");
  EXPECT_FALSE(hole == zeros);
}

TEST(SparseBytesTest, PiecesHoldAllButZeros) {
  SparseBytes bytes;
  bytes.Write(20'000, "far behind");
  bytes.Write(0, "in front");
  bytes.Resize(20'007);
  SparseBytes copy;
  copy.Resize(bytes.size());
  size_t pieces = 0;
  bytes.ForEachPiece([&](uint64_t offset, std::string_view data) {
    ++pieces;
    copy.Write(offset, data);
  });
  EXPECT_EQ(copy, bytes);
  EXPECT_EQ(pieces, 2u);
}

TEST(SparseBytesTest, CopiesMayBeUsedByDifferentThreads) {
  SparseBytes original(std::string(100000, 'a'));
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([copy = original, i]() mutable {
      const std::string mark(1, static_cast<char>('0' + i));
      for (uint64_t offset = 0; offset < copy.size(); offset += 1000) copy.Write(offset, mark);
      EXPECT_EQ(copy.Read(99000, 1), mark);
    });
  }
  for (uint64_t offset = 0; offset < original.size(); offset += 500) original.Write(offset, "z");
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(original.Read(99000, 2), "za");
}

TEST(SparseBytesTest, BehavesLikeAString) {
  constexpr uint64_t kSeed = 11;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  SparseBytes bytes;
  std::string model;
  std::vector<std::pair<SparseBytes, std::string>> copies;
  for (int i = 0; i < 3000; ++i) {
    const size_t offset = random() % 30000;
    if (random() % 8 == 0) {
      bytes.Resize(offset);
      model.resize(offset);
    } else {
      const char fill = static_cast<char>(random() % 3);
      const std::string data(1 + random() % 9000, fill);
      if (model.size() < offset + data.size()) model.resize(offset + data.size());
      model.replace(offset, data.size(), data);
      bytes.Write(offset, data);
    }
    ASSERT_EQ(bytes.size(), model.size());
    ASSERT_EQ(bytes.Read(offset, 5000), model.substr(std::min(offset, model.size()), 5000));
    if (i % 300 == 0) copies.emplace_back(bytes, model);
  }
  EXPECT_EQ(bytes.ToString(), model);
  for (const auto& [copy, expected] : copies) EXPECT_EQ(copy.ToString(), expected);
}

}  // namespace
}  // namespace emdb
