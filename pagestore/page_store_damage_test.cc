// Damage to a closed store: whatever bit is flipped and whatever sector is lost, what is read is
// right or an error, and Verify finds it.
//
// By default every bit of the fields and the checksum of the four copies of a header (format_test
// does those of their reserved bytes), one bit of each byte of the page headers, and one bit of
// every 61st byte of the rest. EMDB_DAMAGE_STEP=n in the environment takes every n-th byte instead;
// 0 flips every bit of the file (the manual target).

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "pagestore/header_slots.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "pagestore/reached_pages.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/damage.emdb";
constexpr uint64_t kPageSize = 8192;
constexpr uint64_t kPageHeaderBytes = 40;
// Of a copy of the store header: the fields in front, the checksum at the end.
constexpr uint64_t kStoreHeaderFieldBytes = 132;
constexpr uint64_t kStoreHeaderCrcAt = kStoreHeaderSize - 4;

bool IsOfStoreHeader(uint64_t offset) {
  const uint64_t at = offset % kHeaderCopyOffset;
  return offset < kHeaderSlots * kPageSize &&
         (at < kStoreHeaderFieldBytes || (at >= kStoreHeaderCrcAt && at < kStoreHeaderSize));
}

enum class Holds { kLeaves, kSlices };

void ExpectSaysWhereAndWhatToDo(const absl::Status& error, const std::string& where) {
  for (const std::string& part : {std::string(kPath), where, std::string("restore")}) {
    EXPECT_NE(error.message().find(part), absl::string_view::npos) << error;
  }
}

class PageStoreDamageTest : public testing::TestWithParam<Holds> {
 protected:
  void SetUp() override {
    auto store = PageStore::Open(kPath, SmallStoreOptions(&env_));
    ASSERT_TRUE(store.ok()) << store.status();
    Changes changes;
    for (int i = 0; i < 500; ++i) {
      changes["key" + std::to_string(i)] = std::string(i % 60, static_cast<char>('a' + i % 26));
    }
    changes["large"] = std::string(10000, 'L');
    ASSERT_TRUE(Apply(store->get(), 7, changes).ok());
    ApplyToModel(changes, &model_);
    if (GetParam() == Holds::kSlices) {
      ASSERT_NO_FATAL_FAILURE(AddSlice(store->get()));
    }
    // Every page counts: a flip in any of them is to be found. Checkpoints on top of another leave
    // free ones, and with slices no file can be written at one go.
    if (GetParam() == Holds::kLeaves) {
      ASSERT_EQ((*store)->stats().free_pages, 0u);
      ASSERT_EQ((*store)->stats().pending_pages, 0u);
    }
    store->reset();
    absl::StatusOr<std::unique_ptr<File>> file = env_.OpenFile(kPath, {.write = true});
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
    bytes_ = env_.FullImage().files.at(kPath).ToString();
    if (GetParam() == Holds::kLeaves) return;
    const absl::StatusOr<FoundHeader> header = ReadNewestHeader(*file_);
    ASSERT_TRUE(header.ok()) << header.status();
    absl::StatusOr<std::vector<bool>> reached = ReachedPages(&env_, kPath, header->newest);
    ASSERT_TRUE(reached.ok()) << reached.status();
    reached_ = *std::move(reached);
    reached_.resize(bytes_.size() / kPageSize);
  }

  // More leaves, without free pages between them, and changes that touch them all.
  void AddSlice(PageStore* store) {
    Changes load;
    for (int i = 1000; i < 2000; ++i) load["key" + std::to_string(i)] = std::string(90, 'a');
    Changes changes;
    for (int i = 1000; i < 2000; i += 40) {
      changes["key" + std::to_string(i)] = std::string(20, 'b');
      changes["key" + std::to_string(i + 1)] = std::nullopt;
    }
    for (const Changes& step : {load, changes}) {
      ASSERT_TRUE(Apply(store, 8, step).ok());
      ApplyToModel(step, &model_);
    }
    ASSERT_GT(store->stats().slice_records, 0u);
  }

  void WriteByte(uint64_t offset, char byte) {
    ASSERT_TRUE(file_->WriteAt(offset, std::string_view(&byte, 1)).ok());
  }

  // Read only, so that nothing on the simulated disk is mended.
  absl::StatusOr<std::unique_ptr<PageStore>> Reopen() {
    PageStoreOptions options = SmallStoreOptions(&env_);
    options.read_only = true;
    return PageStore::Open(kPath, options);
  }

  void ExpectRightOrReported() {
    const auto store = Reopen();
    if (!store.ok()) return;
    const absl::StatusOr<Model> found = ReadForward((*store)->GetView());
    if (found.ok()) {
      ASSERT_TRUE(*found == model_) << "wrong data";
    } else {
      ASSERT_TRUE(absl::IsDataLoss(found.status())) << found.status();
    }
    const absl::Status verified = (*store)->Verify();
    ASSERT_TRUE(absl::IsDataLoss(verified) || (verified.ok() && !in_use_))
        << "not found by Verify: " << verified;
  }

  // Whether what is at `offset` is a part of the store: what is not may be anything.
  void SetInUse(uint64_t offset) {
    in_use_ = reached_.empty() || offset < 2 * kPageSize || reached_[offset / kPageSize];
  }

  void FlipAndCheck(uint64_t offset, int bit) {
    SetInUse(offset);
    SCOPED_TRACE(testing::Message() << "bit " << bit << " of byte " << offset);
    WriteByte(offset, static_cast<char>(bytes_[offset] ^ (1 << bit)));
    ExpectRightOrReported();
    WriteByte(offset, bytes_[offset]);
  }

  FaultEnv env_;
  Model model_;
  std::string bytes_;
  std::unique_ptr<File> file_;
  std::vector<bool> reached_;  // empty: every page
  bool in_use_ = true;
};

TEST_P(PageStoreDamageTest, NoFlippedBitIsServedOrMissed) {
  const char* step_text = std::getenv("EMDB_DAMAGE_STEP");
  const uint64_t step = step_text == nullptr ? 61 : std::strtoull(step_text, nullptr, 10);
  for (uint64_t offset = 0; offset < bytes_.size(); ++offset) {
    if (step == 0 || IsOfStoreHeader(offset)) {
      for (int bit = 0; bit < 8; ++bit) ASSERT_NO_FATAL_FAILURE(FlipAndCheck(offset, bit));
    } else if (offset % kPageSize < kPageHeaderBytes || offset % step == 0) {
      ASSERT_NO_FATAL_FAILURE(FlipAndCheck(offset, static_cast<int>(offset % 8)));
    }
  }
}

TEST_P(PageStoreDamageTest, NoLostSectorIsServedOrMissed) {
  constexpr uint64_t kSector = 512;
  const std::string zeros(kSector, '\0');
  for (uint64_t offset = 0; offset < bytes_.size(); offset += kSector) {
    SCOPED_TRACE(testing::Message() << "sector at " << offset);
    const std::string old = bytes_.substr(offset, kSector);
    if (old == zeros) continue;
    SetInUse(offset);
    ASSERT_TRUE(file_->WriteAt(offset, zeros).ok());
    ASSERT_NO_FATAL_FAILURE(ExpectRightOrReported());
    ASSERT_TRUE(file_->WriteAt(offset, old).ok());
  }
}

TEST_P(PageStoreDamageTest, NoPageInAnothersPlaceIsServedOrMissed) {
  for (uint64_t to = 0; to < bytes_.size(); to += kPageSize) {
    for (uint64_t from = 0; from < bytes_.size(); from += kPageSize) {
      if (bytes_.compare(from, kPageSize, bytes_, to, kPageSize) == 0) continue;
      SCOPED_TRACE(testing::Message() << "page at " << from << " written to " << to);
      SetInUse(to);
      ASSERT_TRUE(file_->WriteAt(to, std::string_view(bytes_).substr(from, kPageSize)).ok());
      ASSERT_NO_FATAL_FAILURE(ExpectRightOrReported());
    }
    ASSERT_TRUE(file_->WriteAt(to, std::string_view(bytes_).substr(to, kPageSize)).ok());
  }
}

TEST_P(PageStoreDamageTest, AFileCutShortIsRefused) {
  for (uint64_t size = 1; size < bytes_.size();
       size += size < kStoreHeaderSize ? 1 : kPageSize / 2) {
    SCOPED_TRACE(testing::Message() << size << " bytes are left");
    DiskImage image;
    image.files[kPath] = SparseBytes(bytes_.substr(0, size));
    FaultEnv cut(image);
    const auto store = PageStore::Open(kPath, SmallStoreOptions(&cut));
    EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
    ExpectSaysWhereAndWhatToDo(store.status(), " at offset ");
  }
}

TEST_P(PageStoreDamageTest, OneDamagedHeaderCopyIsMendedByOpening) {
  for (uint64_t offset = 0; offset < 2 * kPageSize; offset += 4096) {
    WriteByte(offset + 60, static_cast<char>(bytes_[offset + 60] ^ 1));
  }
  for (uint64_t offset = 0; offset < 2 * kPageSize; offset += kPageSize) {
    WriteByte(offset + 60, bytes_[offset + 60]);  // of each slot, one copy stays damaged
  }
  auto store = PageStore::Open(kPath, SmallStoreOptions(&env_));
  ASSERT_TRUE(store.ok()) << store.status();
  // The older slot gets a new header, and with it two whole copies, by the next checkpoint.
  ASSERT_TRUE(Apply(store->get(), 8, {}).ok());
  const absl::Status verified = (*store)->Verify();
  EXPECT_TRUE(verified.ok()) << verified;
}

TEST_P(PageStoreDamageTest, OneDamagedHeaderCopyIsMendedByVerifying) {
  const absl::StatusOr<FoundHeader> header = ReadNewestHeader(*file_);
  ASSERT_TRUE(header.ok()) << header.status();
  const uint64_t slot_at = HeaderSlot(header->newest.generation) * kPageSize;
  for (const uint64_t copy_at : {slot_at, slot_at + kHeaderCopyOffset}) {
    WriteByte(copy_at + 60, static_cast<char>(bytes_[copy_at + 60] ^ 1));
    auto store = Reopen();
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_TRUE(absl::IsDataLoss((*store)->Verify())) << "opened to read only";
    store = PageStore::Open(kPath, SmallStoreOptions(&env_));
    ASSERT_TRUE(store.ok()) << store.status();
    const absl::Status verified = (*store)->Verify();
    EXPECT_TRUE(verified.ok()) << verified;
  }
}

TEST_P(PageStoreDamageTest, ADestroyedHeaderSlotIsReportedWhicheverItIs) {
  for (const char fill : {'\x5a', '\0'}) {
    for (uint64_t offset = 0; offset < 2 * kPageSize; offset += kPageSize) {
      ASSERT_TRUE(file_->WriteAt(offset, std::string(kPageSize, fill)).ok());
      const absl::Status status = Reopen().status();
      EXPECT_TRUE(absl::IsDataLoss(status)) << "filled with " << int{fill} << ": " << status;
      const std::string where = "at offset " + std::to_string(offset) + ": ";
      EXPECT_NE(status.message().find(where), absl::string_view::npos) << status;
      EXPECT_NE(status.message().find("no copy of the store header is whole"),
                absl::string_view::npos)
          << status;
      ASSERT_TRUE(file_->WriteAt(offset, std::string_view(bytes_).substr(offset, kPageSize)).ok());
    }
  }
}

TEST_P(PageStoreDamageTest, AHeaderInTheOtherSlotIsReportedAsThat) {
  for (uint64_t from = 0; from < 2; ++from) {
    const uint64_t to = (1 - from) * kPageSize;
    ASSERT_TRUE(
        file_->WriteAt(to, std::string_view(bytes_).substr(from * kPageSize, kPageSize)).ok());
    const absl::Status status = Reopen().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_NE(status.message().find("it is the other slot's"), absl::string_view::npos) << status;
    ASSERT_TRUE(file_->WriteAt(to, std::string_view(bytes_).substr(to, kPageSize)).ok());
  }
}

TEST_P(PageStoreDamageTest, TheErrorNamesTheFileAndWhatToDo) {
  uint64_t page = 2;
  while (!reached_.empty() && !reached_[page]) ++page;
  const uint64_t offset = page * kPageSize;
  WriteByte(offset + 100, static_cast<char>(bytes_[offset + 100] ^ 1));
  const auto store = Reopen();
  ASSERT_TRUE(store.ok()) << store.status();
  ExpectSaysWhereAndWhatToDo((*store)->Verify(), "at offset " + std::to_string(offset));
}

INSTANTIATE_TEST_SUITE_P(Stores, PageStoreDamageTest,
                         testing::Values(Holds::kLeaves, Holds::kSlices), [](const auto& info) {
                           return info.param == Holds::kLeaves ? "Leaves" : "Slices";
                         });

}  // namespace
}  // namespace emdb
