// Every public call of a Db, a Snapshot and an Iterator at once, from many threads, on a store of
// several times its cache, so that pages are read again and given up, and changes wait in slices;
// made to be run under ThreadSanitizer. What is checked: a thread reads its own writes, batches and
// bulk loads are seen whole, snapshots do not move, bounds are kept, nothing that was written is
// missing in the end, and a close in the midst of it all takes nothing back.
//
// EMDB_WRITES is how many rounds of writes each writer does, EMDB_CLOSES how often a store is
// closed while others call.

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/threads.emdb";
constexpr int kWriters = 4;
constexpr int kReaders = 2;
constexpr int kMaintainers = 3;
constexpr int kBaseKeys = 16'000;  // of 250 bytes: four times the cache
constexpr int kLoadKeys = 100;
constexpr int kMostWrites = 20'000;

// The records of the store that all writers change, each its share of them, all over the store.
std::string BaseKey(int i) { return absl::StrCat("base/", 100'000 + i); }
std::string BaseValue(const std::string& key, int n) {
  std::string value = absl::StrCat(key, "/", n, "/");
  value.resize(250, 'b');
  return value;
}

// `count` records, that follow one another, all with the same value; at record `fails_at` an error.
class LoadedRecords {
 public:
  LoadedRecords(std::string prefix, int count, int fails_at)
      : prefix_(std::move(prefix)), count_(count), fails_at_(fails_at) {}

  BulkSource Source(const std::string& value) {
    return [this, value](std::string_view* key, std::string_view* out) -> absl::StatusOr<bool> {
      if (next_ == fails_at_) return absl::CancelledError("no more");
      if (next_ == count_) return false;
      key_ = absl::StrCat(prefix_, 1000 + next_++);
      *key = key_;
      *out = value;
      return true;
    };
  }

 private:
  const std::string prefix_;
  const int count_;
  const int fails_at_;
  int next_ = 0;
  std::string key_;
};

class DbThreadTest : public testing::TestWithParam<bool> {
 protected:
  DbThreadTest() {
    options_.env = &env_;
    options_.memtable_size = 256 << 10;
    options_.cache_size = 1 << 20;
    options_.wal_segment_size = 128 << 10;
    options_.flush_policy = FlushPolicy::Group(absl::Milliseconds(1));
    Open();
    Fill();
  }

  bool in_memory() const { return GetParam(); }

  void Open() {
    auto db = in_memory() ? Db::OpenInMemory(options_) : Db::Open(options_, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  void Fill() {
    int next = 0;
    std::string key;
    std::string value;
    const absl::Status status =
        db_->BulkLoad([&](std::string_view* k, std::string_view* v) -> absl::StatusOr<bool> {
          if (next == kBaseKeys) return false;
          key = BaseKey(next++);
          value = BaseValue(key, 0);
          *k = key;
          *v = value;
          return true;
        });
    ASSERT_TRUE(status.ok()) << status;
  }

  static std::string Key(int writer, int n) { return absl::StrCat("w", writer, "/", n); }

  // Each writer owns two keys that always change together, a row of keys that only come, one that
  // comes and goes, and its share of the base.
  void Write(int writer) {
    std::mt19937 random(static_cast<uint32_t>(writer));
    for (int n = 0; n < writes_; ++n) {
      const std::string number = std::to_string(n);
      WriteBatch batch;
      batch.Put(absl::StrCat("pair/", writer, "/left"), number);
      batch.Put(absl::StrCat("pair/", writer, "/right"), number);
      batch.Put(Key(writer, n), std::string(random() % 400, 'v'));
      batch.Delete("gone/" + number);
      if (random() % 4 == 0) {
        Async(batch);
      } else {
        ASSERT_TRUE(db_->Write(batch, {.sync = random() % 4 == 0}).ok());
        std::string value;
        ASSERT_TRUE(db_->Get(Key(writer, n), &value).ok()) << "a thread must read its own writes";
      }
      ASSERT_NO_FATAL_FAILURE(PutAndDelete(writer, n, &random));
    }
  }

  void PutAndDelete(int writer, int n, std::mt19937* random) {
    PinnedValue found;
    for (int i = 0; i < 3; ++i) {
      const int share = static_cast<int>((*random)() % (kBaseKeys / kWriters));
      const std::string key = BaseKey(share * kWriters + writer);
      ASSERT_TRUE(db_->Put(key, BaseValue(key, n)).ok());
      ASSERT_TRUE(db_->Get(key, &found).ok());
      ASSERT_EQ(found.value(), BaseValue(key, n)) << "a thread must read its own writes";
    }
    const std::string key = absl::StrCat("comes and goes/", writer);
    ASSERT_TRUE(db_->Put(key, "here").ok());
    ASSERT_TRUE(db_->Get(key, &found).ok());
    ASSERT_TRUE(db_->Delete(key, {.sync = (*random)() % 8 == 0}).ok());
    ASSERT_TRUE(absl::IsNotFound(db_->Get(key, &found)));
  }

  void Async(const WriteBatch& batch) {
    async_started_++;
    db_->WriteAsync(batch, [this](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      async_done_++;
    });
  }

  void Read(int reader) {
    std::mt19937 random(static_cast<uint32_t>(100 + reader));
    uint64_t last_seq = 0;
    for (int round = 0; !stop_; ++round) {
      Snapshot taken = db_->GetSnapshot();
      const Snapshot snapshot = std::move(taken);
      ASSERT_GE(snapshot.seq(), last_seq);
      last_seq = snapshot.seq();
      const ReadOptions at{.snapshot = &snapshot};
      const int writer = static_cast<int>(random() % kWriters);
      const int base = static_cast<int>(random() % (kBaseKeys - 50));
      ASSERT_NO_FATAL_FAILURE(CheckPair(writer, at));
      ASSERT_NO_FATAL_FAILURE(CheckBase(base, at));
      ASSERT_NO_FATAL_FAILURE(CheckLoaded(static_cast<int>(random() % kMaintainers)));
      // Twice the same, with writes and checkpoints in between.
      if (round % 8 == 0) {
        ASSERT_EQ(CountAndCheck(at, true), CountAndCheck(at, false));
      }
    }
  }

  // By gets through a snapshot, and by multi-gets through it and of the newest state.
  void CheckPair(int writer, const ReadOptions& at) {
    const std::string left_key = absl::StrCat("pair/", writer, "/left");
    const std::string right_key = absl::StrCat("pair/", writer, "/right");
    std::string left;
    std::string right;
    const absl::Status left_status = db_->Get(left_key, &left, at);
    const absl::Status right_status = db_->Get(right_key, &right, at);
    ASSERT_EQ(left_status.code(), right_status.code());
    ASSERT_EQ(left, right) << "a batch must be seen whole";
    const std::vector<std::string_view> keys = {left_key, right_key};
    for (const ReadOptions& options : {at, ReadOptions()}) {
      std::vector<std::string> values;
      const std::vector<absl::Status> statuses = db_->MultiGet(keys, &values, options);
      ASSERT_EQ(statuses[0].code(), statuses[1].code());
      if (statuses[0].ok()) {
        ASSERT_EQ(values[0], values[1]);
      }
      if (options.snapshot == nullptr) continue;
      ASSERT_EQ(statuses[0].code(), left_status.code());
      if (left_status.ok()) {
        ASSERT_EQ(values[0], left) << "a snapshot must not move";
      }
    }
  }

  // 50 keys from `first` on, all of which are always there: between bounds, from both sides, and
  // one that is kept while others are read.
  void CheckBase(int first, const ReadOptions& at) {
    constexpr int kCount = 50;
    const std::string lower = BaseKey(first);
    const std::string upper = BaseKey(first + kCount);
    const std::string middle = BaseKey(first + kCount / 2);
    PinnedValue pinned;
    ASSERT_TRUE(db_->Get(middle, &pinned, at).ok());
    const std::string copy(pinned.value());
    ASSERT_TRUE(copy.starts_with(middle));
    const std::unique_ptr<Iterator> it =
        db_->NewIterator({.snapshot = at.snapshot, .lower_bound = lower, .upper_bound = upper});
    int count = 0;
    for (it->Seek("a"); it->Valid(); it->Next()) {
      ASSERT_EQ(it->key(), BaseKey(first + count++));
      ASSERT_TRUE(it->value().starts_with(it->key()));
    }
    ASSERT_EQ(count, kCount) << it->status();
    for (it->SeekForPrev("z"); it->Valid(); it->Prev())
      ASSERT_EQ(it->key(), BaseKey(first + --count));
    ASSERT_EQ(count, 0) << it->status();
    it->Seek(middle);
    ASSERT_TRUE(it->Valid()) << it->status();
    ASSERT_EQ(it->key(), middle);
    ASSERT_EQ(it->value(), copy) << "a snapshot must not move";
    it->SeekForPrev(middle + "0");
    ASSERT_TRUE(it->Valid()) << it->status();
    ASSERT_EQ(it->key(), middle);
    ASSERT_EQ(pinned.value(), copy) << "what is pinned must not change";
  }

  // All records of one bulk load, or none: those of `maintainer` change as one.
  void CheckLoaded(int maintainer) {
    const std::string lower = absl::StrCat("load/", maintainer, "/");
    const std::string upper = absl::StrCat("load/", maintainer, "0");
    const std::unique_ptr<Iterator> it =
        db_->NewIterator({.lower_bound = lower, .upper_bound = upper});
    std::string value;
    int count = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      if (count++ == 0) value = it->value();
      ASSERT_EQ(it->value(), value) << "a bulk load must be seen whole";
    }
    ASSERT_TRUE(it->status().ok()) << it->status();
    ASSERT_TRUE(count == 0 || count == kLoadKeys) << count;
  }

  size_t CountAndCheck(const ReadOptions& options, bool forward) {
    std::unique_ptr<Iterator> it = db_->NewIterator(options);
    size_t count = 0;
    std::string last;
    for (forward ? it->SeekToFirst() : it->SeekToLast(); it->Valid();
         forward ? it->Next() : it->Prev()) {
      if (count > 0) {
        EXPECT_EQ(forward, it->key() > last);
      }
      last = it->key();
      count += 1 + it->value().size();
    }
    EXPECT_TRUE(it->status().ok()) << it->status();
    return count;
  }

  // Several of these run at once, against each other too.
  void Maintain(int maintainer) {
    std::mt19937 random(static_cast<uint32_t>(200 + maintainer));
    for (int round = 0; !stop_; ++round) {
      switch (random() % 12) {
        case 0:
          ASSERT_TRUE(db_->Flush().ok());
          break;
        case 1:
          ASSERT_TRUE(db_->Compact().ok());
          break;
        case 2:
          ASSERT_NO_FATAL_FAILURE(Verify());
          break;
        case 3:
          ASSERT_NO_FATAL_FAILURE(Load(maintainer, round, kLoadKeys / 2));
          break;
        case 4:
          ASSERT_NO_FATAL_FAILURE(Load(maintainer, round, -1));
          break;
        case 5:
          ASSERT_TRUE(db_->Checkpoint().ok());
          break;
        default:
          // Most checkpoints are those of full memtables.
          NoteStats();
          std::this_thread::yield();
      }
    }
  }

  void Verify() {
    uint64_t last = 0;
    const absl::Status status = db_->Verify([&last](uint64_t done, uint64_t total) {
      EXPECT_LE(done, total);
      EXPECT_GE(done, last);
      last = done;
    });
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_GT(last, 0u);
  }

  void Load(int maintainer, int round, int fails_at) {
    LoadedRecords records(absl::StrCat("load/", maintainer, "/"), kLoadKeys, fails_at);
    const absl::Status status = db_->BulkLoad(records.Source(std::to_string(round)));
    ASSERT_EQ(status.code(), fails_at < 0 ? absl::StatusCode::kOk : absl::StatusCode::kCancelled)
        << status;
    if (status.ok()) loaded_[static_cast<size_t>(maintainer)] = true;
  }

  void NoteStats() {
    const Stats stats = db_->GetStats();
    EXPECT_FALSE(stats.ToString().empty());
    if (stats.page_store.slice_records > 0) saw_slices_ = true;
    if (stats.page_store.cache_evictions > 0) saw_evictions_ = true;
  }

  FaultEnv env_;
  Options options_;
  std::unique_ptr<Db> db_;
  const int writes_ = static_cast<int>(TestSetting("EMDB_WRITES", 800));
  std::atomic<bool> stop_{false};
  std::atomic<int> async_started_{0};
  std::atomic<int> async_done_{0};
  std::atomic<bool> saw_slices_{false};
  std::atomic<bool> saw_evictions_{false};
  std::array<std::atomic<bool>, kMaintainers> loaded_{};
};

INSTANTIATE_TEST_SUITE_P(, DbThreadTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& info) {
                           return info.param ? "InMemory" : "OnDisk";
                         });

TEST_P(DbThreadTest, AllCallsAtOnce) {
  std::vector<std::thread> others;
  others.reserve(kReaders + kMaintainers);
  for (int i = 0; i < kReaders; ++i) others.emplace_back([this, i] { Read(i); });
  for (int i = 0; i < kMaintainers; ++i) others.emplace_back([this, i] { Maintain(i); });
  std::vector<std::thread> writers;
  writers.reserve(kWriters);
  for (int i = 0; i < kWriters; ++i) writers.emplace_back([this, i] { Write(i); });
  for (std::thread& writer : writers) writer.join();
  // Compactions take slices away; where they were too many, some more changes make new ones.
  std::mt19937 random(kWriters);
  for (int n = writes_; n < kMostWrites && !saw_slices_ && !HasFatalFailure(); ++n) {
    PutAndDelete(0, n, &random);
  }
  stop_ = true;
  for (std::thread& other : others) other.join();
  EXPECT_TRUE(saw_slices_);
  EXPECT_TRUE(saw_evictions_);

  ASSERT_TRUE(db_->Flush().ok());
  if (!in_memory()) {
    // Close waits for the asynchronous writes.
    ASSERT_TRUE(db_->Close().ok());
    EXPECT_EQ(async_done_, async_started_);
    db_.reset();
    ASSERT_NO_FATAL_FAILURE(Open());
  }
  EXPECT_EQ(async_done_, async_started_);
  std::string value;
  for (int writer = 0; writer < kWriters; ++writer) {
    for (int n = 0; n < writes_; ++n) ASSERT_TRUE(db_->Get(Key(writer, n), &value).ok());
  }
  uint64_t records = kBaseKeys + kWriters * (static_cast<uint64_t>(writes_) + 2);
  for (const std::atomic<bool>& loaded : loaded_) records += loaded ? kLoadKeys : 0;
  ASSERT_TRUE(db_->Verify().ok());
  ASSERT_TRUE(db_->Compact().ok());
  ASSERT_TRUE(db_->Verify().ok());
  EXPECT_EQ(db_->GetStats().page_store.records, records);
}

// Calls that go on until the database is closed: each returns OK, NotFound, or that it is closed.
class CallsUntilClosed {
 public:
  // The keys of its puts are those of `round`.
  CallsUntilClosed(Db* db, uint64_t round) : db_(db), round_(round), open_(db->NewIterator()) {
    Add([this](int n) { return db_->Put(PutKey(n), std::to_string(n), {.sync = n % 8 == 0}); },
        &puts_);
    Add([this](int n) {
      return db_->Delete(absl::StrCat("deleted/", n % kPutKeys), {.sync = n % 8 == 0});
    });
    Add([this](int n) { return db_->Write(Batch(n), {.sync = n % 8 == 0}); });
    Add([this](int n) { return WriteAsync(n); });
    Add([this](int n) {
      std::string value;
      return db_->Get(BaseKey(n % kBaseKeys), &value);
    });
    Add([this](int n) {
      PinnedValue value;
      return db_->Get(BaseKey(n % kBaseKeys), &value);
    });
    Add([this](int n) {
      const Snapshot snapshot = db_->GetSnapshot();
      std::string value;
      return db_->Get(BaseKey(n % kBaseKeys), &value, {.snapshot = &snapshot});
    });
    Add([this](int n) {
      const std::string key = BaseKey(n % kBaseKeys);
      std::vector<std::string> values;
      const std::vector<std::string_view> keys = {key, "base/", "put/0"};
      return db_->MultiGet(keys, &values)[0];
    });
    Add([this](int n) {
      const std::string lower = BaseKey(n * 100 % kBaseKeys);
      const std::unique_ptr<Iterator> it = db_->NewIterator({.lower_bound = lower});
      it->SeekToFirst();
      for (int i = 0; i < 50 && it->Valid(); ++i) it->Next();
      return it->status();
    });
    // One that is there before the others, and goes round and round.
    Add([this](int) {
      open_->Next();
      if (!open_->Valid()) open_->SeekToFirst();
      return open_->status();
    });
    Add([this](int n) {
      LoadedRecords records("load/", kLoadKeys, -1);
      return db_->BulkLoad(records.Source(std::to_string(n)));
    });
    Add([this](int) { return db_->Flush(); });
    Add([this](int) { return db_->Checkpoint(); });
    Add([this](int) { return db_->Compact(); });
    Add([this](int) { return db_->Verify([](uint64_t, uint64_t) {}); });
    // A closed one has no numbers.
    Add([this](int) {
      return db_->GetStats().next_seq > 0 ? absl::OkStatus() : absl::FailedPreconditionError("");
    });
    open_->SeekToFirst();
  }

  // On return each call has been made a few times, and all go on at once.
  void Start() {
    threads_.reserve(calls_.size());
    for (Call& call : calls_) threads_.emplace_back([this, &call] { Run(&call); });
    are_warm_.wait();
  }
  // Until so many calls more have been made.
  void WaitForMore(uint64_t calls) const {
    const uint64_t end = made_ + calls;
    while (made_ < end) std::this_thread::yield();
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
  }
  // The key of the n-th put, whose value is n; in turn, so that the store does not grow.
  static constexpr int kPutKeys = 200;
  std::string PutKey(int n) const { return absl::StrCat("put/", round_, "/", n % kPutKeys); }
  // So many were acknowledged.
  int puts() const { return puts_; }

 private:
  struct Call {
    std::function<absl::Status(int n)> make;
    std::atomic<int>* acknowledged;
  };

  void Add(std::function<absl::Status(int n)> make, std::atomic<int>* acknowledged = nullptr) {
    Call& call = calls_[count_++];
    call.make = std::move(make);
    call.acknowledged = acknowledged;
  }

  void Run(Call* call) {
    for (int n = 0;; ++n) {
      // The fast ones wait for the slow ones here, or these would have to run beside them for long.
      if (n == kWarmUp) are_warm_.arrive_and_wait();
      const absl::Status status = call->make(n);
      if (!status.ok() && !absl::IsNotFound(status)) {
        EXPECT_TRUE(n >= kWarmUp && absl::IsFailedPrecondition(status))
            << "call " << call - calls_.data() << ": " << status;
        if (n < kWarmUp) are_warm_.count_down();
        return;
      }
      if (call->acknowledged != nullptr) *call->acknowledged = n + 1;
      made_++;
    }
  }

  static WriteBatch Batch(int n) {
    WriteBatch batch;
    batch.Put(absl::StrCat("batch/", n % 100), std::string(200, 'b'));
    batch.Delete(absl::StrCat("batch/", (n + 1) % 100));
    return batch;
  }

  // Waits for the answer.
  absl::Status WriteAsync(int n) {
    struct Answer {
      absl::Status status;
      std::atomic<bool> is_there{false};
    };
    const auto answer = std::make_shared<Answer>();
    db_->WriteAsync(Batch(n), [answer](const absl::Status& status) {
      answer->status = status;
      answer->is_there = true;
    });
    while (!answer->is_there) std::this_thread::yield();
    return answer->status;
  }

  static constexpr size_t kCalls = 16;
  static constexpr int kWarmUp = 2;

  Db* const db_;
  const uint64_t round_;
  const std::unique_ptr<Iterator> open_;
  std::array<Call, kCalls> calls_;
  size_t count_ = 0;
  std::atomic<int> puts_{0};
  std::atomic<uint64_t> made_{0};
  std::latch are_warm_{kCalls};
  std::vector<std::thread> threads_;
};

TEST_P(DbThreadTest, CloseWhileOthersCall) {
  const uint64_t closes = TestSetting("EMDB_CLOSES", 4);
  std::mt19937 random(5);
  for (uint64_t round = 0; round < closes; ++round) {
    {
      CallsUntilClosed calls(db_.get(), round);
      calls.Start();
      calls.WaitForMore(random() % 2000);
      // Two at once: one of them does it.
      absl::Status first;
      std::thread closer([this, &first] { first = db_->Close(); });
      const absl::Status second = db_->Close();
      closer.join();
      EXPECT_NE(first.ok(), second.ok()) << first << ", " << second;
      EXPECT_TRUE(absl::IsFailedPrecondition(first.ok() ? second : first)) << first << second;
      calls.Join();
      db_.reset();
      ASSERT_NO_FATAL_FAILURE(Open());
      std::string value;
      const int puts = in_memory() ? 0 : calls.puts();
      for (int n = std::max(0, puts - CallsUntilClosed::kPutKeys); n < puts; ++n) {
        ASSERT_TRUE(db_->Get(calls.PutKey(n), &value).ok()) << n;
        ASSERT_EQ(value, std::to_string(n));
      }
    }
    if (in_memory()) {
      ASSERT_NO_FATAL_FAILURE(Fill());
    }
    ASSERT_TRUE(db_->Verify().ok());
  }
}

}  // namespace
}  // namespace emdb
