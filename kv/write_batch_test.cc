#include "kv/write_batch.h"

#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

using Operation = std::tuple<WriteBatch::Kind, std::string, std::string>;

absl::Status Decode(std::string_view encoded, std::vector<Operation>* out) {
  return WriteBatch::ForEach(
      encoded, [out](WriteBatch::Kind kind, std::string_view key, std::string_view value) {
        out->emplace_back(kind, key, value);
      });
}

TEST(WriteBatchTest, StartsEmpty) {
  WriteBatch batch;
  EXPECT_EQ(batch.count(), 0u);
  EXPECT_EQ(batch.size_bytes(), 1u);
  std::vector<Operation> operations;
  EXPECT_TRUE(Decode(batch.encoded(), &operations).ok());
  EXPECT_TRUE(operations.empty());
}

TEST(WriteBatchTest, OperationsComeBackInOrder) {
  WriteBatch batch;
  const std::string long_key(4096, 'k');
  const std::string long_value(70000, 'v');
  batch.Put("a", "");
  batch.Delete("b");
  batch.Put(long_key, long_value);
  EXPECT_EQ(batch.count(), 3u);
  std::vector<Operation> operations;
  ASSERT_TRUE(Decode(batch.encoded(), &operations).ok());
  const std::vector<Operation> expected = {{WriteBatch::Kind::kPut, "a", ""},
                                           {WriteBatch::Kind::kDelete, "b", ""},
                                           {WriteBatch::Kind::kPut, long_key, long_value}};
  EXPECT_EQ(operations, expected);
}

// The example of FORMAT.md.
TEST(WriteBatchTest, HexExampleOfTheFormatPage) {
  const std::string bytes("\x01\x01\x03\x05key12345\x02\x04gone", 18);
  WriteBatch batch;
  batch.Put("key", "12345");
  batch.Delete("gone");
  EXPECT_EQ(batch.encoded(), bytes);
  std::vector<Operation> operations;
  ASSERT_TRUE(Decode(bytes, &operations).ok());
  const std::vector<Operation> expected = {{WriteBatch::Kind::kPut, "key", "12345"},
                                           {WriteBatch::Kind::kDelete, "gone", ""}};
  EXPECT_EQ(operations, expected);
}

TEST(WriteBatchTest, ClearEmptiesAndForgetsWhatWasRefused) {
  WriteBatch batch;
  batch.Put("", "value");
  EXPECT_FALSE(batch.Validate().ok());
  batch.Clear();
  EXPECT_EQ(batch.count(), 0u);
  EXPECT_TRUE(batch.Validate().ok());
  EXPECT_EQ(batch.encoded(), WriteBatch().encoded());
}

TEST(WriteBatchTest, ValidateNamesWhatIsRefused) {
  WriteBatch empty_key;
  empty_key.Delete("");
  EXPECT_EQ(empty_key.Validate().code(), absl::StatusCode::kInvalidArgument);
  WriteBatch long_key;
  long_key.Put(std::string(4097, 'k'), "v");
  EXPECT_EQ(long_key.Validate().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(long_key.Validate().message()).find("4097"), std::string::npos);
  WriteBatch longest_key;
  longest_key.Put(std::string(4096, 'k'), "v");
  EXPECT_TRUE(longest_key.Validate().ok());
}

TEST(WriteBatchTest, BytesThatAreNoBatchAreDataLoss) {
  WriteBatch batch;
  batch.Put("key", "value");
  const std::string good(batch.encoded());
  std::vector<Operation> operations;
  // Cut anywhere within the operation, the rest is no batch; cut before it, it is an empty one.
  for (size_t size = 0; size < good.size(); ++size) {
    const absl::Status status = Decode(good.substr(0, size), &operations);
    EXPECT_EQ(status.ok(), size == 1) << size;
    if (!status.ok()) {
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << size;
    }
  }
  const std::vector<std::string> bad = {
      std::string("\x02\x01\x01\x01kv", 6),     // unknown version
      std::string("\x01\x03\x01\x01kv", 6),     // unknown kind
      std::string("\x01\x01\x00\x01v", 5),      // empty key
      std::string("\x01\x01\x81\x20\x00k", 6),  // key of 4097 bytes
      std::string("\x01\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k", 14),  // value size
      std::string("\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 12),       // no varint
  };
  for (const std::string& bytes : bad) {
    EXPECT_EQ(Decode(bytes, &operations).code(), absl::StatusCode::kDataLoss);
  }
}

// Whatever the bytes behind the kind mean: they are whole as a put and as a deletion.
TEST(WriteBatchTest, OperationsOfUnknownKindAreDataLoss) {
  for (int kind = 0; kind < 256; ++kind) {
    const std::string header = {'\x01', static_cast<char>(kind), '\x01'};
    for (const std::string& rest : {std::string("k"), std::string("\x01kv")}) {
      const bool is_whole = kind == (rest.size() == 1 ? 2 : 1);
      std::vector<Operation> operations;
      const absl::Status status = Decode(header + rest, &operations);
      EXPECT_EQ(status.code(), is_whole ? absl::StatusCode::kOk : absl::StatusCode::kDataLoss)
          << kind;
    }
  }
}

TEST(WriteBatchTest, OneThatWasMovedFromIsEmptyAndCanBeFilledAgain) {
  std::vector<WriteBatch> batches(2);
  batches[0].Put("key", std::string(100, 'v'));
  const std::string bytes(batches[0].encoded());
  batches[1] = std::move(batches[0]);
  EXPECT_EQ(batches[1].encoded(), bytes);
  EXPECT_EQ(batches[1].count(), 1u);
  EXPECT_EQ(batches[0].count(), 0u);
  EXPECT_EQ(batches[0].encoded(), WriteBatch().encoded());
  batches[0].Delete("gone");
  const WriteBatch constructed(std::move(batches[0]));
  batches[0].Put("", "of no size");
  EXPECT_TRUE(constructed.Validate().ok());
  std::vector<Operation> operations;
  ASSERT_TRUE(Decode(constructed.encoded(), &operations).ok());
  EXPECT_EQ(operations.size(), 1u);
}

TEST(WriteBatchTest, KeyThatIsTooLongIsNoBatch) {
  for (const size_t size : {size_t{4096}, size_t{4097}}) {
    WriteBatch batch;
    batch.Put(std::string(size, 'k'), "value");
    const absl::Status status = WriteBatch::ForEach(
        batch.encoded(), [](WriteBatch::Kind, std::string_view, std::string_view) {});
    EXPECT_EQ(status.ok(), size == 4096) << status;
  }
}

}  // namespace
}  // namespace emdb
