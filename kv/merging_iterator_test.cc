#include "kv/merging_iterator.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/arena.h"

namespace emdb {
namespace {

using Records = std::map<std::string, std::string>;

// A tree's cursor over a map. It hands out its keys and values from memory that every move
// overwrites, and fails where it is told to.
class MapCursor : public Cursor {
 public:
  explicit MapCursor(const Records* records, std::string fails_at = "")
      : records_(records), fails_at_(std::move(fails_at)), at_(records->end()) {}

  bool Valid() const override { return at_ != records_->end() && status_.ok(); }
  void SeekToFirst() override { MoveTo(records_->begin()); }
  void SeekToLast() override { MoveBefore(records_->end()); }
  void Seek(std::string_view target) override {
    Forget();
    MoveTo(records_->lower_bound(std::string(target)));
  }
  void SeekForPrev(std::string_view target) override {
    Forget();
    MoveBefore(records_->upper_bound(std::string(target)));
  }
  void Next() override { MoveTo(std::next(at_)); }
  void Prev() override { MoveBefore(at_); }
  std::string_view key() const override { return key_; }
  std::string_view value() override { return value_; }
  absl::Status status() const override { return status_; }

 private:
  void Forget() {
    key_.assign(key_.size(), '?');
    value_.assign(value_.size(), '?');
  }
  void MoveBefore(Records::const_iterator end) {
    MoveTo(end == records_->begin() ? records_->end() : std::prev(end));
  }
  void MoveTo(Records::const_iterator to) {
    at_ = to;
    status_ = absl::OkStatus();
    if (at_ == records_->end()) return;
    key_ = at_->first;
    value_ = at_->second;
    if (!fails_at_.empty() && key_ == fails_at_) status_ = absl::DataLossError("page 7");
  }

  const Records* const records_;
  const std::string fails_at_;
  Records::const_iterator at_;
  std::string key_;
  std::string value_;
  absl::Status status_;
};

// Two memtables in front of a tree, and what the three show together.
class MergingIteratorTest : public testing::Test {
 protected:
  MergingIteratorTest() { StartOver(); }

  void StartOver() {
    tree_.clear();
    expected_.clear();
    auto state = std::make_shared<ReadState>();
    state->active = NewMemtable();
    state->frozen.push_back(NewMemtable());
    state_ = std::move(state);
  }

  static std::shared_ptr<Memtable> NewMemtable() {
    auto pool = std::make_shared<ArenaPool>(4 << 20);
    auto table = Memtable::Create(pool, 4 << 20);
    EXPECT_TRUE(table.ok());
    return *std::move(table);
  }

  void InTree(const std::string& key, const std::string& value) {
    tree_[key] = value;
    expected_[key] = value;
  }
  // An absent value is a deletion.
  void InFrozen(const std::string& key, std::optional<std::string> value) {
    Add(state_->frozen[0].get(), key, std::move(value));
  }
  void InActive(const std::string& key, std::optional<std::string> value) {
    Add(state_->active.get(), key, std::move(value));
  }
  void Add(Memtable* to, const std::string& key, std::optional<std::string> value) {
    if (value.has_value()) {
      to->Add(seq_++, RecordKind::kPut, key, *value);
      expected_[key] = *value;
    } else {
      to->Add(seq_++, RecordKind::kDelete, key, "");
      expected_.erase(key);
    }
  }

  std::unique_ptr<MergingIterator> New(const MergingIterator::Bounds& bounds = {}) {
    return std::make_unique<MergingIterator>(state_.get(), std::make_unique<MapCursor>(&tree_),
                                             seq_, bounds);
  }

  std::shared_ptr<const ReadState> state_;
  Records tree_;
  Records expected_;
  uint64_t seq_ = 0;
};

TEST_F(MergingIteratorTest, ASeekToItsOwnKeyOrAPartOfItIsASeekToThat) {
  for (const std::string key : {"a1", "a2", "b1", "b2"}) InTree(key, "tree");
  InActive("a3", "memory");
  for (const auto& [key, value] : expected_) {
    auto it = New();
    it->Seek(key);
    it->Seek(it->key());
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), key);
    it->SeekForPrev(it->key());
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), key);
    it->Seek(it->key().substr(0, 1));
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), key.substr(0, 1) + "1");
  }
}

TEST_F(MergingIteratorTest, NothingAtAll) {
  auto it = New();
  EXPECT_FALSE(it->Valid());
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  it->SeekToLast();
  EXPECT_FALSE(it->Valid());
  it->Seek("a");
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("a");
  EXPECT_FALSE(it->Valid());
  EXPECT_TRUE(it->status().ok());
}

TEST_F(MergingIteratorTest, TheNewerSourceHidesTheOlder) {
  InTree("a", "tree");
  InTree("b", "tree");
  InTree("c", "tree");
  InFrozen("b", "frozen");
  InFrozen("c", std::nullopt);
  InFrozen("d", std::nullopt);
  InActive("c", "active");
  InActive("a", std::nullopt);
  auto it = New();
  it->SeekToFirst();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "b");
  EXPECT_EQ(it->value(), "frozen");
  it->Next();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "c");
  EXPECT_EQ(it->value(), "active");
  it->Next();
  EXPECT_FALSE(it->Valid());
}

TEST_F(MergingIteratorTest, WhatIsWrittenLaterIsNotSeen) {
  InTree("a", "1");
  InActive("b", "2");
  auto it = New();
  state_->active->Add(seq_, RecordKind::kPut, "c", "3");
  state_->active->Add(seq_, RecordKind::kDelete, "b", "");
  it->SeekToLast();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "b");
}

TEST_F(MergingIteratorTest, AnErrorOfTheTreeMakesItInvalidUntilTheNextSeek) {
  for (const char* key : {"a", "b", "c"}) InTree(key, "value");
  InActive("z", "value");
  MergingIterator it(state_.get(), std::make_unique<MapCursor>(&tree_, "b"), seq_, {});
  it.SeekToFirst();
  ASSERT_TRUE(it.Valid());
  it.Next();
  EXPECT_FALSE(it.Valid());
  EXPECT_EQ(it.status().code(), absl::StatusCode::kDataLoss);
  it.Seek("c");
  ASSERT_TRUE(it.Valid());
  EXPECT_EQ(it.key(), "c");
  EXPECT_TRUE(it.status().ok());
}

// Random contents, bounds and moves, against a map that does what the iterator should.
TEST_F(MergingIteratorTest, AgreesWithAMap) {
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    StartOver();
    std::mt19937 random(seed);
    const auto key = [&random] { return "k" + std::to_string(random() % 60); };
    const auto value = [&random]() -> std::optional<std::string> {
      if (random() % 3 == 0) return std::nullopt;
      return std::to_string(random());
    };
    // Some seeds have empty sources.
    for (uint32_t i = 0; i < seed % 4 * 10; ++i) InTree(key(), "tree");
    for (uint32_t i = 0; i < seed % 3 * 10; ++i) InFrozen(key(), value());
    for (uint32_t i = 0; i < seed % 5 * 8; ++i) InActive(key(), value());
    const std::string lower = random() % 2 == 0 ? key() : "";
    const std::string upper = random() % 2 == 0 ? key() : "";
    Records visible;
    for (const auto& [k, v] : expected_) {
      if (k >= lower && (upper.empty() || k < upper)) visible[k] = v;
    }
    auto it = New({lower, upper});
    auto at = visible.end();
    for (int step = 0; step < 400; ++step) {
      const std::string target = key();
      const uint32_t move = random() % (at == visible.end() ? 4 : 8);
      if (move == 0) {
        it->SeekToFirst();
        at = visible.begin();
      } else if (move == 1) {
        it->SeekToLast();
        at = visible.empty() ? visible.end() : std::prev(visible.end());
      } else if (move == 2) {
        it->Seek(target);
        at = visible.lower_bound(target);
      } else if (move == 3) {
        it->SeekForPrev(target);
        at = visible.upper_bound(target);
        at = at == visible.begin() ? visible.end() : std::prev(at);
      } else if (move % 2 == 0) {
        it->Next();
        ++at;
      } else {
        it->Prev();
        at = at == visible.begin() ? visible.end() : std::prev(at);
      }
      ASSERT_EQ(it->Valid(), at != visible.end());
      if (!it->Valid()) continue;
      ASSERT_EQ(it->key(), at->first);
      ASSERT_EQ(it->value(), at->second);
    }
    EXPECT_TRUE(it->status().ok());
  }
}

// A queue: 50,000 messages that were put and taken in the same memtable, behind and in front of
// those of a tree.
class MergingIteratorQueueTest : public MergingIteratorTest {
 protected:
  static constexpr int kTaken = 50'000;

  static std::string Message(int n) {
    char buffer[16];
    snprintf(buffer, sizeof(buffer), "%08d", n);
    return buffer;
  }

  MergingIteratorQueueTest() {
    auto state = std::make_shared<ReadState>();
    auto pool = std::make_shared<ArenaPool>(32 << 20);
    state->active = *Memtable::Create(pool, 32 << 20);
    state_ = std::move(state);
    for (int i = 0; i < 100; ++i) InTree(Message(i), "tree");
    for (int i = 0; i < kTaken; ++i) InActive(Message(i + 100), "active");
    for (int i = 0; i < kTaken; ++i) InActive(Message(i), std::nullopt);
  }

  // What a new iterator stepped over to find the first (last) record, which is the right one.
  uint64_t StepsToFirst() {
    auto it = New();
    it->SeekToFirst();
    EXPECT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), expected_.begin()->first);
    return it->passed_deletions();
  }
  uint64_t StepsToLast() {
    auto it = New();
    it->SeekToLast();
    EXPECT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), expected_.rbegin()->first);
    return it->passed_deletions();
  }
};

TEST_F(MergingIteratorQueueTest, TheHeadIsFoundInAFewStepsWhenNothingIsWritten) {
  EXPECT_EQ(StepsToFirst(), kTaken);
  for (int i = 0; i < 3; ++i) EXPECT_LE(StepsToFirst(), 20u);
  // Nor does the first write make it forget.
  InActive(Message(kTaken), std::nullopt);
  EXPECT_LE(StepsToFirst(), 40u);
}

TEST_F(MergingIteratorQueueTest, APutOfTheFirstWriteThatIsWatchedIsFound) {
  StepsToFirst();
  InActive(Message(777), "back again");
  EXPECT_LE(StepsToFirst(), kTaken);
  InActive(Message(777), std::nullopt);
  StepsToFirst();
}

// A batch of which a part came before the reader's wish: the put below must not be missed.
TEST_F(MergingIteratorQueueTest, APutOfABatchThatIsHalfAddedIsFound) {
  const uint64_t batch_seq = seq_++;
  state_->active->Add(batch_seq, RecordKind::kPut, Message(777), "back again");
  const auto before = std::make_unique<MergingIterator>(
      state_.get(), std::make_unique<MapCursor>(&tree_), batch_seq, MergingIterator::Bounds());
  for (int i = 0; i < 2; ++i) {
    before->SeekToFirst();
    ASSERT_TRUE(before->Valid());
    EXPECT_EQ(before->key(), Message(kTaken));
  }
  state_->active->Add(batch_seq, RecordKind::kDelete, Message(778), "");
  before->SeekToFirst();
  expected_[Message(777)] = "back again";
  StepsToFirst();
}

TEST_F(MergingIteratorQueueTest, TheHeadIsFoundInAFewSteps) {
  EXPECT_EQ(StepsToFirst(), kTaken);
  uint64_t steps = 0;
  for (int i = 0; i < 90; ++i) {
    InActive(Message(kTaken + i), std::nullopt);
    InActive(Message(kTaken + i + 100), "more");
    steps = std::max(steps, StepsToFirst());
  }
  EXPECT_LE(steps, 40u);
}

TEST_F(MergingIteratorQueueTest, TheTopOfAStackIsFoundInAFewSteps) {
  uint64_t steps = 0;
  for (int i = 0; i < 30'000; ++i) InActive(Message(100'000 + i), "stack");
  for (int i = 30'000; i-- > 1000;) InActive(Message(100'000 + i), std::nullopt);
  EXPECT_EQ(StepsToLast(), 29'000u);
  for (int i = 0; i < 90; ++i) {
    InActive(Message(100'999 - i), std::nullopt);
    const uint64_t now = StepsToLast();
    if (i > 1) steps = std::max(steps, now);
  }
  EXPECT_LE(steps, 40u);
}

TEST_F(MergingIteratorQueueTest, AnEmptyQueueIsKnownToBeEmpty) {
  for (int i = kTaken; i < kTaken + 100; ++i) InActive(Message(i), std::nullopt);
  for (int round = 0; round < 3; ++round) {
    auto it = New();
    it->SeekToFirst();
    EXPECT_FALSE(it->Valid());
    EXPECT_LE(it->passed_deletions(), round > 0 ? 40u : kTaken + 200u);
    InActive(Message(1), std::nullopt);
  }
}

TEST_F(MergingIteratorQueueTest, WhatIsPutIntoTheRunIsFound) {
  for (int i = 0; i < 3; ++i) {
    StepsToFirst();
    InActive(Message(1), std::nullopt);
  }
  const auto before = New();
  InActive(Message(777), "back again");
  StepsToFirst();
  StepsToFirst();
  before->SeekToFirst();
  ASSERT_TRUE(before->Valid());
  EXPECT_EQ(before->key(), Message(kTaken));
  InActive(Message(777), std::nullopt);
  StepsToFirst();
}

TEST_F(MergingIteratorQueueTest, AReaderOfOlderDaysSeesWhatWasThere) {
  std::vector<std::unique_ptr<MergingIterator>> readers;
  std::vector<Records> seen;
  for (int i = 0; i < 8; ++i) {
    readers.push_back(New());
    seen.push_back(expected_);
    StepsToFirst();
    for (int j = 0; j < 10; ++j) InActive(Message(kTaken + i * 10 + j), std::nullopt);
    InActive(Message(60'000 + i), "more");
  }
  for (int i = 0; i < 8; ++i) {
    readers[i]->SeekToFirst();
    for (const auto& [key, value] : seen[i]) {
      ASSERT_TRUE(readers[i]->Valid());
      ASSERT_EQ(readers[i]->key(), key);
      readers[i]->Next();
    }
    EXPECT_FALSE(readers[i]->Valid());
  }
}

// Long runs of deletions that come and go, in all sources, both ways, and readers that stay behind.
TEST_F(MergingIteratorTest, RunsOfDeletionsAgreeWithAMap) {
  constexpr uint32_t kKeys = 2000;
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    StartOver();
    std::mt19937 random(seed);
    const auto key = [](uint32_t n) { return "key" + std::to_string(10'000 + n); };
    for (uint32_t i = 0; i < kKeys; i += 1 + seed % 3) InTree(key(i), "tree");
    for (uint32_t i = 0; i < kKeys; i += 2) InFrozen(key(i), i % 3 ? "frozen" : "other");
    state_->frozen[0]->Freeze(seq_);
    struct Reader {
      std::unique_ptr<MergingIterator> it;
      Records records;
    };
    std::vector<Reader> readers;
    for (int step = 0; step < 300; ++step) {
      // A run that is taken, from one end or in any order, and sometimes a put anywhere.
      const uint32_t begin = random() % kKeys;
      const uint32_t size = random() % 3 == 0 ? random() % 600 : random() % 30;
      for (uint32_t i = begin; i < std::min(begin + size, kKeys); ++i) {
        InActive(key(i), std::nullopt);
      }
      if (random() % 2 == 0) InActive(key(random() % kKeys), "again");
      if (random() % 8 == 0) InActive(key(kKeys + step), "tail");
      readers.push_back({New(), expected_});
      if (readers.size() > 6) readers.erase(readers.begin() + random() % readers.size());
      Reader& reader = readers[random() % readers.size()];
      const std::string target = key(random() % kKeys);
      const bool forward = random() % 2 == 0;
      auto at = forward ? reader.records.lower_bound(target) : reader.records.upper_bound(target);
      if (!forward) at = at == reader.records.begin() ? reader.records.end() : std::prev(at);
      forward ? reader.it->Seek(target) : reader.it->SeekForPrev(target);
      for (int move = 0; move < 20; ++move) {
        ASSERT_EQ(reader.it->Valid(), at != reader.records.end()) << step;
        if (!reader.it->Valid()) break;
        ASSERT_EQ(reader.it->key(), at->first) << step;
        ASSERT_EQ(reader.it->value(), at->second) << step;
        if (random() % 4 != 0 ? forward : !forward) {
          reader.it->Next();
          ++at;
        } else {
          reader.it->Prev();
          at = at == reader.records.begin() ? reader.records.end() : std::prev(at);
        }
      }
    }
  }
}

}  // namespace
}  // namespace emdb
