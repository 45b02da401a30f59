// Opening: new stores, old ones, read-only, locked, and files that do not fit together.

#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "storage/fault_env.h"
#include "storage/forwarding_env.h"
#include "storage/no_new_threads.h"
#include "wal/wal.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/test.emdb";
constexpr char kLogPath[] = "dir/test.emdb.v4.wal";

class DbOpenTest : public testing::Test {
 protected:
  DbOpenTest() { UseDisk(DiskImage()); }

  void UseDisk(const DiskImage& image) {
    env_ = std::make_unique<FaultEnv>(image);
    options_.env = env_.get();
    options_.memtable_size = 1 << 20;
    options_.cache_size = 4 << 20;
    options_.wal_segment_size = 1 << 20;
  }

  absl::StatusOr<std::unique_ptr<Db>> Open() { return Db::Open(options_, kPath); }

  // A closed store with key = value in the tree and key2 = value in the log.
  DiskImage SmallStore() {
    {
      absl::StatusOr<std::unique_ptr<Db>> db = Open();
      EXPECT_TRUE(db.ok()) << db.status();
      EXPECT_TRUE((*db)->Put("key", "value").ok());
      EXPECT_TRUE((*db)->Checkpoint().ok());
      EXPECT_TRUE((*db)->Put("key2", "value").ok());
      EXPECT_TRUE((*db)->Close().ok());
    }
    return env_->FullImage();
  }

  static void ExpectSmallStore(Db* db) {
    std::string value;
    EXPECT_TRUE(db->Get("key", &value).ok());
    EXPECT_TRUE(db->Get("key2", &value).ok());
  }

  // Opening `image` fails with `code` and a message that has `words`, and changes no file: none is
  // there that was not, none is gone, and each has the same bytes.
  void ExpectRefused(const DiskImage& image, absl::StatusCode code, const std::string& words) {
    UseDisk(image);
    const absl::StatusOr<std::unique_ptr<Db>> db = Open();
    EXPECT_EQ(db.status().code(), code) << db.status();
    EXPECT_NE(std::string(db.status().message()).find(words), std::string::npos) << db.status();
    EXPECT_TRUE(env_->FullImage().files == image.files) << words;
    EXPECT_EQ(env_->OperationCount(), 0u) << words;
  }

  // `image` with a bit flipped where `text` is first found in `path`.
  static DiskImage Damaged(DiskImage image, const std::string& path, const std::string& text) {
    SparseBytes& bytes = image.files.at(path);
    std::string contents(bytes.size(), '\0');
    bytes.Read(0, contents.size(), contents.data());
    const size_t offset = contents.find(text);
    EXPECT_NE(offset, std::string::npos) << text;
    contents[offset] ^= 1;
    bytes.Write(0, contents);
    return image;
  }

  Options options_;
  std::unique_ptr<FaultEnv> env_;
};

TEST_F(DbOpenTest, WhatWasWrittenIsThereAfterAReopen) {
  SmallStore();
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok()) << db.status();
    ExpectSmallStore(db->get());
    const Stats stats = (*db)->GetStats();
    EXPECT_EQ(stats.recovered_records, 1u);
    EXPECT_EQ(stats.next_seq, 2u);
    EXPECT_TRUE(stats.wal_recovery.was_clean);
  }
}

TEST_F(DbOpenTest, SeqsNeverStartAgain) {
  SmallStore();
  absl::StatusOr<std::unique_ptr<Db>> db = Open();
  ASSERT_TRUE(db.ok());
  ASSERT_TRUE((*db)->Checkpoint().ok());
  EXPECT_EQ((*db)->GetStats().checkpoint_seq, 2u);
  db->reset();
  db = Open();
  ASSERT_TRUE(db.ok());
  ASSERT_TRUE((*db)->Put("key3", "value").ok());
  EXPECT_EQ((*db)->GetStats().next_seq, 3u);
}

TEST_F(DbOpenTest, CreateIfMissingAndErrorIfExists) {
  options_.create_if_missing = false;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(env_->FullImage().files.empty());
  options_.create_if_missing = true;
  options_.error_if_exists = true;
  EXPECT_TRUE(Open().ok());
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kAlreadyExists);
  options_.error_if_exists = false;
  options_.create_if_missing = false;
  EXPECT_TRUE(Open().ok());
}

TEST_F(DbOpenTest, OptionsAreChecked) {
  options_.page_size = 1;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Db::OpenInMemory(options_).status().code(), absl::StatusCode::kInvalidArgument);
  Options read_only;
  read_only.read_only = true;
  EXPECT_EQ(Db::OpenInMemory(read_only).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(DbOpenTest, ASecondOpenIsRefusedAndLeavesTheFirstItsLock) {
  absl::StatusOr<std::unique_ptr<Db>> first = Open();
  ASSERT_TRUE(first.ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Open().status().code(), absl::StatusCode::kFailedPrecondition);
  }
  options_.read_only = true;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kFailedPrecondition);
  options_.read_only = false;
  EXPECT_TRUE((*first)->Put("key", "value", {.sync = true}).ok());
  EXPECT_TRUE((*first)->Close().ok());
  EXPECT_TRUE(Open().ok());
}

TEST_F(DbOpenTest, ReadOnlyReplaysInMemoryAndWritesNothing) {
  UseDisk(SmallStore());
  options_.read_only = true;
  absl::StatusOr<std::unique_ptr<Db>> first = Open();
  absl::StatusOr<std::unique_ptr<Db>> second = Open();
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  for (Db* db : {first->get(), second->get()}) {
    ExpectSmallStore(db);
    constexpr absl::StatusCode kRefused = absl::StatusCode::kFailedPrecondition;
    EXPECT_EQ(db->Put("key", "value").code(), kRefused);
    EXPECT_EQ(db->Delete("key", {.sync = true}).code(), kRefused);
    EXPECT_EQ(db->Checkpoint().code(), kRefused);
    EXPECT_EQ(db->Compact().code(), kRefused);
    EXPECT_TRUE(db->Flush().ok());
    EXPECT_TRUE(db->Verify().ok());
    EXPECT_TRUE(db->Close().ok());
  }
  EXPECT_EQ(env_->OperationCount(), 0u);
}

TEST_F(DbOpenTest, ReadOnlyMakesNoStore) {
  options_.read_only = true;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(env_->FullImage().files.empty());
}

TEST_F(DbOpenTest, ALogLargerThanTheMemtablesIsCheckpointedWhileItIsReplayed) {
  constexpr int kKeys = 4000;
  const std::string value(1000, 'v');
  options_.memtable_size = 16 << 20;
  DiskImage image;  // of a killed process
  {
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok());
    for (int i = 0; i < kKeys; ++i) ASSERT_TRUE((*db)->Put("key" + std::to_string(i), value).ok());
    ASSERT_TRUE((*db)->Delete("key7").ok());
    image = env_->FullImage();
  }
  for (const bool read_only : {true, false}) {
    UseDisk(image);
    options_.memtable_size = 256 << 10;
    options_.read_only = read_only;
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ((*db)->GetStats().recovered_records, kKeys + 1u);
    std::unique_ptr<Iterator> it = (*db)->NewIterator();
    int keys = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++keys;
    EXPECT_EQ(keys, kKeys - 1);
    it.reset();
    EXPECT_TRUE((*db)->Verify().ok());
  }
}

TEST_F(DbOpenTest, AStoreWhoseMakerWasKilledIsDurableBeforeAWriteToItIs) {
  ASSERT_TRUE(Open().ok());
  const uint64_t operations = env_->OperationCount();
  for (uint64_t killed = 0; killed < operations; ++killed) {
    UseDisk(DiskImage());
    env_->AddRule(
        {.matches = [](FileOp op, std::string_view) { return IsNumbered(op); }, .skip = killed});
    (void)Open();
    env_->ClearRules();
    DiskImage image;
    {
      absl::StatusOr<std::unique_ptr<Db>> db = Open();
      ASSERT_TRUE(db.ok()) << db.status();
      ASSERT_TRUE((*db)->Put("key", "value", {.sync = true}).ok());
      image = env_->SyncedImage();
    }
    UseDisk(image);
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok()) << db.status() << ", killed before " << killed;
    std::string value;
    EXPECT_TRUE((*db)->Get("key", &value).ok()) << killed;
  }
}

TEST_F(DbOpenTest, CheckpointCutsALogThatAKilledProcessLeftBehindItsCheckpoint) {
  {
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE((*db)->Put("key" + std::to_string(i), std::string(1000, 'v')).ok());
    }
    // The page store gets its checkpoint; the process ends before anything is done to the log.
    bool is_checkpointed = false;
    env_->AddRule({.matches = [&is_checkpointed](FileOp op, std::string_view path) {
      if (op == FileOp::kSyncData && path == kPath) is_checkpointed = true;
      return is_checkpointed && path != kPath && IsNumbered(op);
    }});
    EXPECT_FALSE((*db)->Checkpoint().ok());
  }
  env_->ClearRules();
  absl::StatusOr<std::unique_ptr<Db>> db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_EQ((*db)->GetStats().checkpoint_seq, 100u);
  ASSERT_GT((*db)->GetStats().wal.segments_live, 1u);
  ASSERT_TRUE((*db)->Checkpoint().ok());
  EXPECT_EQ((*db)->GetStats().wal.segments_live, 1u);
}

// The same, when the header that was found is not on the disk yet: a power cut may lead back to the
// one before it, which needs the log.
TEST_F(DbOpenTest, CheckpointMakesWhatItFoundDurableBeforeItCutsTheLog) {
  {
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE((*db)->Put("key" + std::to_string(i), std::string(1000, 'v')).ok());
    }
    // The header is written, and the process ends before it is synced.
    env_->AddRule(
        {.matches = [](FileOp op,
                       std::string_view path) { return op == FileOp::kSyncData && path == kPath; },
         .skip = 1});
    EXPECT_FALSE((*db)->Checkpoint().ok());
  }
  env_->ClearRules();
  {
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok()) << db.status();
    ASSERT_EQ((*db)->GetStats().checkpoint_seq, 100u);
    ASSERT_TRUE((*db)->Checkpoint().ok());
    env_->CutPowerAt(0);
  }
  UseDisk(env_->SyncedImage());
  absl::StatusOr<std::unique_ptr<Db>> db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  std::string value;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE((*db)->Get("key" + std::to_string(i), &value).ok());
}

TEST_F(DbOpenTest, DirectModeReachesTheLog) {
  class NoDirectFiles : public ForwardingEnv {
   public:
    using ForwardingEnv::ForwardingEnv;
    absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                   const OpenOptions& options) override {
      if (options.direct) return absl::InvalidArgumentError("no direct files here");
      return ForwardingEnv::OpenFile(path, options);
    }
  };
  NoDirectFiles env(env_.get());
  options_.env = &env;
  options_.wal_io_mode = IoMode::kDirect;
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.message().find("no direct files here"), absl::string_view::npos) << status;
  options_.wal_io_mode = IoMode::kBuffered;
  EXPECT_EQ(Open().status(), absl::OkStatus());
}

TEST_F(DbOpenTest, AMissingLogIsDataLoss) {
  DiskImage image = SmallStore();
  for (auto file = image.files.begin(); file != image.files.end();) {
    file = file->first == kPath ? std::next(file) : image.files.erase(file);
  }
  ExpectRefused(image, absl::StatusCode::kDataLoss, "missing");
}

// What a power cut may leave of the first header.
TEST_F(DbOpenTest, AStoreOfZerosIsMadeAnew) {
  DiskImage image;
  image.files[kPath].Resize(16384);
  UseDisk(image);
  const absl::StatusOr<std::unique_ptr<Db>> db = Open();
  ASSERT_EQ(db.status(), absl::OkStatus());
  EXPECT_EQ((*db)->Put("key", "value", {.sync = true}), absl::OkStatus());
  EXPECT_EQ((*db)->Verify(), absl::OkStatus());
}

TEST_F(DbOpenTest, AMissingOrEmptyStoreBesideAWrittenLogIsDataLoss) {
  DiskImage image = SmallStore();
  image.files[kPath] = SparseBytes();
  ExpectRefused(image, absl::StatusCode::kDataLoss, "holds no store");
  image.files[kPath].Resize(16384);
  ExpectRefused(image, absl::StatusCode::kDataLoss, "holds no store");
  image.files.erase(kPath);
  ExpectRefused(image, absl::StatusCode::kDataLoss, "holds no store");
}

// As a power cut in the first write of the headers leaves them; but then the log is new, too.
TEST_F(DbOpenTest, AStoreWithoutAHeaderBesideAWrittenLogIsDataLoss) {
  DiskImage image = SmallStore();
  // A byte of each copy in each slot: see pagestore/FORMAT.md.
  for (const uint64_t offset : {0, 4096, 8192, 8192 + 4096}) {
    std::string byte = image.files[kPath].Read(offset + 100, 1);
    byte[0] ^= 1;
    image.files[kPath].Write(offset + 100, byte);
  }
  ExpectRefused(image, absl::StatusCode::kDataLoss, kPath);
}

TEST_F(DbOpenTest, DamageInARecordOfAClosedLogIsFoundBeforeAnythingIsChanged) {
  ExpectRefused(Damaged(SmallStore(), kLogPath, "key2"), absl::StatusCode::kDataLoss, kLogPath);
}

TEST_F(DbOpenTest, DamageBehindSeveralMemtablesOfRecordsIsFoundBeforeAnythingIsChanged) {
  options_.memtable_size = 16 << 20;
  DiskImage image;  // of a killed process
  {
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok());
    for (int i = 0; i < 3000; ++i) {
      ASSERT_TRUE((*db)->Put("key" + std::to_string(i), std::string(1000, 'v')).ok());
    }
    ASSERT_TRUE((*db)->Put("last key", "value", {.sync = true}).ok());
    // Its group has the witness that the other one was durable.
    ASSERT_TRUE((*db)->Put("behind it", "value", {.sync = true}).ok());
    image = env_->FullImage();
  }
  image = Damaged(std::move(image), kLogPath, "last key");
  image = Damaged(std::move(image), std::string(kLogPath) + ".buffer", "last key");
  for (const size_t memtable_size : {256 << 10, 16 << 20}) {
    UseDisk(image);
    options_.memtable_size = memtable_size;
    const absl::StatusOr<std::unique_ptr<Db>> db = Open();
    EXPECT_EQ(db.status().code(), absl::StatusCode::kDataLoss) << db.status();
    EXPECT_EQ(env_->OperationCount(), 0u);
  }
}

TEST_F(DbOpenTest, ARecordThatIsNoBatchIsFoundBeforeAnythingIsChanged) {
  SmallStore();
  {
    WalOptions log_options;
    log_options.env = env_.get();
    absl::StatusOr<std::unique_ptr<Wal>> log = Wal::Open(kLogPath, log_options);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->Append("no batch").ok());
  }
  ExpectRefused(env_->FullImage(), absl::StatusCode::kDataLoss, "record 2");
}

TEST_F(DbOpenTest, AnOldStoreFileIsAGap) {
  UseDisk(DiskImage());
  DiskImage old_image = SmallStore();
  UseDisk(old_image);
  {
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok());
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE((*db)->Put("key", std::string(900 << 10, 'v')).ok());
      ASSERT_TRUE((*db)->Checkpoint().ok());
    }
  }
  DiskImage image = env_->FullImage();
  image.files[kPath] = old_image.files[kPath];
  ExpectRefused(image, absl::StatusCode::kDataLoss, "starts at seq");
}

TEST_F(DbOpenTest, AnOldLogEndsBeforeTheStore) {
  DiskImage old_image = SmallStore();
  UseDisk(old_image);
  {
    absl::StatusOr<std::unique_ptr<Db>> db = Open();
    ASSERT_TRUE(db.ok());
    ASSERT_TRUE((*db)->Put("key3", "value").ok());
    ASSERT_TRUE((*db)->Checkpoint().ok());
  }
  DiskImage image = old_image;
  image.files[kPath] = env_->FullImage().files[kPath];
  ExpectRefused(image, absl::StatusCode::kDataLoss, "ends before seq");
}

TEST_F(DbOpenTest, TheLogOfAnotherStoreIsRefused) {
  DiskImage image = SmallStore();
  UseDisk(DiskImage{.files = {}, .random_state = 77});
  const DiskImage other = SmallStore();
  for (const auto& [path, bytes] : other.files) {
    if (path != kPath) image.files[path] = bytes;
  }
  ExpectRefused(image, absl::StatusCode::kFailedPrecondition, kLogPath);
}

TEST_F(DbOpenTest, WithoutThreadsAnOpenIsRefusedAndLosesNothing) {
  UseDisk(SmallStore());
  {
    const NoNewThreads none;
    const absl::Status refused = Open().status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
    EXPECT_EQ(Db::OpenInMemory().status().code(), absl::StatusCode::kResourceExhausted);
    options_.read_only = true;
    const absl::StatusOr<std::unique_ptr<Db>> reader = Open();
    ASSERT_TRUE(reader.ok()) << reader.status();
    ExpectSmallStore(reader->get());
  }
  options_.read_only = false;
  const absl::StatusOr<std::unique_ptr<Db>> db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  ExpectSmallStore(db->get());
  EXPECT_TRUE((*db)->Put("key3", "value", {.sync = true}).ok());
}

TEST_F(DbOpenTest, AStoreWhoseMakingFailedForWantOfThreadsIsMadeLater) {
  {
    const NoNewThreads none;
    EXPECT_EQ(Open().status().code(), absl::StatusCode::kResourceExhausted);
  }
  const absl::StatusOr<std::unique_ptr<Db>> db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_TRUE((*db)->Put("key", "value").ok());
  EXPECT_TRUE((*db)->Verify().ok());
}

TEST_F(DbOpenTest, AnOpenStoreGoesOnWithoutNewThreadsAndHeals) {
  const absl::StatusOr<std::unique_ptr<Db>> db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_TRUE((*db)->Put("key", "value").ok());
  {
    const NoNewThreads none;
    EXPECT_TRUE((*db)->Put("key2", "value", {.sync = true}).ok());
    // The log needs its next segment, which a thread of its own makes.
    EXPECT_EQ((*db)->Checkpoint().code(), absl::StatusCode::kResourceExhausted);
    ExpectSmallStore(db->get());
  }
  EXPECT_TRUE((*db)->Checkpoint().ok());
  ASSERT_TRUE((*db)->Put("key3", "value").ok());
  {
    const NoNewThreads none;
    // Each checkpoint would have its pages written by a new thread.
    EXPECT_TRUE((*db)->Checkpoint().ok());
  }
  EXPECT_TRUE((*db)->Verify().ok());
  ExpectSmallStore(db->get());
}

TEST_F(DbOpenTest, AFileThatIsNoStoreIsRefusedAndLeftAlone) {
  DiskImage image;
  image.files["dir/text"].Write(0, "Dear diary, today I lost no data. ");
  UseDisk(image);
  EXPECT_FALSE(Db::Open(options_, "dir/text").ok());
  EXPECT_EQ(env_->OperationCount(), 0u);
}

}  // namespace
}  // namespace emdb
