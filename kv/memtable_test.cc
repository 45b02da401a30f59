#include "kv/memtable.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/memtable_builder.h"
#include "kv/memtable_iterator.h"

namespace emdb {
namespace {

std::shared_ptr<Memtable> NewMemtable(size_t capacity_bytes = 16 << 20) {
  auto table = Memtable::Create(std::make_shared<ArenaPool>(capacity_bytes), capacity_bytes);
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

std::string Get(const Memtable& table, std::string_view key, uint64_t limit = UINT64_MAX) {
  std::string_view value;
  switch (table.Get(key, limit, &value)) {
    case Memtable::Lookup::kAbsent:
      return "absent";
    case Memtable::Lookup::kDeleted:
      return "deleted";
    case Memtable::Lookup::kFound:
      return "=" + std::string(value);
  }
  return "?";
}

std::vector<std::string> Forward(const Memtable& table, uint64_t limit = UINT64_MAX) {
  std::vector<std::string> keys;
  MemtableIterator it(&table, limit);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    keys.push_back(std::string(it.key()) + (it.is_deletion() ? "-" : "+"));
  }
  return keys;
}

std::vector<std::string> Backward(const Memtable& table, uint64_t limit = UINT64_MAX) {
  std::vector<std::string> keys;
  MemtableIterator it(&table, limit);
  for (it.SeekToLast(); it.Valid(); it.Prev()) {
    keys.insert(keys.begin(), std::string(it.key()) + (it.is_deletion() ? "-" : "+"));
  }
  return keys;
}

TEST(MemtableTest, StartsEmpty) {
  std::shared_ptr<Memtable> table = NewMemtable();
  EXPECT_TRUE(table->empty());
  EXPECT_EQ(Get(*table, "key"), "absent");
  EXPECT_TRUE(Forward(*table).empty());
  EXPECT_TRUE(Backward(*table).empty());
}

TEST(MemtableTest, AReaderSeesTheNewestVersionBelowItsLimit) {
  std::shared_ptr<Memtable> table = NewMemtable();
  table->Add(3, RecordKind::kPut, "key", "first");
  table->Add(5, RecordKind::kDelete, "key", "");
  table->Add(9, RecordKind::kPut, "key", "second");
  EXPECT_EQ(Get(*table, "key", 3), "absent");
  EXPECT_EQ(Get(*table, "key", 4), "=first");
  EXPECT_EQ(Get(*table, "key", 5), "=first");
  EXPECT_EQ(Get(*table, "key", 6), "deleted");
  EXPECT_EQ(Get(*table, "key", 10), "=second");
  EXPECT_EQ(table->record_count(), 3u);
  EXPECT_EQ(table->key_balance(), 1);
  EXPECT_EQ(table->key_count(), 1u);
}

TEST(MemtableTest, OfOneSeqTheLastOperationWins) {
  std::shared_ptr<Memtable> table = NewMemtable();
  table->Add(1, RecordKind::kPut, "key", "a");
  table->Add(1, RecordKind::kDelete, "key", "");
  table->Add(1, RecordKind::kPut, "key", "b");
  EXPECT_EQ(Get(*table, "key", 2), "=b");
  EXPECT_EQ(Get(*table, "key", 1), "absent");
}

TEST(MemtableTest, AVoidWriteIsAsIfItHadNeverBeen) {
  std::shared_ptr<Memtable> table = NewMemtable();
  table->Add(1, RecordKind::kPut, "a", "old");
  table->Add(2, RecordKind::kPut, "a", "failed");
  table->Add(2, RecordKind::kPut, "a", "failed too");
  table->Add(2, RecordKind::kPut, "b", "failed");
  table->Add(3, RecordKind::kPut, "c", "new");
  table->Void("a", 2);
  table->Void("b", 2);
  table->Void("not there", 2);
  EXPECT_EQ(Get(*table, "a"), "=old");
  EXPECT_EQ(Get(*table, "b"), "absent");
  EXPECT_EQ(Forward(*table), (std::vector<std::string>{"a+", "c+"}));
  EXPECT_EQ(Backward(*table), (std::vector<std::string>{"a+", "c+"}));
}

TEST(MemtableTest, KeysThatArePrefixesOfOneAnotherAndZeroBytes) {
  std::shared_ptr<Memtable> table = NewMemtable();
  const std::vector<std::string> keys = {std::string(1, '\0'),
                                         std::string(2, '\0'),
                                         std::string("\0a", 2),
                                         "a",
                                         std::string("a\0", 2),
                                         std::string("a\0\0", 3),
                                         "a0",
                                         "aaaaaaaa",
                                         std::string("aaaaaaaa\0", 9),
                                         "aaaaaaaaa",
                                         std::string(100, 'a'),
                                         std::string(101, 'a'),
                                         std::string(4096, 'a'),
                                         std::string(4096, '\xff')};
  uint64_t seq = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    table->Add(seq++, RecordKind::kPut, keys[(i * 5) % keys.size()],
               std::to_string((i * 5) % keys.size()));
  }
  ASSERT_EQ(table->key_count(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(Get(*table, keys[i]), "=" + std::to_string(i));
  MemtableIterator it(table.get(), seq);
  it.SeekToFirst();
  for (const std::string& key : keys) {
    ASSERT_TRUE(it.Valid());
    EXPECT_EQ(it.key(), key);
    it.Next();
  }
  EXPECT_FALSE(it.Valid());
}

TEST(MemtableTest, AscendingKeysFillTheirLeaves) {
  std::shared_ptr<Memtable> table = NewMemtable();
  const size_t before = table->memory_bytes();
  constexpr int kKeys = 72 * 100;
  char key[17];
  for (int i = 0; i < kKeys; ++i) {
    snprintf(key, sizeof(key), "%016d", i);
    table->Add(i, RecordKind::kPut, key, "");
  }
  // A record of 40 bytes and its share of a full leaf.
  const double bytes_per_key = static_cast<double>(table->memory_bytes() - before) / kKeys;
  EXPECT_LT(bytes_per_key, 40 + 16);
  EXPECT_EQ(Forward(*table).size(), static_cast<size_t>(kKeys));
}

TEST(MemtableTest, RoomForIsEnoughForTheSmallestRecordsInTheWorstOrder) {
  constexpr size_t kKeys = 20000;
  for (const int stride : {1, 7919, -1}) {
    std::shared_ptr<Memtable> table = NewMemtable();
    const size_t before = table->memory_bytes();
    size_t bytes = 0;
    for (size_t i = 0; i < kKeys; ++i) {
      const size_t n = stride < 0 ? kKeys - i : i * static_cast<size_t>(stride) % kKeys;
      const std::string key = {static_cast<char>(n >> 8), static_cast<char>(n)};
      table->Add(i, RecordKind::kDelete, key, "");
      bytes += key.size();
    }
    EXPECT_LE(table->memory_bytes() - before, Memtable::RoomFor(kKeys, bytes)) << stride;
  }
}

TEST(MemtableTest, RoomForMoreIsEnoughToSplitEveryNode) {
  constexpr size_t kKeys = 72 * 1000;
  std::shared_ptr<Memtable> table = NewMemtable();
  const auto key = [](size_t n) {
    return std::string{static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
  };
  // In order, so that every leaf is full.
  for (size_t i = 0; i < kKeys; ++i) table->Add(i, RecordKind::kDelete, key(2 * i), "");
  // One more for each, then another, and so on.
  for (size_t round = 0; round < 3; ++round) {
    const size_t before = table->memory_bytes();
    const size_t operations = kKeys / 72;
    const size_t room = table->RoomForMore(operations, operations * 3);
    for (size_t i = 0; i < operations; ++i) {
      table->Add(kKeys, RecordKind::kDelete, key(2 * (72 * i + 7 * round) + 1), "");
    }
    EXPECT_LE(table->memory_bytes() - before, room) << round;
    if (round == 0) {
      EXPECT_GT(table->memory_bytes() - before, Memtable::RoomFor(operations, operations * 3));
    }
  }
}

TEST(MemtableTest, HasRoomUntilTheArenaIsUsedUp) {
  std::shared_ptr<Memtable> table = NewMemtable(1 << 20);
  EXPECT_TRUE(table->HasRoom(1 << 19));
  EXPECT_FALSE(table->HasRoom(2 << 20));
  table->Add(0, RecordKind::kPut, "key", std::string(1 << 19, 'v'));
  EXPECT_FALSE(table->HasRoom(1 << 19));
}

// Random keys, many of them again and again, some in one call; then ascending ones; one change
// in four is a deletion.
std::vector<Memtable::Change> ManyChanges(std::vector<std::string>* keys) {
  std::mt19937 random(1);
  keys->reserve(25'000);
  for (int i = 0; i < 20'000; ++i) keys->push_back("k" + std::to_string(random() % 6'000));
  for (int i = 0; i < 5'000; ++i) keys->push_back("z" + std::to_string(10'000 + i));
  std::vector<Memtable::Change> changes;
  for (const std::string& key : *keys) {
    const bool is_put = random() % 4 != 0;
    if (is_put) {
      changes.push_back({RecordKind::kPut, key, key});
    } else {
      changes.push_back({RecordKind::kDelete, key, ""});
    }
  }
  return changes;
}

TEST(MemtableTest, ManyAtATimeAreWhatTheyAreOneByOne) {
  std::vector<std::string> keys;
  const std::vector<Memtable::Change> changes = ManyChanges(&keys);
  std::shared_ptr<Memtable> one_by_one = NewMemtable();
  std::shared_ptr<Memtable> many = NewMemtable();
  std::mt19937 random(2);
  for (size_t i = 0; i < changes.size();) {
    const auto part =
        absl::Span<const Memtable::Change>(changes).subspan(i, 1 + random() % Memtable::kMany);
    for (const auto& [kind, key, value] : part) one_by_one->Add(i, kind, key, value);
    many->AddMany(i, part);
    i += part.size();
  }
  EXPECT_EQ(many->record_count(), changes.size());
  EXPECT_EQ(many->key_count(), one_by_one->key_count());
  EXPECT_EQ(many->key_balance(), one_by_one->key_balance());
  for (const uint64_t limit : {uint64_t{0}, uint64_t{7'000}, uint64_t{20'500}, UINT64_MAX}) {
    EXPECT_EQ(Forward(*many, limit), Forward(*one_by_one, limit));
    EXPECT_EQ(Backward(*many, limit), Backward(*one_by_one, limit));
    for (const std::string& key : keys) {
      ASSERT_EQ(Get(*many, key, limit), Get(*one_by_one, key, limit)) << key;
    }
  }
}

TEST(MemtableTest, PutsOfManyAreNotedWhereThatIsAskedFor) {
  std::shared_ptr<Memtable> table = NewMemtable();
  for (int i = 0; i < 10'000; ++i) {
    table->Add(1, RecordKind::kPut, "k" + std::to_string(10'000 + i), "v");
  }
  table->WatchPuts();
  std::vector<std::string> keys;
  for (int i = 0; i < 8; ++i) keys.push_back("k" + std::to_string(10'500 + i * 1'000));
  std::vector<Memtable::Change> deletions;
  std::vector<Memtable::Change> puts;
  for (const std::string& key : keys) {
    deletions.push_back({RecordKind::kDelete, key, ""});
    puts.push_back({RecordKind::kPut, key, "new"});
  }
  table->AddMany(2, deletions);
  EXPECT_TRUE(table->KnowsPutsFrom(2));
  EXPECT_FALSE(table->MayHavePut({.begin = "k", .end = std::nullopt}, 2));
  table->AddMany(3, absl::MakeSpan(puts).subspan(4));
  for (const std::string& key : keys) {
    EXPECT_EQ(table->MayHavePut({.begin = key, .end = key + "0"}, 3), key >= keys[4]) << key;
  }
}

TEST(MemtableBuilderTest, BuildsWhatAddingOneByOneWould) {
  std::shared_ptr<Memtable> one_by_one = NewMemtable();
  std::shared_ptr<Memtable> built = NewMemtable();
  MemtableBuilder builder(built.get());
  uint64_t state = 42;
  for (uint64_t seq = 0; seq < 5000; ++seq) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const std::string key = "common/" + std::to_string((state >> 33) % 2000);
    const RecordKind kind = (state >> 60) == 0 ? RecordKind::kDelete : RecordKind::kPut;
    const std::string value = kind == RecordKind::kDelete ? "" : std::to_string(seq);
    one_by_one->Add(seq, kind, key, value);
    builder.Add(seq, kind, key, value);
  }
  builder.Finish();
  EXPECT_EQ(built->record_count(), one_by_one->record_count());
  EXPECT_EQ(built->key_count(), one_by_one->key_count());
  EXPECT_EQ(built->key_balance(), one_by_one->key_balance());
  for (const uint64_t limit : {uint64_t{1}, uint64_t{777}, uint64_t{5000}}) {
    EXPECT_EQ(Forward(*built, limit), Forward(*one_by_one, limit));
    EXPECT_EQ(Backward(*built, limit), Forward(*one_by_one, limit));
  }
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "common/" + std::to_string(i);
    EXPECT_EQ(Get(*built, key, 2500), Get(*one_by_one, key, 2500));
  }
  // And it can be written to as usual.
  built->Add(5000, RecordKind::kPut, "common/5", "new");
  built->Add(5001, RecordKind::kPut, "zzz", "last");
  EXPECT_EQ(Get(*built, "common/5"), "=new");
  EXPECT_EQ(Get(*built, "zzz"), "=last");
}

TEST(MemtableTest, TheKeyBalanceCountsKeysAndNotVersions) {
  const std::shared_ptr<Memtable> table = NewMemtable();
  uint64_t seq = 0;
  const auto add = [&](RecordKind kind, std::string_view key) { table->Add(seq++, kind, key, ""); };
  for (int i = 0; i < 3; ++i) add(RecordKind::kPut, "new");
  EXPECT_EQ(table->key_balance(), 1);
  add(RecordKind::kDelete, "new");
  add(RecordKind::kDelete, "new");
  EXPECT_EQ(table->key_balance(), 0);
  add(RecordKind::kDelete, "old");
  EXPECT_EQ(table->key_balance(), -1);
  add(RecordKind::kPut, "old");
  EXPECT_EQ(table->key_balance(), 0);
  EXPECT_EQ(table->key_count(), 2u);
  EXPECT_EQ(table->record_count(), 7u);
}

}  // namespace
}  // namespace emdb
