// The text of FORMAT.md and the files of earlier times, read by today's code.

#include <cstdint>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "pagestore/node.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "pagestore/store_testing.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = 8192;

std::string ReadTestFile(const std::string& name) {
  std::ifstream in("pagestore/" + name, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << name;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// The page that the lines "offset: byte byte ..." of the block ```hex stand for.
std::string ExamplePage() {
  const std::string text = ReadTestFile("FORMAT.md");
  const size_t begin = text.find("```hex\n") + 7;
  std::istringstream lines(text.substr(begin, text.find("```", begin) - begin));
  std::string page(kPageSize, '\0');
  for (std::string line; std::getline(lines, line);) {
    std::istringstream bytes(line);
    size_t offset = 0;
    char colon = 0;
    bytes >> std::hex >> offset >> colon;
    for (unsigned byte = 0; bytes >> byte; ++offset) page[offset] = static_cast<char>(byte);
  }
  return page;
}

Changes ExampleChanges() { return {{"apple", "red"}, {"apricot", "orange"}, {"banana", ""}}; }

TEST(FormatTest, TheExampleOfTheTextIsALeaf) {
  const std::string page = ExamplePage();
  const uint32_t seed = CrcSeed(*SmallStoreOptions(nullptr).store_id);
  EXPECT_EQ(ComputePageCrc(seed, page.data(), page.size()), PageCrcField(page.data()));
  ASSERT_TRUE(CheckNode(page.data(), kPageSize, 0).ok());
  const PageHeader header = DecodePageHeader(page.data());
  EXPECT_EQ(header.id, 2u);
  EXPECT_EQ(header.generation, 2u);
  const LeafView leaf(page.data());
  ASSERT_EQ(leaf.count(), 3u);
  uint32_t index = 0;
  for (const auto& [key, value] : ExampleChanges()) {
    EXPECT_EQ(leaf.key(index), key);
    EXPECT_EQ(leaf.cell(index++).payload, *value);
  }
}

TEST(FormatTest, TheExampleOfTheTextIsWhatIsWritten) {
  FaultEnv env;
  auto store = PageStore::Open("dir/format.emdb", SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(Apply(store->get(), 3, ExampleChanges()).ok());
  const std::string bytes = env.FullImage().files.at("dir/format.emdb").ToString();
  EXPECT_TRUE(bytes.substr(2 * kPageSize, kPageSize) == ExamplePage());
}

// A store header in which every field is possible.
std::string HeaderSector() {
  StoreHeader header;
  header.page_size = kPageSize;
  header.generation = 5;
  header.file_pages = 100;
  header.used_pages = 90;
  header.root = {7, 1};
  header.height = 3;
  header.map_root = {8, 1};
  header.slice_pages = 4;
  header.slice_records = 6;
  std::string sector(kStoreHeaderSize, '\0');
  EncodeStoreHeader(header, sector.data());
  return sector;
}

// Decodes the header with other bytes at `offset`, and the checksum that belongs to them.
absl::Status DecodeWith(size_t offset, std::string_view bytes) {
  std::string sector = HeaderSector();
  sector.replace(offset, bytes.size(), bytes);
  constexpr size_t kCrcOffset = kStoreHeaderSize - 4;
  Store32(sector.data() + kCrcOffset, Crc32c(std::string_view(sector).substr(0, kCrcOffset)));
  StoreHeader header;
  return DecodeStoreHeader(sector.data(), &header);
}

absl::Status DecodeWith32(size_t offset, uint32_t number) {
  char bytes[4];
  Store32(bytes, number);
  return DecodeWith(offset, {bytes, sizeof(bytes)});
}

TEST(FormatTest, AHeaderIsDecodedAsItWasEncoded) {
  StoreHeader header;
  ASSERT_EQ(DecodeStoreHeader(HeaderSector().data(), &header), absl::OkStatus());
  EXPECT_EQ(header.used_pages, 90u);
  EXPECT_EQ(header.slice_records, 6u);
  EXPECT_EQ(DecodeWith(0, "emdbpage"), absl::OkStatus());
}

TEST(FormatTest, EachBitOfAHeaderCounts) {
  StoreHeader header;
  for (size_t bit = 0; bit < 8 * kStoreHeaderSize; ++bit) {
    std::string sector = HeaderSector();
    sector[bit / 8] = static_cast<char>(sector[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(DecodeStoreHeader(sector.data(), &header).ok()) << bit;
  }
}

TEST(FormatTest, AFileOfAnotherKindIsToldFromADamagedOne) {
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeWith(0, "emdbpagf")));
  EXPECT_TRUE(absl::IsFailedPrecondition(DecodeWith32(8, kFormatVersion + 1)));
}

TEST(FormatTest, OnlyUnknownFeaturesThatForbidReadingAreRefused) {
  for (size_t bit = 1; bit < 64; ++bit) {
    std::string bits(8, '\0');
    bits[bit / 8] = static_cast<char>(1 << bit % 8);
    EXPECT_EQ(DecodeWith(24, bits), absl::OkStatus()) << bit;
    bits[0] = static_cast<char>(bits[0] | 1);  // there are slices
    EXPECT_TRUE(absl::IsFailedPrecondition(DecodeWith(16, bits))) << bit;
  }
}

TEST(FormatTest, EachReservedByteOfAHeaderIsZero) {
  for (size_t offset = 132; offset < kStoreHeaderSize - 4; ++offset) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeWith(offset, "\x01"))) << offset;
  }
}

TEST(FormatTest, FieldsOfAHeaderThatContradictEachOtherAreRefused) {
  constexpr size_t kFilePages = 88;
  constexpr size_t kUsedPages = 92;
  constexpr size_t kRoot = 96;
  constexpr size_t kHeight = 104;
  constexpr size_t kMapLevel = 116;
  constexpr size_t kSlicePages = 120;
  constexpr size_t kSliceRecords = 124;
  EXPECT_EQ(DecodeWith32(kHeight, kMaxHeight), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kHeight, kMaxHeight + 1)));
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kHeight, 0))) << "a root";
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kHeight, 1))) << "slices";
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kRoot, 0)));
  EXPECT_EQ(DecodeWith32(kUsedPages, 100), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kUsedPages, 101)));
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kFilePages, kHeaderSlots - 1)));
  EXPECT_EQ(DecodeWith32(kMapLevel, 3), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kMapLevel, 4)));
  EXPECT_EQ(DecodeWith32(kSlicePages, 90), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kSlicePages, 91)));
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(kSliceRecords, 0)));
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith32(12, 4096))) << "page size";
}

TEST(FormatTest, TheFeatureOfSlicesIsSetIfThereAreAny) {
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith(16, std::string(8, '\0'))));
  std::string none(12, '\0');
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith(120, none)));
}

// What testdata/v1.emdb was made of, by three checkpoints.
Model GoldenModel() {
  Model model;
  for (int i = 0; i < 300; ++i) {
    if (i % 3 != 1) model["key" + std::to_string(i)] = std::string(i % 40, 'v');
  }
  model["large"] = std::string(9000, 'L');
  model[std::string("\0\0", 2)] = "zeros";
  return model;
}

// What testdata/v1_slices.emdb was made of: a load, and two checkpoints that are in slices.
Model GoldenModelWithSlices() {
  const auto key = [](int i) { return "key" + std::to_string(10000 + i); };
  Model model;
  for (int i = 0; i < 1500; ++i) model[key(i)] = std::string(100, 'a');
  for (int step = 1; step <= 2; ++step) {
    for (int i = step * 5; i + 1 < 1500; i += 37) {
      model[key(i)] = std::string(static_cast<size_t>(20 * step), 'b');
      model.erase(key(i + 1));
    }
  }
  model[key(500)] = std::string(9000, 'L');
  return model;
}

void ExpectGolden(const std::string& name, uint64_t next_seq, uint64_t slice_records,
                  const Model& model) {
  DiskImage image;
  image.files["dir/golden.emdb"] = SparseBytes(ReadTestFile("testdata/" + name));
  FaultEnv env(image);
  auto store = PageStore::Open("dir/golden.emdb", SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->next_seq(), next_seq);
  EXPECT_EQ((*store)->stats().slice_records, slice_records);
  const absl::StatusOr<Model> found = ReadForward((*store)->GetView());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(*found == model);
  std::string value;
  for (const auto& [key, expected] : model) {
    ASSERT_TRUE((*store)->GetView().Get(key, &value).ok()) << key;
    ASSERT_EQ(value, expected) << key;
  }
  const absl::Status verified = (*store)->Verify();
  EXPECT_TRUE(verified.ok()) << verified;
}

TEST(FormatTest, AStoreOfVersion1Opens) { ExpectGolden("v1.emdb", 30, 0, GoldenModel()); }

TEST(FormatTest, AStoreOfVersion1WithSlicesOpens) {
  ExpectGolden("v1_slices.emdb", 12, 165, GoldenModelWithSlices());
}

}  // namespace
}  // namespace emdb
