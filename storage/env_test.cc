// What every Env promises, tried on each of them.

#include "storage/env.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/fault_env.h"
#include "storage/mem_env.h"
#include "storage/posix_env.h"
#include "storage/status.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

constexpr OpenOptions kCreate = {.write = true, .create = true};
constexpr OpenOptions kReadOnly = {};

struct EnvKind {
  std::string name;
  bool is_posix;
  std::function<std::unique_ptr<Env>()> make;  // unless it is PosixEnv
};

void PrintTo(const EnvKind& kind, std::ostream* out) { *out << kind.name; }

class EnvTest : public testing::TestWithParam<EnvKind> {
 protected:
  EnvTest() : made_(GetParam().is_posix ? nullptr : GetParam().make()) {}

  Env* env() { return GetParam().is_posix ? PosixEnv() : made_.get(); }
  std::string Path(std::string_view name) const { return directory_.Path(name); }
  std::string directory() const { return directory_.path(); }

  std::unique_ptr<File> Open(std::string_view name, const OpenOptions& options = kCreate) {
    absl::StatusOr<std::unique_ptr<File>> file = env()->OpenFile(Path(name), options);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  static std::string Contents(const File& file) {
    std::string contents(static_cast<size_t>(file.Size().value()), '?');
    EXPECT_TRUE(ReadFully(file, 0, contents.size(), contents.data()).ok());
    return contents;
  }

  std::vector<std::string> Names() { return (*env()->OpenDirectory(directory()))->List().value(); }

 private:
  const TempDirectory directory_;
  const std::unique_ptr<Env> made_;
};

INSTANTIATE_TEST_SUITE_P(
    All, EnvTest,
    testing::Values(EnvKind{"Posix", true, nullptr}, EnvKind{"Mem", false, NewMemEnv},
                    EnvKind{"Fault", false, [] { return std::make_unique<FaultEnv>(); }}),
    [](const testing::TestParamInfo<EnvKind>& info) { return info.param.name; });

TEST_P(EnvTest, WhatIsWrittenIsRead) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->WriteAt(0, "hello").ok());
  ASSERT_TRUE(file->WriteAt(5, " world").ok());
  ASSERT_TRUE(file->WriteAt(0, "J").ok());
  ASSERT_TRUE(file->WriteAt(3, "").ok());
  EXPECT_EQ(Contents(*file), "Jello world");
  EXPECT_TRUE(file->SyncData().ok());
  EXPECT_TRUE(file->Close().ok());
  EXPECT_EQ(Contents(*Open("f", kReadOnly)), "Jello world");
}

TEST_P(EnvTest, ManyPiecesAreWrittenAsEachWouldBe) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->WriteAt(0, "0123456789").ok());
  EXPECT_TRUE(file->MultiWrite({}).ok());
  EXPECT_TRUE(file->MultiWrite({{8, "ij"}}).ok());
  EXPECT_TRUE(file->MultiWrite({{12, "mn"}, {3, "def"}, {7, ""}, {0, "a"}}).ok());
  EXPECT_EQ(Contents(*file), std::string("a12def67ij\0\0mn", 14));
}

TEST_P(EnvTest, ManyPiecesAreReadAsEachWouldBe) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->WriteAt(0, "0123456789").ok());
  EXPECT_TRUE(file->MultiRead({}).ok());
  std::string a(3, '?');
  std::string b(4, '?');
  std::string all(10, '?');
  EXPECT_TRUE(file->MultiRead({{7, a.size(), a.data()}}).ok());
  EXPECT_EQ(a, "789");
  const ReadRequest requests[] = {
      {5, b.size(), b.data()}, {0, all.size(), all.data()}, {1, a.size(), a.data()}};
  EXPECT_TRUE(file->MultiRead(requests).ok());
  EXPECT_EQ(a + b + all, "12356780123456789");
  const ReadRequest behind_the_end[] = {{0, a.size(), a.data()}, {8, b.size(), b.data()}};
  const absl::Status cut = file->MultiRead(behind_the_end);
  EXPECT_EQ(cut, ReadFully(*file, 8, b.size(), b.data()));
  EXPECT_EQ(cut.code(), absl::StatusCode::kDataLoss);
}

TEST_P(EnvTest, ManyPiecesHaveTheErrorOfOne) {
  Open("f");
  const std::unique_ptr<File> file = Open("f", kReadOnly);
  const absl::Status one = file->WriteAt(0, "abc");
  EXPECT_FALSE(one.ok());
  EXPECT_EQ(file->MultiWrite({{0, "abc"}, {3, "def"}}).code(), one.code());
  EXPECT_EQ(Contents(*file), "");
}

TEST_P(EnvTest, ReadsEndAtTheEndOfTheFile) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->WriteAt(0, "abcdef").ok());
  char buffer[10];
  EXPECT_EQ(file->ReadAt(4, sizeof(buffer), buffer).value(), 2u);
  EXPECT_EQ(std::string_view(buffer, 2), "ef");
  EXPECT_EQ(file->ReadAt(6, sizeof(buffer), buffer).value(), 0u);
  EXPECT_EQ(file->ReadAt(1000, sizeof(buffer), buffer).value(), 0u);
}

TEST_P(EnvTest, ReadFullySaysWhatIsMissing) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->WriteAt(0, "abcdef").ok());
  char buffer[10];
  const absl::Status status = ReadFully(*file, 4, sizeof(buffer), buffer);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  const std::string_view message = FromAbsl(status.message());
  EXPECT_NE(message.find(Path("f")), message.npos) << message;
  EXPECT_NE(message.find("offset 4: expected 10 bytes"), message.npos) << message;
}

TEST_P(EnvTest, GapsAndLongerSizesReadAsZeros) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->WriteAt(3, "x").ok());
  ASSERT_TRUE(file->Truncate(6).ok());
  EXPECT_EQ(Contents(*file), std::string("\0\0\0x\0\0", 6));
  ASSERT_TRUE(file->Truncate(2).ok());
  ASSERT_TRUE(file->Truncate(5).ok());
  EXPECT_EQ(Contents(*file), std::string(5, '\0'));
}

TEST_P(EnvTest, ReserveLengthensAndKeepsWhatIsThere) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->WriteAt(0, "abc").ok());
  ASSERT_TRUE(file->Reserve(0, 5000).ok());
  EXPECT_EQ(Contents(*file), "abc" + std::string(4997, '\0'));
  ASSERT_TRUE(file->Reserve(0, 100).ok());
  EXPECT_EQ(file->Size().value(), 5000u);
}

TEST_P(EnvTest, OpenMakesAFileOnlyWhenAsked) {
  EXPECT_TRUE(absl::IsNotFound(env()->OpenFile(Path("f"), {.write = true}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(env()->OpenFile(Path("f"), {.create = true}).status()));
  EXPECT_FALSE(env()->Exists(Path("f")).value());
  Open("f");
  EXPECT_TRUE(env()->Exists(Path("f")).value());
  const absl::Status again =
      env()->OpenFile(Path("f"), {.write = true, .create = true, .exclusive = true}).status();
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  const std::string_view message = FromAbsl(again.message());
  EXPECT_NE(message.find(Path("f")), message.npos) << message;
}

TEST_P(EnvTest, OpeningKeepsTheContents) {
  ASSERT_TRUE(Open("f")->WriteAt(0, "abc").ok());
  EXPECT_EQ(Contents(*Open("f")), "abc");
}

TEST_P(EnvTest, AFileOpenedForReadingRefusesWrites) {
  ASSERT_TRUE(Open("f")->WriteAt(0, "abc").ok());
  const std::unique_ptr<File> file = Open("f", kReadOnly);
  EXPECT_FALSE(file->WriteAt(0, "x").ok());
  EXPECT_FALSE(file->Truncate(0).ok());
  EXPECT_FALSE(file->Reserve(0, 4096).ok());
  EXPECT_EQ(Contents(*file), "abc");
}

TEST_P(EnvTest, AClosedFileFails) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->Close().ok());
  char byte;
  EXPECT_FALSE(file->ReadAt(0, 1, &byte).ok());
  EXPECT_FALSE(file->WriteAt(0, "x").ok());
  EXPECT_FALSE(file->SyncData().ok());
  EXPECT_FALSE(file->Size().ok());
  EXPECT_FALSE(file->Close().ok());
}

TEST_P(EnvTest, RenameReplacesAndOpenFilesStay) {
  const std::unique_ptr<File> from = Open("from");
  const std::unique_ptr<File> to = Open("to");
  ASSERT_TRUE(from->WriteAt(0, "new").ok());
  ASSERT_TRUE(to->WriteAt(0, "old").ok());
  ASSERT_TRUE(env()->Rename(Path("from"), Path("to")).ok());
  EXPECT_FALSE(env()->Exists(Path("from")).value());
  EXPECT_EQ(Contents(*Open("to", kReadOnly)), "new");
  EXPECT_EQ(Contents(*to), "old");
  ASSERT_TRUE(from->WriteAt(3, "er").ok());
  EXPECT_EQ(Contents(*Open("to", kReadOnly)), "newer");
  EXPECT_TRUE(absl::IsNotFound(env()->Rename(Path("from"), Path("x"))));
  EXPECT_TRUE(env()->Rename(Path("to"), Path("to")).ok());
  EXPECT_EQ(Contents(*Open("to", kReadOnly)), "newer");
}

TEST_P(EnvTest, RemoveTakesTheNameAndOpenFilesStay) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->WriteAt(0, "abc").ok());
  ASSERT_TRUE(env()->Remove(Path("f")).ok());
  EXPECT_FALSE(env()->Exists(Path("f")).value());
  EXPECT_EQ(Contents(*file), "abc");
  EXPECT_TRUE(absl::IsNotFound(env()->Remove(Path("f"))));
  EXPECT_EQ(Contents(*Open("f")), "");
}

TEST_P(EnvTest, ADirectoryListsItsNamesSorted) {
  EXPECT_EQ(Names(), std::vector<std::string>{});
  for (const char* name : {"b", "a.10", "a.9", "a"}) Open(name);
  EXPECT_EQ(Names(), (std::vector<std::string>{"a", "a.10", "a.9", "b"}));
  ASSERT_TRUE(env()->Remove(Path("a.9")).ok());
  EXPECT_EQ(Names(), (std::vector<std::string>{"a", "a.10", "b"}));
  EXPECT_TRUE((*env()->OpenDirectory(directory()))->Sync().ok());
}

TEST_P(EnvTest, ASecondExclusiveLockIsRefusedAndDoesNotLoosenTheFirst) {
  Open("f");
  absl::StatusOr<std::unique_ptr<FileLock>> first = env()->Lock(Path("f"), LockMode::kExclusive);
  ASSERT_TRUE(first.ok()) << first.status();
  for (const LockMode mode : {LockMode::kExclusive, LockMode::kShared}) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      const absl::Status refused = env()->Lock(Path("f"), mode).status();
      EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
      EXPECT_NE(FromAbsl(refused.message()).find("held by this process"), std::string::npos)
          << refused;
    }
  }
  first->reset();
  EXPECT_TRUE(env()->Lock(Path("f"), LockMode::kExclusive).ok());
}

TEST_P(EnvTest, SharedLocksShareAndExcludeTheExclusive) {
  Open("f");
  absl::StatusOr<std::unique_ptr<FileLock>> one = env()->Lock(Path("f"), LockMode::kShared);
  absl::StatusOr<std::unique_ptr<FileLock>> other = env()->Lock(Path("f"), LockMode::kShared);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(env()->Lock(Path("f"), LockMode::kExclusive).status()));
  one->reset();
  EXPECT_TRUE(absl::IsFailedPrecondition(env()->Lock(Path("f"), LockMode::kExclusive).status()));
  other->reset();
  EXPECT_TRUE(env()->Lock(Path("f"), LockMode::kExclusive).ok());
}

TEST_P(EnvTest, LocksNeedTheirFile) {
  EXPECT_TRUE(absl::IsNotFound(env()->Lock(Path("f"), LockMode::kExclusive).status()));
}

TEST_P(EnvTest, ARingIsContiguousAcrossItsEnd) {
  constexpr size_t kSize = 3 * 4096;
  const absl::StatusOr<std::unique_ptr<RingMapping>> mapped = env()->MapRing(Path("r"), kSize);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  const RingMapping& ring = **mapped;
  ASSERT_EQ(ring.size(), kSize);
  EXPECT_EQ(std::string(ring.data(), 2 * kSize), std::string(2 * kSize, '\0'));
  std::memcpy(ring.data() + kSize - 3, "abcdef", 6);
  EXPECT_EQ(std::string(ring.data(), 3), "def");
  EXPECT_EQ(std::string(ring.data() + kSize, 3), "def");
  std::memcpy(ring.data(), "DEF", 3);
  EXPECT_EQ(std::string(ring.data() + kSize - 3, 6), "abcDEF");
  EXPECT_EQ(std::string(ring.data() + 2 * kSize - 3, 3), "abc");
}

TEST_P(EnvTest, ARingIsItsFile) {
  constexpr size_t kSize = 2 * 4096;
  ASSERT_TRUE(Open("r")->WriteAt(0, std::string(3 * 4096, 'x')).ok());
  {
    const std::unique_ptr<RingMapping> ring = *env()->MapRing(Path("r"), kSize);
    EXPECT_EQ(std::string(ring->data(), kSize), std::string(kSize, 'x'));
    std::memcpy(ring->data() + 100, "stored", 6);
    const std::unique_ptr<File> file = Open("r");
    EXPECT_EQ(file->Size().value(), kSize);
    EXPECT_EQ(Contents(*file).substr(99, 8), "xstoredx");
    ASSERT_TRUE(file->WriteAt(200, "written").ok());
    EXPECT_EQ(std::string(ring->data() + 200, 7), "written");
  }
  EXPECT_EQ(Contents(*Open("r")).substr(100, 6), "stored");
  const std::unique_ptr<RingMapping> longer = *env()->MapRing(Path("r"), 2 * kSize);
  EXPECT_EQ(std::string(longer->data() + 200, 7), "written");
  EXPECT_EQ(std::string(longer->data() + kSize, kSize), std::string(kSize, '\0'));
}

TEST_P(EnvTest, ARingIsAWholeNumberOfPages) {
  EXPECT_TRUE(absl::IsInvalidArgument(env()->MapRing(Path("r"), 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(env()->MapRing(Path("r"), 5000).status()));
}

TEST_P(EnvTest, TimeDoesNotGoBackAndRandomnessDiffers) {
  const uint64_t before = env()->NowNanos();
  EXPECT_GE(env()->NowNanos(), before);
  std::string one(1000, '\0');
  std::string other(1000, '\0');
  env()->FillRandom(one.data(), one.size());
  env()->FillRandom(other.data(), other.size());
  EXPECT_NE(one, other);
  EXPECT_NE(one.substr(500), std::string(500, '\0'));
}

TEST_P(EnvTest, BehavesLikeAString) {
  constexpr uint64_t kSeed = 5;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  const std::unique_ptr<File> file = Open("f");
  std::string model;
  for (int i = 0; i < 400; ++i) {
    const size_t offset = random() % 20000;
    if (random() % 10 == 0) {
      ASSERT_TRUE(file->Truncate(offset).ok());
      model.resize(offset);
    } else {
      const std::string data(1 + random() % 6000, static_cast<char>(random()));
      ASSERT_TRUE(file->WriteAt(offset, data).ok());
      if (model.size() < offset + data.size()) model.resize(offset + data.size());
      model.replace(offset, data.size(), data);
    }
    if (random() % 20 == 0) {
      ASSERT_TRUE(file->SyncData().ok());
    }
  }
  EXPECT_EQ(Contents(*file), model);
}

TEST_P(EnvTest, ThreadsUseOneFileAtOnce) {
  constexpr int kThreads = 4;
  constexpr uint64_t kBlock = 4096;
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->Truncate(kThreads * 50 * kBlock).ok());
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 50; ++i) {
        const uint64_t offset = (i * kThreads + static_cast<uint64_t>(t)) * kBlock;
        const std::string data(kBlock, static_cast<char>('a' + t));
        std::string read(kBlock, '\0');
        if (!file->WriteAt(offset, data).ok()) ++failures;
        if (!ReadFully(*file, offset, kBlock, read.data()).ok() || read != data) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0);
}

TEST(PathTest, DirectoryAndFileName) {
  EXPECT_EQ(DirectoryOf("a/b/c"), "a/b");
  EXPECT_EQ(DirectoryOf("c"), ".");
  EXPECT_EQ(DirectoryOf("/c"), "/");
  EXPECT_EQ(DirectoryOf("a/"), "a");
  EXPECT_EQ(FileNameOf("a/b/c"), "c");
  EXPECT_EQ(FileNameOf("c"), "c");
  EXPECT_EQ(FileNameOf("a/"), "");
}

}  // namespace
}  // namespace emdb
