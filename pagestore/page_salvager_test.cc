#include "pagestore/page_salvager.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pagestore/node.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"
#include "storage/lost_piece.h"

namespace emdb {
namespace {

using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPath[] = "dir/salvage.emdb";
constexpr uint32_t kPageSize = kMinPageSize;

std::string Key(int i) { return absl::StrFormat("key%04d", i); }

Changes Records(int count) {
  Changes changes;
  for (int i = 0; i < count; ++i) changes[Key(i)] = std::string(100, 'v');
  return changes;
}

std::string LargeValue(char byte) { return std::string(30000, byte); }

class PageSalvagerTest : public testing::Test {
 protected:
  void Open(std::optional<uint64_t> slices_above_bytes) {
    PageStoreOptions options = SmallStoreOptions(&env_);
    options.slices_above_bytes = slices_above_bytes;
    auto store = PageStore::Open(kPath, options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Put(const Changes& changes) {
    const absl::Status status = Apply(store_.get(), store_->next_seq() + 1, changes);
    ASSERT_TRUE(status.ok()) << status;
    ApplyToModel(changes, &model_);
  }
  // From here on the file is damaged, and what the store still writes is not seen.
  void TakeFile() { file_ = env_.FullImage().files.at(kPath).ToString(); }
  void Overwrite(size_t offset, size_t size) { file_.replace(offset, size, size, '\x5a'); }
  void DamageSlot(uint64_t generation) { Overwrite(HeaderSlot(generation) * kPageSize, kPageSize); }
  // Where a large value of such bytes stands.
  void DamageValue(char byte) {
    const size_t at = file_.find(std::string(kPageSize, byte));
    ASSERT_NE(at, std::string::npos);
    Overwrite(at + 5000, 1);
  }
  // Those of `generation` and later ones.
  void DamagePagesOfKind(PageKind kind, uint64_t generation = 0) {
    size_t damaged = 0;
    for (size_t at = kHeaderSlots * kPageSize; at < file_.size(); at += kPageSize) {
      if (PageIdField(&file_[at]) != at / kPageSize || PageKindField(&file_[at]) != kind) continue;
      if (DecodePageHeader(&file_[at]).generation < generation) continue;
      Overwrite(at + 40, 1);
      ++damaged;
    }
    ASSERT_GT(damaged, 0u);
  }
  // Returns its keys.
  std::vector<std::string> DamageNewestLeafWith(const std::string& key) {
    std::vector<std::string> keys;
    uint64_t newest = 0;
    size_t found_at = 0;
    for (size_t at = kHeaderSlots * kPageSize; at < file_.size(); at += kPageSize) {
      const char* const page = &file_[at];
      if (PageIdField(page) != at / kPageSize || PageKindField(page) != PageKind::kLeaf) continue;
      const uint64_t generation = DecodePageHeader(page).generation;
      const LeafView leaf(page);
      if (generation < newest || !leaf.LowerBound(key).found) continue;
      newest = generation;
      found_at = at;
      keys.clear();
      for (uint32_t i = 0; i < leaf.count(); ++i) keys.push_back(leaf.key(i));
    }
    if (found_at > 0) Overwrite(found_at + 4000, 1);
    return keys;
  }
  // Reads all that can be had, strays over what the tree says, as salvage does.
  void Salvage() {
    DiskImage image;
    image.files[kPath] = SparseBytes(file_);
    damaged_env_ = std::make_unique<FaultEnv>(image);
    auto salvager =
        PageSalvager::Open(damaged_env_.get(), kPath, SmallStoreOptions(nullptr).store_id);
    ASSERT_TRUE(salvager.ok()) << salvager.status();
    salvager_ = *std::move(salvager);
    const auto visit = [this](std::string_view key, std::optional<std::string_view> value) {
      ApplyToModel({{std::string(key), value ? std::optional(std::string(*value)) : std::nullopt}},
                   &found_);
      return absl::OkStatus();
    };
    ASSERT_EQ(salvager_->ReadTree(visit), absl::OkStatus());
    is_lost_.clear();
    for (const auto& record : model_) is_lost_.push_back(salvager_->IsLost(record.first));
    const auto strays = salvager_->ReadStrays(visit);
    ASSERT_TRUE(strays.ok()) << strays.status();
  }

  FaultEnv env_;
  std::unique_ptr<PageStore> store_;
  Model model_;  // what the store holds
  std::string file_;
  std::unique_ptr<FaultEnv> damaged_env_;
  std::unique_ptr<PageSalvager> salvager_;
  Model found_;
  std::vector<bool> is_lost_;  // of each record of model_, by the tree
};

TEST_F(PageSalvagerTest, AnUnreadableValueOfAStrayCostsOneRecord) {
  Open(std::nullopt);
  Put(Records(300));
  Put({{Key(150), LargeValue('L')}});
  for (const bool has_header : {true, false}) {
    SCOPED_TRACE(has_header);
    found_.clear();
    TakeFile();
    DamageValue('L');
    if (has_header) {
      DamagePagesOfKind(PageKind::kInner);
    } else {
      DamageSlot(0);
      DamageSlot(1);
    }
    ASSERT_NO_FATAL_FAILURE(Salvage());
    // Without a map of free space an older leaf may stand in.
    if (found_.contains(Key(150))) {
      EXPECT_EQ(found_[Key(150)], std::string(100, 'v'));
    }
    found_[Key(150)] = model_[Key(150)];
    EXPECT_TRUE(found_ == model_) << found_.size();
    EXPECT_THAT(salvager_->lost(),
                testing::Contains(Field(&LostPiece::what, HasSubstr("a value of 30000 bytes"))));
  }
}

TEST_F(PageSalvagerTest, AStrayOfAKeyThatTheTreeHasIsNeitherMissedNorTaken) {
  Open(std::nullopt);
  Put(Records(300));
  // Three values of one key, the older ones left over in pages that nothing takes.
  std::vector<View> views;
  for (const char byte : {'A', 'B', 'C'}) {
    Put({{Key(150), LargeValue(byte)}});
    views.push_back(store_->GetView());
  }
  TakeFile();
  DamageValue('A');
  // So that strays are asked, those that are out of use too.
  DamageSlot(store_->stats().generation - 1);
  DamagePagesOfKind(PageKind::kBitmap);
  ASSERT_NO_FATAL_FAILURE(Salvage());
  EXPECT_TRUE(found_ == model_);
  EXPECT_THAT(salvager_->lost(), IsEmpty());
}

TEST_F(PageSalvagerTest, AnUnreadableValueOfASliceAmidALostLeafDoesNotHideWhatElseIsLost) {
  Open(0);
  Put(Records(1500));
  Changes scattered;
  for (int i = 3; i < 1500; i += 37) scattered[Key(i)] = std::string(60, 'b');
  scattered[Key(710)] = LargeValue('L');
  Put(scattered);
  ASSERT_GT(store_->stats().slice_records, 0u);
  TakeFile();
  DamageValue('L');
  // Of the leaf that key 710 belongs to.
  const std::vector<std::string> keys = DamageNewestLeafWith(Key(710));
  ASSERT_GT(keys.size(), 2u);
  ASSERT_LT(keys.front(), Key(710));
  ASSERT_GT(keys.back(), Key(710));
  ASSERT_NO_FATAL_FAILURE(Salvage());
  size_t i = 0;
  for (const auto& record : model_) {
    const bool is_amid = record.first >= keys.front() && record.first <= keys.back();
    const bool is_known = scattered.contains(record.first) && record.first != Key(710);
    const bool expected = is_amid && !is_known;
    EXPECT_EQ(is_lost_[i++], expected) << record.first;
  }
}

TEST_F(PageSalvagerTest, WhatASliceSaysOfALostLeafIsNotOverruledByAnOlderLeaf) {
  Open(std::nullopt);
  Put(Records(1500));
  {
    // Its leaf is written several times: older ones stay behind in pages that nothing takes.
    std::vector<View> views;
    for (const char byte : {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'}) {
      views.push_back(store_->GetView());
      Put({{Key(710), std::string(100, byte)}});
    }
  }
  store_.reset();
  Open(0);
  Changes scattered;
  for (int i = 3; i < 1500; i += 37) scattered[Key(i)] = std::string(60, 'b');
  scattered[Key(710)] = std::string(60, 'm');
  scattered[Key(712)] = std::nullopt;
  Put(scattered);
  scattered[Key(710)] = std::string(60, 'n');
  Put(scattered);
  ASSERT_EQ(store_->stats().slice_records, 2 * scattered.size());
  TakeFile();
  ASSERT_GT(DamageNewestLeafWith(Key(710)).size(), 2u);
  DamageSlot(store_->stats().generation - 1);
  DamagePagesOfKind(PageKind::kBitmap);
  ASSERT_NO_FATAL_FAILURE(Salvage());
  EXPECT_EQ(found_[Key(711)], model_[Key(711)]) << "of an older leaf, which there must be";
  EXPECT_EQ(found_[Key(710)], model_[Key(710)]);
  EXPECT_FALSE(found_.contains(Key(712)));
  // Where the newest slice is lost, the one behind it may have older values: a stray may be newer.
  DamagePagesOfKind(PageKind::kSliceRoot, store_->stats().generation);
  found_.clear();
  ASSERT_NO_FATAL_FAILURE(Salvage());
  EXPECT_EQ(found_[Key(710)], model_[Key(710)]) << "of the slice's leaf, a stray now";
}

}  // namespace
}  // namespace emdb
