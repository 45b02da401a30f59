// Checkpoints of every shape over small trees: each leaf is emptied, kept, touched or split, in all
// combinations. A merge writes what it touches anew and keeps the rest; here every way in which
// the two can lie beside each other comes up, in trees of two levels and more.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "pagestore/page_store.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/store";
constexpr int kRecordsPerLeaf = 2;

// What becomes of a leaf.
enum class Fate { kKept, kEmptied, kTouched, kSplit };
constexpr int kFates = 4;

// A store whose leaf i holds the records 2i and 2i + 1.
struct Shape {
  const char* name;
  int most_leaves;
  std::string (*key)(int record);
  size_t value_size;
  bool with_slices;
};

// Two large values fill a leaf; all leaves hang on one root.
std::string ShortKey(int record) { return absl::StrCat("k", 10 + record); }

// The last key of a leaf and the first of the next one differ in their last byte only, others in
// their first one: so separators are as long as keys, and an inner page has room for two.
std::string LongKey(int record) {
  const int pair = (record + 1) / 2;
  return absl::StrCat(std::string(3900, static_cast<char>('a' + pair)),
                      record % 2 == 1 ? "a" : "b");
}

class PageStoreShapesTest : public testing::TestWithParam<Shape> {
 protected:
  Changes Load(int leaves) const {
    Changes changes;
    for (int i = 0; i < leaves * kRecordsPerLeaf; ++i) {
      changes[GetParam().key(i)] = std::string(GetParam().value_size, 'v');
    }
    return changes;
  }

  // What makes of leaf i what digit i of `fates` says.
  Changes ChangesFor(int leaves, int fates) const {
    Changes changes;
    for (int leaf = 0; leaf < leaves; ++leaf, fates /= kFates) {
      const std::string first = GetParam().key(leaf * kRecordsPerLeaf);
      const std::string last = GetParam().key(leaf * kRecordsPerLeaf + 1);
      switch (static_cast<Fate>(fates % kFates)) {
        case Fate::kKept:
          break;
        case Fate::kEmptied:
          changes[first] = changes[last] = std::nullopt;
          break;
        case Fate::kTouched:
          changes[last] = std::string(GetParam().value_size, 'w');
          break;
        case Fate::kSplit:
          changes[first + "+"] = std::string(GetParam().value_size, 'x');
          break;
      }
    }
    return changes;
  }

  // Every way to find a record finds those of `model`.
  static void ExpectModel(PageStore* store, const Model& model) {
    const View view = store->GetView();
    ASSERT_TRUE(*ReadForward(view) == model);
    ASSERT_TRUE(*ReadBackward(view) == model);
    const std::unique_ptr<Cursor> cursor = view.NewCursor();
    for (const auto& [key, value] : model) {
      std::string found;
      ASSERT_EQ(view.Get(key, &found), absl::OkStatus()) << key.substr(0, 4);
      ASSERT_EQ(found, value);
      cursor->Seek(key);
      ASSERT_TRUE(cursor->Valid() && cursor->key() == key) << key.substr(0, 4);
      cursor->SeekForPrev(key);
      ASSERT_TRUE(cursor->Valid() && cursor->key() == key) << key.substr(0, 4);
    }
    ASSERT_EQ(store->Verify(), absl::OkStatus());
  }

  void Check(int leaves, int fates) {
    FaultEnv env;
    PageStoreOptions options = SmallStoreOptions(&env);
    if (!GetParam().with_slices) options.slices_above_bytes = UINT64_MAX;
    const std::unique_ptr<PageStore> store = *PageStore::Open(kPath, options);
    Model model;
    uint64_t seq = 0;
    for (const Changes& changes : {Load(leaves), ChangesFor(leaves, fates)}) {
      ASSERT_EQ(Apply(store.get(), ++seq, changes), absl::OkStatus());
      ApplyToModel(changes, &model);
      ASSERT_NO_FATAL_FAILURE(ExpectModel(store.get(), model));
    }
    // What is left is touched, all of it.
    Changes touches;
    for (const auto& [key, value] : model) touches[key] = "t";
    ASSERT_EQ(Apply(store.get(), ++seq, touches), absl::OkStatus());
    ApplyToModel(touches, &model);
    ASSERT_NO_FATAL_FAILURE(ExpectModel(store.get(), model));
    // And put in order.
    for (absl::StatusOr<bool> more = true; *more;) {
      more = store->Tidy();
      ASSERT_EQ(more.status(), absl::OkStatus());
    }
    ASSERT_NO_FATAL_FAILURE(ExpectModel(store.get(), model));
    ASSERT_EQ(store->Compact(), absl::OkStatus());
    ASSERT_NO_FATAL_FAILURE(ExpectModel(store.get(), model));
  }
};

INSTANTIATE_TEST_SUITE_P(, PageStoreShapesTest,
                         testing::Values(Shape{"TwoLevels", 5, ShortKey, 3500, false},
                                         Shape{"ManyLevels", 5, LongKey, 10, false},
                                         Shape{"TwoLevelsWithSlices", 4, ShortKey, 3500, true},
                                         Shape{"ManyLevelsWithSlices", 4, LongKey, 10, true}),
                         [](const testing::TestParamInfo<Shape>& info) { return info.param.name; });

TEST_P(PageStoreShapesTest, EveryRecordIsFoundWhateverBecomesOfTheLeavesBesideIt) {
  for (int leaves = 1, shapes = kFates; leaves <= GetParam().most_leaves;
       ++leaves, shapes *= kFates) {
    for (int fates = 0; fates < shapes; ++fates) {
      SCOPED_TRACE(absl::StrCat(leaves, " leaves, their fates ", fates));
      ASSERT_NO_FATAL_FAILURE(Check(leaves, fates));
    }
  }
}

}  // namespace
}  // namespace emdb
