#include "kv/history_clients.h"

#include <chrono>
#include <latch>
#include <memory>
#include <random>
#include <string_view>
#include <thread>
#include <utility>

#include "storage/status.h"

namespace emdb {
namespace {

constexpr uint32_t kKeys = kHistoryKeys;
constexpr int kThreads = 6;
constexpr int kOperationsPerThread = 9;

std::string KeyName(uint32_t key) { return "key" + std::to_string(key); }

// The number, and bytes that depend on it: from nothing up to a value that has pages of its own.
std::string ValueOf(uint64_t number) {
  const size_t padding = number % 17 == 0 ? 20'000 + number % 1000 : number % 200;
  return std::to_string(number) + ":" + std::string(padding, static_cast<char>('a' + number % 26));
}

// The number of a value; one that no write has, for bytes that no write wrote.
uint64_t NumberOf(std::string_view value) {
  const uint64_t number = std::strtoull(std::string(value.substr(0, 20)).c_str(), nullptr, 10);
  return ValueOf(number) == value ? number : UINT64_MAX;
}

// What one thread does in one round, and its part of the history.
class Client {
 public:
  // Puts of this client get numbers from `first_number` on. `disk` is null if it can't be cut off.
  Client(Db* db, const FaultEnv* disk, uint64_t seed, uint64_t first_number)
      : db_(db), disk_(disk), random_(seed), next_number_(first_number) {}

  // Ends early at the first write that fails, or that was under way when the power was cut: it is
  // recorded as unfinished.
  void Run(int operations) {
    for (int i = 0; i < operations && !failed_; ++i) RunOne();
  }

  std::vector<Operation> TakeOperations() { return std::move(operations_); }
  absl::Status read_error() const { return read_error_; }
  const std::string& contradiction() const { return contradiction_; }

 private:
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }

  void RunOne() {
    const uint32_t choice = Below(100);
    if (choice < 40) {
      WriteOne();
    } else if (choice < 55) {
      WriteBatch_();
    } else if (choice < 75) {
      Get();
    } else if (choice < 82) {
      MultiGet();
    } else if (choice < 90) {
      Scan();
    } else if (choice < 97) {
      ReadSnapshot();
    } else {
      FlushOrCheckpoint();
    }
  }

  Operation Begin(Operation::Kind kind) { return {.kind = kind, .begin = HistoryTime()}; }

  void EndWrite(Operation write, const absl::Status& status) {
    if (status.ok() && !IsDead()) {
      write.end = HistoryTime();
    } else {
      failed_ = true;
    }
    operations_.push_back(std::move(write));
  }

  // Nobody hears an answer that comes after the power was cut.
  bool IsDead() const { return disk_ != nullptr && disk_->PowerIsCut(); }

  void EndRead(Operation read, const absl::Status& status) {
    EndRead(std::move(read), status, HistoryTime());
  }

  // A read that failed says nothing.
  void EndRead(Operation read, const absl::Status& status, uint64_t end) {
    read.end = end;
    if (IsDead()) {
      failed_ = true;
      return;
    }
    if (!status.ok() && !absl::IsNotFound(status)) {
      read_error_ = status;
      return;
    }
    operations_.push_back(std::move(read));
  }

  void WriteOne() {
    const uint32_t key = Below(kKeys);
    const bool is_deletion = Below(5) == 0;
    const WriteOptions options{.sync = Below(3) == 0};
    const uint64_t number = is_deletion ? Cell::kAbsent : next_number_++;
    Operation write = Begin(Operation::Kind::kWrite);
    write.cells = {{key, number}};
    write.durable = options.sync;
    const absl::Status status = is_deletion ? db_->Delete(KeyName(key), options)
                                            : db_->Put(KeyName(key), ValueOf(number), options);
    EndWrite(std::move(write), status);
  }

  void WriteBatch_() {
    WriteBatch batch;
    Operation write = Begin(Operation::Kind::kWrite);
    for (uint32_t key = Below(3); key < kKeys; key += 1 + Below(4)) {
      // Hidden by the next one in the same batch: nobody may ever see it.
      if (Below(8) == 0) batch.Put(KeyName(key), "hidden");
      if (Below(4) == 0) {
        batch.Delete(KeyName(key));
        write.cells.push_back({key, Cell::kAbsent});
      } else {
        batch.Put(KeyName(key), ValueOf(next_number_));
        write.cells.push_back({key, next_number_++});
      }
    }
    write.durable = Below(3) == 0;
    const absl::Status status = db_->Write(batch, {.sync = write.durable});
    EndWrite(std::move(write), status);
  }

  void Get() {
    const uint32_t key = Below(kKeys);
    std::string value;
    Operation read = Begin(Operation::Kind::kRead);
    const absl::Status status = db_->Get(KeyName(key), &value);
    read.cells = {{key, status.ok() ? NumberOf(value) : Cell::kAbsent}};
    EndRead(std::move(read), status);
  }

  void MultiGet() {
    Operation read = Begin(Operation::Kind::kRead);
    std::vector<std::string> names;
    for (uint32_t key = Below(3); key < kKeys; key += 1 + Below(3)) {
      read.cells.push_back({key, Cell::kAbsent});
      names.push_back(KeyName(key));
    }
    const std::vector<std::string_view> keys(names.begin(), names.end());
    std::vector<std::string> values;
    const std::vector<absl::Status> statuses = db_->MultiGet(keys, &values);
    absl::Status error;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].ok()) {
        read.cells[i].value = NumberOf(values[i]);
      } else if (!absl::IsNotFound(statuses[i])) {
        error = statuses[i];
      }
    }
    EndRead(std::move(read), error);
  }

  // Reads [low, high) both ways, one after the other, into `read`. Only a contradiction within the
  // state shows as a violation: two values for one cell.
  absl::Status ScanRange(uint32_t low, uint32_t high, const Snapshot* snapshot, Operation* read) {
    const std::string lower = KeyName(low);
    const std::string upper = high == kKeys ? "key:" : KeyName(high);
    const std::unique_ptr<Iterator> iterator =
        db_->NewIterator({.snapshot = snapshot, .lower_bound = lower, .upper_bound = upper});
    read->end =
        HistoryTime();  // the state is that of the creation, whatever is written from now on
    std::vector<uint64_t> forward(kKeys, Cell::kAbsent);
    std::vector<uint64_t> backward(kKeys, Cell::kAbsent);
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      forward[KeyNumber(iterator->key())] = NumberOf(iterator->value());
    }
    if (!iterator->status().ok()) return iterator->status();
    for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) {
      backward[KeyNumber(iterator->key())] = NumberOf(iterator->value());
    }
    if (!iterator->status().ok()) return iterator->status();
    for (uint32_t key = 0; key < kKeys; ++key) {
      if (forward[key] != backward[key]) Contradict("one iterator has two states", key);
      if (key >= low && key < high) {
        read->cells.push_back({key, forward[key]});
      } else if (forward[key] != Cell::kAbsent) {
        Contradict("a scan out of its bounds", key);
      }
    }
    return absl::OkStatus();
  }

  static size_t KeyNumber(std::string_view name) { return static_cast<size_t>(name.back() - '0'); }

  void Scan() {
    const uint32_t low = Below(kKeys);
    Operation read = Begin(Operation::Kind::kRead);
    const absl::Status status = ScanRange(low, low + 1 + Below(kKeys - low), nullptr, &read);
    const uint64_t end = read.end;
    EndRead(std::move(read), status, end);
  }

  // The snapshot is read while others write, by gets and by a scan; all is one state.
  void ReadSnapshot() {
    Operation read = Begin(Operation::Kind::kRead);
    const Snapshot snapshot = db_->GetSnapshot();
    const uint64_t end = HistoryTime();
    read.state_seq = snapshot.seq();
    std::string value;
    std::vector<uint64_t> got(kKeys, Cell::kAbsent);
    for (uint32_t key = 0; key < kKeys; ++key) {
      const absl::Status status = db_->Get(KeyName(key), &value, {.snapshot = &snapshot});
      if (status.ok()) got[key] = NumberOf(value);
      if (!status.ok() && !absl::IsNotFound(status)) return EndRead(std::move(read), status);
    }
    const absl::Status status = ScanRange(0, kKeys, &snapshot, &read);
    if (!status.ok()) return EndRead(std::move(read), status);
    for (const Cell& cell : read.cells) {
      if (cell.value != got[cell.key]) Contradict("one snapshot has two states", cell.key);
    }
    EndRead(std::move(read), status, end);
  }

  void Contradict(std::string_view what, uint32_t key) {
    contradiction_ = std::string(what) + ", at " + KeyName(key);
  }

  // What this thread wrote before a Flush is durable behind it.
  void FlushOrCheckpoint() {
    const absl::Status status = Below(2) == 0 ? db_->Flush() : db_->Checkpoint();
    if (!status.ok() || IsDead()) {
      failed_ = true;
      return;
    }
    for (Operation& operation : operations_) {
      if (operation.kind == Operation::Kind::kWrite) operation.durable = true;
    }
  }

  Db* const db_;
  const FaultEnv* const disk_;
  std::mt19937_64 random_;
  uint64_t next_number_;
  std::vector<Operation> operations_;
  bool failed_ = false;
  absl::Status read_error_;
  std::string contradiction_;
};

}  // namespace

uint64_t HistoryTime() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

Options HistoryOptions() {
  Options options;
  options.memtable_size = size_t{64} << 10;
  options.cache_size = size_t{1} << 20;
  options.wal_segment_size = uint64_t{64} << 10;
  options.flush_policy = FlushPolicy::Group(absl::Milliseconds(1));
  return options;
}

Recording RunClients(Db* db, const FaultEnv* disk, uint64_t seed, uint64_t* numbers) {
  constexpr uint64_t kNumbersPerClient = 100'000;
  std::vector<Client> clients;
  for (uint64_t i = 0; i < kThreads; ++i) {
    clients.emplace_back(db, disk, seed * kThreads + i, *numbers);
    *numbers += kNumbersPerClient;
  }
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (Client& client : clients) {
    threads.emplace_back([&client, &start] {
      start.arrive_and_wait();
      client.Run(kOperationsPerThread);
    });
  }
  for (std::thread& thread : threads) thread.join();
  Recording recording;
  for (int i = 0; i < kThreads; ++i) {
    recording.read_error.Update(clients[i].read_error());
    if (recording.contradiction.empty()) recording.contradiction = clients[i].contradiction();
    for (Operation& operation : clients[i].TakeOperations()) {
      operation.thread = i;
      recording.history.push_back(std::move(operation));
    }
  }
  return recording;
}

absl::StatusOr<Operation> ReadAll(const Db& db, Operation::Kind kind) {
  Operation read{.kind = kind, .thread = kThreads, .begin = 0, .end = Operation::kNever};
  std::string value;
  for (uint32_t key = 0; key < kKeys; ++key) {
    const absl::Status status = db.Get(KeyName(key), &value);
    if (!status.ok() && !absl::IsNotFound(status)) return status;
    read.cells.push_back({key, status.ok() ? NumberOf(value) : Cell::kAbsent});
  }
  return read;
}

void HistoryChecker::Check(const std::vector<Operation>& history, const Operation& last) {
  Verdict verdict = CheckLinearizable(history, state_);
  ++checked_;
  if (verdict.kind == Verdict::Kind::kUndecided) ++undecided_;
  if (verdict.kind == Verdict::Kind::kViolation) violation_ = std::move(verdict.explanation);
  for (const Cell& cell : last.cells) state_[cell.key] = cell.value;
}

namespace {

absl::Status RunPowerCut(std::unique_ptr<FaultEnv>* env, std::mt19937_64* random, uint64_t* numbers,
                         HistoryChecker* checker) {
  Options options = HistoryOptions();
  options.env = env->get();
  Recording recording;
  {
    EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db, Db::Open(options, "/disk/store.emdb"));
    (*env)->CutPowerAt((*env)->OperationCount() + 1 + (*random)() % 60);
    recording = RunClients(db.get(), env->get(), (*random)(), numbers);
    (*env)->CutPowerAt(0);  // if they did not get that far
  }
  // With the power on: what a client reads behind the cut says nothing, and is not recorded.
  EMDB_RETURN_IF_ERROR(recording.read_error);
  if (!recording.contradiction.empty()) return absl::InternalError(recording.contradiction);
  RandomChooser chooser((*random)());
  *env = std::make_unique<FaultEnv>((*env)->CrashImage(&chooser));
  options.env = env->get();
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db, Db::Open(options, "/disk/store.emdb"));
  EMDB_RETURN_IF_ERROR(db->Verify());
  EMDB_ASSIGN_OR_RETURN(const Operation found, ReadAll(*db, Operation::Kind::kPowerCut));
  recording.history.push_back(found);
  checker->Check(recording.history, found);
  return db->Close();
}

}  // namespace

std::string RunPowerCuts(uint64_t seed, uint64_t power_cuts, HistoryChecker* checker) {
  std::mt19937_64 random(seed);
  auto env = std::make_unique<FaultEnv>(seed);
  uint64_t numbers = 1;
  for (uint64_t cut = 0; cut < power_cuts; ++cut) {
    const absl::Status status = RunPowerCut(&env, &random, &numbers, checker);
    const std::string wrong = status.ok() ? checker->violation() : status.ToString();
    if (!wrong.empty()) return "power cut " + std::to_string(cut) + ": " + wrong;
  }
  return "";
}

}  // namespace emdb
