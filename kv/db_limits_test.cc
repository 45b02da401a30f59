// What the machine refuses: space, descriptors, permissions, locks; and stores that this code must
// refuse: of a newer format, or put together from two. One documented error each, reads go on, what
// was acknowledged stays, and what is refused at the door is left as it was.

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/forked_run.h"
#include "kv/observation.h"
#include "kv/shared_memory.h"
#include "kv/test_setting.h"
#include "storage/check.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/fault_env.h"
#include "storage/forwarding_env.h"
#include "storage/status.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

Options SmallOptions() {
  Options options;
  options.memtable_size = size_t{64} << 10;
  options.cache_size = size_t{1} << 20;
  options.wal_segment_size = uint64_t{64} << 10;
  return options;
}

// Limits are of the whole process, so each test sets them in one of its own. `check` returns what
// is wrong, or "".
void RunInChild(const std::function<std::string()>& check) {
  const ForkedRun run = RunForked(1, [&check](uint64_t) { return check(); },
                                  {.processes = 1, .seconds_per_check = 120});
  for (const std::string& failure : run.failures) ADD_FAILURE() << failure;
}

// All files in the directory, by path, for tests that say what has not changed.
Contents FilesIn(const std::string& directory) {
  Contents files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    EMDB_CHECK(file.is_open());
    files[entry.path()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

// "", or how the files in the directory are not those of `before`.
std::string FilesDifference(const std::string& directory, const Contents& before) {
  const Contents now = FilesIn(directory);
  for (const auto& [path, bytes] : before) {
    const auto found = now.find(path);
    if (found == now.end()) return path + " is gone";
    if (found->second.size() != bytes.size()) return path + " has another size";
    const size_t at = static_cast<size_t>(
        std::mismatch(bytes.begin(), bytes.end(), found->second.begin()).first - bytes.begin());
    if (at < bytes.size()) return path + " is changed at byte " + std::to_string(at);
  }
  for (const auto& [path, bytes] : now) {
    if (!before.contains(path)) return path + " is new";
  }
  return "";
}

std::string KeyName(int i) { return "key" + std::to_string(i); }

// ---- No memory.

// The bytes of addresses that this process has.
rlim_t AddressesInUse() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  EMDB_CHECK(pages > 0);
  return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

TEST(DbLimitsTest, ACacheThatTheProcessMayNotHaveIsRefusedAtTheDoor) {
  if (kTestAmountDivisor != 1) GTEST_SKIP() << "a sanitizer needs more addresses than any limit";
  const TempDirectory directory;
  const std::string path = directory.Path("s.emdb");
  RunInChild([&]() -> std::string {
    auto db = Db::Open(SmallOptions(), path);
    if (!db.ok() || !(*db)->Put("key", "value").ok() || !(*db)->Close().ok()) return "the store";
    const Contents before = FilesIn(directory.path());
    Options large = SmallOptions();
    large.cache_size = size_t{4} << 30;
    struct rlimit addresses = {};
    ::getrlimit(RLIMIT_AS, &addresses);
    const rlim_t unlimited = std::exchange(addresses.rlim_cur, rlim_t{2} << 30);
    ::setrlimit(RLIMIT_AS, &addresses);
    const absl::Status refused = Db::Open(large, path).status();
    // Enough for the frames, and not for what belongs to them.
    addresses.rlim_cur = AddressesInUse() + large.cache_size + (rlim_t{6} << 20);
    ::setrlimit(RLIMIT_AS, &addresses);
    const absl::Status barely_refused = Db::Open(large, path).status();
    const absl::Status new_refused = Db::Open(large, directory.Path("new.emdb")).status();
    addresses.rlim_cur = unlimited;
    ::setrlimit(RLIMIT_AS, &addresses);
    for (const absl::Status& status : {refused, barely_refused, new_refused}) {
      if (!absl::IsResourceExhausted(status)) return "opening: " + status.ToString();
    }
    Options exclusive = SmallOptions();
    exclusive.error_if_exists = true;
    const auto later = Db::Open(exclusive, directory.Path("new.emdb"));
    if (!later.ok()) return "the refused one, later: " + later.status().ToString();
    for (const std::string_view part : {"cache_size", "4294967296 bytes", "ulimit -v"}) {
      if (FromAbsl(refused.message()).find(part) == std::string::npos) return refused.ToString();
    }
    Contents after = FilesIn(directory.path());
    for (const auto& [file, bytes] : before) {
      if (after[file] != bytes) return file + " is changed";
    }
    db = Db::Open(SmallOptions(), path);
    std::string value;
    return db.ok() && (*db)->Get("key", &value).ok() && value == "value" ? "" : "not as it was";
  });
}

// ---- No space.

// Writes until something is refused; the number of writes that were not, -1 if that never ends.
int FillUp(Db* db, absl::Status* refusal) {
  constexpr int kMany = 30'000;
  for (int i = 0; i < kMany; ++i) {
    *refusal = db->Put(KeyName(i), std::string(1000, 'v'), {.sync = i % 10 == 0});
    if (!refusal->ok()) return i;
  }
  return -1;
}

// `count` records of FillUp are there, and no other but the one that was refused.
std::string CheckRecords(const Db& db, int count) {
  std::string value;
  for (int i = 0; i < count; ++i) {
    const absl::Status status = db.Get(KeyName(i), &value);
    if (!status.ok()) return KeyName(i) + ": " + status.ToString();
    if (value != std::string(1000, 'v')) return KeyName(i) + " has a wrong value";
  }
  const absl::Status behind = db.Get(KeyName(count + 1), &value);
  return absl::IsNotFound(behind) ? "" : "a record that was never written is there";
}

// Fills the store at `path` up, calls `make_space`, and goes on. `env` may be null.
std::string CheckFullDisk(Env* env, const std::string& path,
                          const std::function<void()>& take_space,
                          const std::function<void()>& make_space) {
  Options options = SmallOptions();
  options.env = env;
  auto db = Db::Open(options, path);
  if (!db.ok()) return "opening: " + db.status().ToString();
  take_space();
  absl::Status refusal;
  const int count = FillUp(db->get(), &refusal);
  if (count < 0) return "the disk never got full";
  if (!absl::IsResourceExhausted(refusal)) return "a write: " + refusal.ToString();
  std::string wrong = CheckRecords(**db, count);
  if (!wrong.empty()) return "on the full disk: " + wrong;

  make_space();
  absl::Status status = (*db)->Checkpoint();
  if (!status.ok()) return "a checkpoint with space: " + status.ToString();
  status = (*db)->Put("later", "1", {.sync = true});
  if (!status.ok()) return "a write with space: " + status.ToString();
  status = (*db)->Verify();
  if (!status.ok()) return "verifying: " + status.ToString();
  status = (*db)->Close();
  if (!status.ok()) return "closing: " + status.ToString();
  db = Db::Open(options, path);
  if (!db.ok()) return "opening again: " + db.status().ToString();
  return CheckRecords(**db, count);
}

TEST(DbLimitsTest, FullSimulatedDiskRefusesWritesAndHeals) {
  FaultEnv env;
  const auto take_space = [&env] { env.SetCapacity(uint64_t{5} << 20); };
  const auto make_space = [&env] { env.SetCapacity(UINT64_MAX); };
  EXPECT_EQ(CheckFullDisk(&env, "/disk/store.emdb", take_space, make_space), "");
}

TEST(DbLimitsTest, LimitOfTheFileSizeRefusesWritesAndHeals) {
  const TempDirectory directory;
  const auto set_limit = [](rlim_t bytes) {
    const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
  };
  RunInChild([&] {
    std::signal(SIGXFSZ, SIG_IGN);  // or the signal ends the process before the write returns
    return CheckFullDisk(
        nullptr, directory.Path("store.emdb"), [&] { set_limit(rlim_t{1} << 20); },
        [&] { set_limit(RLIM_INFINITY); });
  });
}

// A small disk, and a store that fills it and stays open.
class FullDisk {
 public:
  static constexpr int kAttempts = 100;

  explicit FullDisk(const Options& options) : options_(options) { options_.env = &env_; }

  // Records all over the store, some of them more than once, until one is refused.
  std::string Fill() {
    auto db = Db::Open(options_, "/disk/store.emdb");
    if (!db.ok()) return "opening: " + db.status().ToString();
    db_ = *std::move(db);
    env_.SetCapacity(kCapacity);
    std::mt19937_64 random(20261129);
    constexpr int kMany = 200'000;
    for (int i = 0; i < kMany; ++i) {
      const std::string key = KeyName(static_cast<int>(random() % 40'000));
      const std::string value(200, static_cast<char>('a' + i % 26));
      const absl::Status status = db_->Put(key, value, {.sync = i % 10 == 0});
      if (absl::IsResourceExhausted(status)) return CheckAll("on the full disk");
      if (!status.ok()) return "a write: " + status.ToString();
      contents_[key] = value;
      had_slices_ = had_slices_ || db_->GetStats().page_store.slice_records > 0;
    }
    return "the disk never got full";
  }

  void Enlarge(uint64_t bytes) { env_.SetCapacity(kCapacity + bytes); }

  std::string DeleteHalf() {
    std::vector<std::string> keys;
    for (const auto& [key, value] : contents_) {
      if (keys.size() * 2 < contents_.size()) keys.push_back(key);
    }
    for (const std::string& key : keys) {
      std::string wrong = Delete(key);
      if (!wrong.empty()) return wrong;
    }
    std::string wrong =
        UntilThereIsSpace("a checkpoint", kAttempts, [this] { return db_->Checkpoint(); });
    return wrong.empty() ? CheckAll("with half of it deleted") : wrong;
  }

  // A good part of what was deleted has room again.
  std::string WriteAgain(int attempts) {
    const size_t count = contents_.size() / 4;
    for (size_t i = 0; i < count; ++i) {
      const std::string key = "again" + std::to_string(i);
      const std::string value(200, 'z');
      std::string wrong =
          UntilThereIsSpace("write " + std::to_string(i) + " of " + std::to_string(count), attempts,
                            [&] { return db_->Put(key, value, {.sync = i % 10 == 0}); });
      if (!wrong.empty()) return wrong;
      contents_[key] = value;
    }
    absl::Status status = db_->Checkpoint();
    if (!status.ok()) return "a checkpoint with space: " + status.ToString();
    status = db_->Verify();
    if (!status.ok()) return "verifying: " + status.ToString();
    return CheckAll("with new records");
  }

  bool had_slices() const { return had_slices_; }

 private:
  static constexpr uint64_t kCapacity = uint64_t{8} << 20;

  std::string CheckAll(const std::string& when) {
    const std::string wrong = Difference(Observe(*db_, {}), contents_);
    return wrong.empty() ? "" : when + ": " + wrong;
  }

  std::string Delete(const std::string& key) {
    std::string wrong =
        UntilThereIsSpace("deleting " + key, kAttempts, [&] { return db_->Delete(key); });
    if (wrong.empty()) contents_.erase(key);
    return wrong;
  }

  // Does `action` up to `attempts` times, each behind a checkpoint, until it is not refused.
  std::string UntilThereIsSpace(const std::string& what, int attempts,
                                const std::function<absl::Status()>& action) {
    absl::Status status;
    absl::Status checkpoint;
    for (int i = 0; i < attempts; ++i) {
      status = action();
      if (status.ok()) return "";
      if (!absl::IsResourceExhausted(status)) return what + ": " + status.ToString();
      checkpoint = db_->Checkpoint();
      if (!checkpoint.ok() && !absl::IsResourceExhausted(checkpoint)) {
        return "a checkpoint: " + checkpoint.ToString();
      }
    }
    return what + " is refused " + std::to_string(attempts) + " times: " + status.ToString() +
           "; the checkpoints: " + checkpoint.ToString();
  }

  FaultEnv env_;
  Options options_;
  std::unique_ptr<Db> db_;
  Contents contents_;
  bool had_slices_ = false;
};

// Fills the disk, gives it `room` bytes more, and deletes half of what is there.
void ExpectDeletingMakesSpace(bool with_slices, uint64_t room) {
  Options options = SmallOptions();
  if (!with_slices) options.cache_size = size_t{64} << 20;
  FullDisk disk(options);
  ASSERT_EQ(disk.Fill(), "");
  EXPECT_EQ(disk.had_slices(), with_slices);
  disk.Enlarge(room);
  ASSERT_EQ(disk.DeleteHalf(), "");
  // Where there is nothing left but what was deleted, a checkpoint may first have to give back
  // segments of the log.
  EXPECT_EQ(disk.WriteAgain(room > 0 ? 1 : FullDisk::kAttempts), "");
}

TEST(DbLimitsTest, DeletingMakesSpaceOnADiskWithALittleMoreOfIt) {
  ExpectDeletingMakesSpace(/*with_slices=*/false, uint64_t{1} << 20);
}

TEST(DbLimitsTest, DeletingMakesSpaceOnADiskWithALittleMoreOfItInAStoreWithSlices) {
  ExpectDeletingMakesSpace(/*with_slices=*/true, uint64_t{1} << 20);
}

// Both memtables may be full, and the checkpoint that has to come before the first deletion cannot
// write the leaves of a whole node anew.
TEST(DbLimitsTest, DeletingMakesSpaceOnAFullDisk) {
  ExpectDeletingMakesSpace(/*with_slices=*/false, 0);
}

TEST(DbLimitsTest, DeletingMakesSpaceOnAFullDiskInAStoreWithSlices) {
  ExpectDeletingMakesSpace(/*with_slices=*/true, 0);
}

TEST(DbLimitsTest, ACheckpointIsNotToldOfAnAttemptThatBeganBeforeThereWasSpace) {
  const std::string path = "/disk/store.emdb";
  FaultEnv env;
  Options options = SmallOptions();
  options.env = &env;
  auto db = Db::Open(options, path);
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_EQ((*db)->Put("key", "value"), absl::OkStatus());
  std::binary_semaphore has_failed(0);
  std::binary_semaphore goes_on(0);
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.ok || entry.op != FileOp::kWrite) return;
    has_failed.release();
    goes_on.acquire();
  });
  FaultRule rule;
  rule.matches = [&path](FileOp op, std::string_view at) {
    return op == FileOp::kWrite && at == path;
  };
  rule.error_number = ENOSPC;
  env.AddRule(rule);
  std::thread first([&db] { EXPECT_TRUE(absl::IsResourceExhausted((*db)->Checkpoint())); });
  has_failed.acquire();
  env.ClearRules();
  std::thread second([&db] { EXPECT_EQ((*db)->Checkpoint(), absl::OkStatus()); });
  // So that it waits by now, mostly; in any case its result is the same.
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  goes_on.release();
  first.join();
  second.join();
}

// The pause between attempts must not grow until a disk that has had space for long still counts as
// full: after 12 attempts one that doubles each time, without an end, takes minutes, and the test
// does not end in time.
TEST(DbLimitsTest, WritesWorkAgainSoonAfterThereIsSpaceWithoutACheckpointBeingAskedFor) {
  const std::string path = "/disk/store.emdb";
  std::counting_semaphore failed_attempts(0);
  FaultEnv env;
  Options options = SmallOptions();
  options.env = &env;
  const auto db = Db::Open(options, path);
  ASSERT_TRUE(db.ok()) << db.status();
  FaultRule rule;
  rule.matches = [&path](FileOp op, std::string_view at) {
    return op == FileOp::kWrite && at == path;
  };
  rule.error_number = ENOSPC;
  env.AddRule(rule);
  env.SetObserver([&failed_attempts](const FaultEnv::TraceEntry& entry) {
    if (!entry.ok) failed_attempts.release();
  });
  absl::Status refusal;
  const int count = FillUp(db->get(), &refusal);
  ASSERT_TRUE(absl::IsResourceExhausted(refusal)) << refusal;
  for (int i = 0; i < 12; ++i) failed_attempts.acquire();
  env.SetObserver(nullptr);
  env.ClearRules();

  absl::Status status = refusal;
  while (absl::IsResourceExhausted(status)) {
    std::this_thread::yield();
    status = (*db)->Put("later", "1");
  }
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(CheckRecords(**db, count), "");
}

// A file system of 12 MiB for this process only; false where that is not allowed.
bool MountSmallFileSystem(const std::string& path) {
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("tmpfs", path.c_str(), "tmpfs", 0, "size=12m") == 0;
}

TEST(DbLimitsTest, FullFileSystemRefusesWritesAndHeals) {
  const TempDirectory directory;
  SharedMemory<std::atomic<bool>> skipped;
  RunInChild([&] {
    if (!MountSmallFileSystem(directory.path())) {
      *skipped = true;
      return std::string();
    }
    const std::string filler = directory.Path("filler");
    const auto take_space = [&filler] {
      const int fd = open(filler.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
      if (posix_fallocate(fd, 0, 4 << 20) != 0) _exit(3);
      close(fd);
    };
    return CheckFullDisk(nullptr, directory.Path("store.emdb"), take_space,
                         [&filler] { unlink(filler.c_str()); });
  });
  if (*skipped) GTEST_SKIP() << "this user may not mount a file system";
}

// ---- No descriptors, no permission.

// Makes a store with one record and a log that holds it.
std::string MakeStore(const std::string& path) {
  auto db = Db::Open(SmallOptions(), path);
  if (!db.ok()) return db.status().ToString();
  const absl::Status status = (*db)->Put("key", "value", {.sync = true});
  return status.ok() ? "" : status.ToString();
}

std::string CheckTheRecord(const Options& options, const std::string& path) {
  auto db = Db::Open(options, path);
  if (!db.ok()) return "opening: " + db.status().ToString();
  std::string value;
  const absl::Status status = (*db)->Get("key", &value);
  if (!status.ok()) return "reading: " + status.ToString();
  return value == "value" ? "" : "the value is wrong";
}

// Lets this process have descriptors below `end`.
void LimitDescriptors(rlim_t end) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = end;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(3);
}

rlim_t NextDescriptor() {
  const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(next);
  return static_cast<rlim_t>(next);
}

TEST(DbLimitsTest, OpenWithoutDescriptorsIsResourceExhaustedAndLosesNothing) {
  const TempDirectory directory;
  const std::string path = directory.Path("store.emdb");
  RunInChild([&] {
    std::string wrong = MakeStore(path);
    if (!wrong.empty()) return wrong;
    const Contents before = FilesIn(directory.path());
    const rlim_t next = NextDescriptor();
    rlim_t count = 0;
    for (; count < 100; ++count) {
      LimitDescriptors(next + count);
      auto db = Db::Open(SmallOptions(), path);
      if (db.ok()) break;
      const std::string with = "with " + std::to_string(count) + " descriptors: ";
      if (!absl::IsResourceExhausted(db.status())) return with + db.status().ToString();
      LimitDescriptors(next + 100);
      wrong = FilesDifference(directory.path(), before);
      if (!wrong.empty()) return with + wrong;
    }
    if (count < 3 || count == 100) return "it took " + std::to_string(count) + " descriptors";
    LimitDescriptors(next + 100);
    return CheckTheRecord(SmallOptions(), path);
  });
}

// Opens nothing while it is told not to.
class NoDescriptorsEnv final : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;

  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    if (Refuses()) return IoError(EMFILE, "open", path);
    return ForwardingEnv::OpenFile(path, options);
  }
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) override {
    if (Refuses()) return IoError(EMFILE, "open", path);
    return ForwardingEnv::OpenDirectory(path);
  }

  void Refuse(bool refuses) { refuses_ = refuses; }
  int refused() const { return refused_; }

 private:
  bool Refuses() {
    if (refuses_) ++refused_;
    return refuses_;
  }

  std::atomic<bool> refuses_{false};
  std::atomic<int> refused_{0};
};

bool IsOfDescriptors(const absl::Status& status) {
  return absl::IsResourceExhausted(status) &&
         status.message().find("Too many open files") != absl::string_view::npos;
}

// A store that is open while there are no descriptors for a time, and the numbers of the records
// that it took.
class OpenStore {
 public:
  OpenStore(Env* env, std::string path) : path_(std::move(path)) { options_.env = env; }

  std::string Open() {
    auto db = Db::Open(options_, path_);
    if (!db.ok()) return "opening: " + db.status().ToString();
    db_ = *std::move(db);
    return CheckAll();
  }

  // Each record is taken, or refused for want of descriptors if `may_fail`.
  std::string Write(int count, bool may_fail) {
    for (int n = 0; n < count; ++n, ++next_) {
      const std::string value(1000, static_cast<char>('a' + next_ % 26));
      const absl::Status status = db_->Put(KeyName(next_), value, {.sync = n % 10 == 0});
      if (status.ok()) {
        contents_[KeyName(next_)] = value;
      } else if (may_fail && IsOfDescriptors(status)) {
        ++refused_;
      } else {
        return "a write: " + status.ToString();
      }
    }
    return CheckAll();
  }

  std::string Checkpoint(bool may_fail) {
    const absl::Status status = db_->Checkpoint();
    if (!status.ok() && !(may_fail && IsOfDescriptors(status))) {
      return "a checkpoint: " + status.ToString();
    }
    return CheckAll();
  }

  std::string CloseAndOpen() {
    absl::Status status = db_->Verify();
    if (!status.ok()) return "verifying: " + status.ToString();
    status = db_->Close();
    if (!status.ok()) return "closing: " + status.ToString();
    db_.reset();
    return Open();
  }

  int refused() const { return refused_; }

 private:
  std::string CheckAll() { return Difference(Observe(*db_, {}), contents_); }

  Options options_ = SmallOptions();
  const std::string path_;
  std::unique_ptr<Db> db_;
  int next_ = 0;
  int refused_ = 0;
  Contents contents_;
};

// Takes the descriptors away while the log needs a new segment, and again while there is one to use
// again, and checkpoints run; gives them back, and goes on with the same Db.
std::string CheckWithoutDescriptors(OpenStore* store, const std::function<void()>& take,
                                    const std::function<void()>& give) {
  std::string wrong = store->Open();
  if (!wrong.empty()) return wrong;
  take();
  wrong = store->Write(300, /*may_fail=*/true);
  if (wrong.empty()) wrong = store->Checkpoint(/*may_fail=*/true);
  if (!wrong.empty()) return "without descriptors: " + wrong;
  if (store->refused() == 0) return "nothing was refused";
  give();
  wrong = store->Write(300, /*may_fail=*/false);
  if (wrong.empty()) wrong = store->Checkpoint(/*may_fail=*/false);
  if (!wrong.empty()) return "with descriptors again: " + wrong;
  take();
  for (int i = 0; wrong.empty() && i < 10; ++i) {
    wrong = store->Write(20 * i, /*may_fail=*/true);
    if (wrong.empty()) wrong = store->Checkpoint(/*may_fail=*/true);
  }
  if (!wrong.empty()) return "without descriptors, the second time: " + wrong;
  give();
  wrong = store->Checkpoint(/*may_fail=*/false);
  if (wrong.empty()) wrong = store->Write(300, /*may_fail=*/false);
  if (wrong.empty()) wrong = store->CloseAndOpen();
  return wrong.empty() ? "" : "in the end: " + wrong;
}

TEST(DbLimitsTest, NoSegmentWithoutDescriptorsIsResourceExhaustedAndHeals) {
  FaultEnv disk;
  NoDescriptorsEnv env(&disk);
  OpenStore store(&env, "/disk/store.emdb");
  EXPECT_EQ(CheckWithoutDescriptors(
                &store, [&env] { env.Refuse(true); }, [&env] { env.Refuse(false); }),
            "");
  EXPECT_GT(env.refused(), 0);
}

TEST(DbLimitsTest, LimitOfDescriptorsOfAnOpenStoreRefusesWritesAndHeals) {
  const TempDirectory directory;
  RunInChild([&] {
    OpenStore store(nullptr, directory.Path("store.emdb"));
    rlim_t limit = 0;
    return CheckWithoutDescriptors(
        &store,
        [&limit] {
          limit = NextDescriptor();
          LimitDescriptors(limit);
        },
        [&limit] { LimitDescriptors(limit + 100); });
  });
}

// The superuser may write everywhere; without its capabilities it is held to the permissions of its
// files. (Another user id would do, too, but a sandbox may have only one.)
bool DropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

TEST(DbLimitsTest, ReadOnlyDirectoryIsPermissionDeniedAndCanBeRead) {
  const TempDirectory directory;
  const std::string path = directory.Path("store.emdb");
  const std::string other = directory.Path("other.emdb");
  RunInChild([&] {
    std::string wrong = MakeStore(path);
    if (!wrong.empty()) return wrong;
    const Contents before = FilesIn(directory.path());
    chmod(directory.path().c_str(), 0555);
    for (const char* suffix : {"", ".v4.wal", ".v4.wal.buffer"})
      chmod((path + suffix).c_str(), 0444);
    if (!DropCapabilities()) return std::string("capset failed");
    for (const std::string& store : {path, other}) {
      const absl::Status status = Db::Open(SmallOptions(), store).status();
      if (!absl::IsPermissionDenied(status)) return store + ": " + status.ToString();
      wrong = FilesDifference(directory.path(), before);
      if (!wrong.empty()) return absl::StrCat("opening ", store, ": ", wrong);
    }
    Options options = SmallOptions();
    options.read_only = true;
    wrong = CheckTheRecord(options, path);
    return wrong.empty() ? FilesDifference(directory.path(), before) : wrong;
  });
  chmod(directory.path().c_str(), 0755);
}

// ---- Locks.

TEST(DbLimitsTest, SecondOpenInThisProcessIsRefusedAndNamesTheFile) {
  const TempDirectory directory;
  const std::string path = directory.Path("store.emdb");
  auto db = Db::Open(SmallOptions(), path);
  ASSERT_TRUE(db.ok()) << db.status();
  const Contents before = FilesIn(directory.path());
  for (const bool read_only : {false, true, false}) {
    Options options = SmallOptions();
    options.read_only = read_only;
    const absl::Status status = Db::Open(options, path).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_NE(status.ToString().find(path), std::string::npos) << status;
    EXPECT_EQ(FilesDifference(directory.path(), before), "");
  }
  EXPECT_EQ((*db)->Put("key", "value", {.sync = true}), absl::OkStatus());
  db->reset();
  EXPECT_EQ(CheckTheRecord(SmallOptions(), path), "");
}

TEST(DbLimitsTest, OpenBesideAnotherProcessIsRefusedUntilItIsDead) {
  const TempDirectory directory;
  const std::string path = directory.Path("store.emdb");
  ASSERT_EQ(MakeStore(path), "");
  SharedMemory<std::atomic<bool>> is_open;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto db = Db::Open(SmallOptions(), path);
    if (!db.ok()) _exit(1);
    *is_open = true;
    while (true) pause();
  }
  while (!*is_open && waitpid(child, nullptr, WNOHANG) == 0) sched_yield();
  ASSERT_TRUE(*is_open);
  const Contents before = FilesIn(directory.path());
  // A refused attempt must not loosen the lock, so the second one is refused too.
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = Db::Open(SmallOptions(), path).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_NE(status.ToString().find(std::to_string(child)), std::string::npos)
        << "it does not say that process " << child << " has it: " << status;
    EXPECT_EQ(FilesDifference(directory.path(), before), "");
  }
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(CheckTheRecord(SmallOptions(), path), "");
}

// ---- Stores that are not for this code.

constexpr char kPath[] = "/disk/store.emdb";
constexpr char kLogPath[] = "/disk/store.emdb.v4.wal";

// A closed store with a record in its pages and one in its log.
DiskImage ClosedStore(uint64_t seed) {
  FaultEnv env(seed);
  Options options = SmallOptions();
  options.env = &env;
  auto db = Db::Open(options, kPath);
  EXPECT_TRUE(db.ok()) << db.status();
  EXPECT_EQ((*db)->Put("in pages", "1"), absl::OkStatus());
  EXPECT_EQ((*db)->Checkpoint(), absl::OkStatus());
  EXPECT_EQ((*db)->Put("in the log", "2"), absl::OkStatus());
  EXPECT_EQ((*db)->Close(), absl::OkStatus());
  return env.FullImage();
}

// Opening the image must be refused with FailedPrecondition and `words`, and change no byte.
void ExpectRefused(const DiskImage& image, const std::vector<std::string>& words) {
  FaultEnv env(image);
  Options options = SmallOptions();
  options.env = &env;
  for (const bool read_only : {false, true}) {
    options.read_only = read_only;
    const absl::Status status = Db::Open(options, kPath).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    for (const std::string& word : words) {
      EXPECT_NE(status.ToString().find(word), std::string::npos) << word << " is not in " << status;
    }
  }
  EXPECT_TRUE(env.FullImage().files == image.files) << "a refused open changed something";
}

// Sets the number at `field` of the header at `offset`, and mends its checksum. In both formats the
// header is a sector of 512 bytes that ends with the checksum of the rest.
void PatchHeader(SparseBytes* file, uint64_t offset, size_t field, uint32_t value) {
  constexpr size_t kChecksum = 508;
  std::string header = file->Read(offset, kChecksum + 4);
  Store32(header.data() + field, value);
  Store32(header.data() + kChecksum, Crc32c(header.substr(0, kChecksum)));
  file->Write(offset, header);
}

// Of pagestore/FORMAT.md: two slots with two copies each.
void PatchStore(DiskImage* image, size_t field, uint32_t value) {
  constexpr uint64_t kPageBytes = 8192;
  for (const uint64_t offset : {uint64_t{0}, uint64_t{4096}, kPageBytes, kPageBytes + 4096}) {
    PatchHeader(&image->files[kPath], offset, field, value);
  }
}

constexpr size_t kVersionField = 8;                // in both formats
constexpr size_t kStoreIncompatibleFeatures = 16;  // pagestore/FORMAT.md
constexpr size_t kLogIncompatibleFeatures = 12;    // wal/FORMAT.md

TEST(DbLimitsTest, UnpatchedStoreOpens) {
  DiskImage image = ClosedStore(1);
  PatchStore(&image, kVersionField, 1);
  PatchHeader(&image.files[kLogPath], 0, kVersionField, 1);
  EXPECT_TRUE(image.files == ClosedStore(1).files) << "the patch does not mend the checksum";
  FaultEnv env(image);
  Options options = SmallOptions();
  options.env = &env;
  auto db = Db::Open(options, kPath);
  ASSERT_TRUE(db.ok()) << db.status();
  const Observation found = Observe(**db, {});
  EXPECT_EQ(Difference(found, {{"in pages", "1"}, {"in the log", "2"}}), "");
}

TEST(DbLimitsTest, StoreOfANewerFormatIsRefusedAndLeftAlone) {
  DiskImage image = ClosedStore(1);
  PatchStore(&image, kVersionField, 77);
  ExpectRefused(image, {kPath, "77", "1"});
}

TEST(DbLimitsTest, LogOfANewerFormatIsRefusedAndLeftAlone) {
  DiskImage image = ClosedStore(1);
  PatchHeader(&image.files[kLogPath], 0, kVersionField, 77);
  ExpectRefused(image, {kLogPath, "77", "1"});
}

TEST(DbLimitsTest, StoreWithAnUnknownFeatureIsRefusedAndLeftAlone) {
  DiskImage image = ClosedStore(1);
  PatchStore(&image, kStoreIncompatibleFeatures, 0x40);
  ExpectRefused(image, {kPath, "40"});
}

TEST(DbLimitsTest, LogWithAnUnknownFeatureIsRefusedAndLeftAlone) {
  DiskImage image = ClosedStore(1);
  PatchHeader(&image.files[kLogPath], 0, kLogIncompatibleFeatures, 0x40);
  ExpectRefused(image, {kLogPath, "40"});
}

TEST(DbLimitsTest, LogOfAnotherStoreIsRefusedAndLeftAlone) {
  DiskImage image = ClosedStore(1);
  image.files[kLogPath] = ClosedStore(2).files[kLogPath];
  ExpectRefused(image, {kLogPath});
}

TEST(DbLimitsTest, StoreOfAnotherLogIsRefusedAndLeftAlone) {
  DiskImage image = ClosedStore(1);
  image.files[kPath] = ClosedStore(2).files[kPath];
  ExpectRefused(image, {kLogPath});
}

}  // namespace
}  // namespace emdb
