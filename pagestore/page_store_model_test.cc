// Random checkpoints against std::map, with Views of old generations kept and read again.

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "pagestore/page_store.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

struct Remembered {
  View view;
  Model model;
};

void ExpectEqual(const View& view, const Model& model) {
  ASSERT_EQ(view.record_count(), model.size());
  absl::StatusOr<Model> forward = ReadForward(view);
  ASSERT_TRUE(forward.ok()) << forward.status();
  ASSERT_TRUE(*forward == model);
  absl::StatusOr<Model> backward = ReadBackward(view);
  ASSERT_TRUE(backward.ok()) << backward.status();
  ASSERT_TRUE(*backward == model);
}

void ExpectSeeksAgree(const View& view, const Model& model, RandomRecords* random) {
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  for (int i = 0; i < 30; ++i) {
    const std::string target = random->Key(1000);
    auto at = model.lower_bound(target);
    cursor->Seek(target);
    ASSERT_EQ(cursor->Valid(), at != model.end());
    if (cursor->Valid()) {
      ASSERT_EQ(cursor->key(), at->first);
      ASSERT_EQ(cursor->value(), at->second);
    }
    at = model.upper_bound(target);
    cursor->SeekForPrev(target);
    ASSERT_EQ(cursor->Valid(), at != model.begin());
    if (cursor->Valid()) {
      ASSERT_EQ(cursor->key(), std::prev(at)->first);
    }
  }
}

void ExpectGetsAgree(const View& view, const Model& model, RandomRecords* random) {
  std::vector<std::string> keys;
  keys.reserve(100);
  for (int i = 0; i < 100; ++i) keys.push_back(random->Key(1000));
  const std::vector<std::string_view> key_views(keys.begin(), keys.end());
  std::vector<std::string> values(keys.size());
  std::vector<absl::Status> statuses(keys.size(), absl::NotFoundError(""));
  view.MultiGet(key_views, absl::MakeSpan(values), absl::MakeSpan(statuses));
  for (size_t i = 0; i < keys.size(); ++i) {
    std::string value;
    const absl::Status status = view.Get(keys[i], &value);
    const auto at = model.find(keys[i]);
    ASSERT_EQ(status.ok(), at != model.end()) << status;
    ASSERT_EQ(statuses[i].code(), status.code());
    if (!status.ok()) {
      ASSERT_TRUE(absl::IsNotFound(status)) << status;
      continue;
    }
    ASSERT_EQ(value, at->second);
    ASSERT_EQ(values[i], at->second);
  }
}

class PageStoreModelTest : public testing::TestWithParam<uint64_t> {
 protected:
  void Open() {
    PageStoreOptions options = SmallStoreOptions(&env_);
    options.page_size_bytes = 8192u << (GetParam() % 4);
    absl::StatusOr<std::unique_ptr<PageStore>> store = PageStore::Open("dir/model.emdb", options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void CheckEverything(RandomRecords* random) {
    const View view = store_->GetView();
    ASSERT_NO_FATAL_FAILURE(ExpectEqual(view, model_));
    ASSERT_NO_FATAL_FAILURE(ExpectSeeksAgree(view, model_, random));
    ASSERT_NO_FATAL_FAILURE(ExpectGetsAgree(view, model_, random));
    for (const Remembered& old : remembered_) {
      ASSERT_NO_FATAL_FAILURE(ExpectEqual(old.view, old.model));
    }
    ASSERT_EQ(store_->next_seq(), next_seq_);
    const absl::Status verified = store_->Verify();
    ASSERT_TRUE(verified.ok()) << verified;
  }

  FaultEnv env_;
  std::unique_ptr<PageStore> store_;
  Model model_;
  std::vector<Remembered> remembered_;
  uint64_t next_seq_ = 0;
};

TEST_P(PageStoreModelTest, AgreesWithAMap) {
  std::cout << "seed " << GetParam() << "\n";
  RandomRecords random(GetParam());
  Open();
  ASSERT_NO_FATAL_FAILURE(CheckEverything(&random));
  for (int step = 0; step < 25; ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    const Changes changes = random.Batch(random.Uniform(600), 1000);
    next_seq_ += changes.size();
    const absl::Status status = Apply(store_.get(), next_seq_, changes);
    ASSERT_TRUE(status.ok()) << status;
    ApplyToModel(changes, &model_);
    if (random.Uniform(3) == 0) remembered_.push_back({store_->GetView(), model_});
    if (random.Uniform(4) == 0 && !remembered_.empty()) {
      remembered_.erase(remembered_.begin() + random.Uniform(remembered_.size()));
    }
    if (random.Uniform(10) == 0) {
      ASSERT_TRUE(store_->Compact().ok());
    }
    if (random.Uniform(8) == 0) {
      remembered_.clear();
      ASSERT_TRUE(store_->Close().ok());
      store_.reset();
      Open();
    }
    ASSERT_NO_FATAL_FAILURE(CheckEverything(&random));
  }
}

TEST_P(PageStoreModelTest, DeletingEverythingInSmallStepsLeavesAnEmptyTree) {
  std::cout << "seed " << GetParam() << "\n";
  RandomRecords random(GetParam());
  Open();
  const Changes load = random.Batch(3000, 1000000);
  ASSERT_TRUE(Apply(store_.get(), 1, load).ok());
  ApplyToModel(load, &model_);
  while (!model_.empty()) {
    Changes changes;
    for (int i = 0; i < 200 && !model_.empty(); ++i) {
      auto at = model_.lower_bound(random.Key(1000000));
      if (at == model_.end()) at = model_.begin();
      changes[at->first] = std::nullopt;
      model_.erase(at);
    }
    ASSERT_TRUE(Apply(store_.get(), ++next_seq_ + 1, changes).ok());
    ASSERT_NO_FATAL_FAILURE(ExpectEqual(store_->GetView(), model_));
    const absl::Status verified = store_->Verify();
    ASSERT_TRUE(verified.ok()) << verified;
  }
  EXPECT_EQ(store_->stats().height, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PageStoreModelTest, testing::Range<uint64_t>(1, 5));

}  // namespace
}  // namespace emdb
