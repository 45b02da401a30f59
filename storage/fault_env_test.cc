#include "storage/fault_env.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/aligned_buffer.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr OpenOptions kCreate = {.write = true, .create = true};
constexpr size_t kSector = 512;

std::unique_ptr<File> Open(FaultEnv* env, std::string_view path,
                           const OpenOptions& options = kCreate) {
  absl::StatusOr<std::unique_ptr<File>> file = env->OpenFile(path, options);
  EXPECT_TRUE(file.ok()) << file.status();
  return *std::move(file);
}

void SyncDirectory(FaultEnv* env, std::string_view path) {
  EXPECT_TRUE((*env->OpenDirectory(path))->Sync().ok());
}

// A file that is there with its name and `contents` durable.
std::unique_ptr<File> MakeDurable(FaultEnv* env, std::string_view path, std::string_view contents) {
  std::unique_ptr<File> file = Open(env, path);
  EXPECT_TRUE(file->WriteAt(0, contents).ok());
  EXPECT_TRUE(file->SyncData().ok());
  SyncDirectory(env, DirectoryOf(path));
  return file;
}

std::string ToText(const DiskImage& image) {
  std::string text;
  for (const auto& [path, contents] : image.files) {
    absl::StrAppend(&text, path, "=", contents.ToString(), " ");
  }
  return text;
}

// Every state that a power cut can leave, each as text.
std::set<std::string> AllCrashes(const FaultEnv& env) {
  std::set<std::string> states;
  ExhaustiveChooser chooser;
  do {
    states.insert(ToText(env.CrashImage(&chooser)));
  } while (chooser.Next());
  EXPECT_TRUE(states.contains(ToText(env.SyncedImage())));
  return states;
}

using States = std::set<std::string>;

TEST(FaultEnvTest, AFileIsDurableWithItsDataAndItsName) {
  FaultEnv env;
  const std::unique_ptr<File> file = Open(&env, "d/f");
  EXPECT_EQ(AllCrashes(env), (States{"", "d/f= "}));
  ASSERT_TRUE(file->WriteAt(0, "x").ok());
  // Not there; there and empty; its size without its data; whole.
  EXPECT_EQ(AllCrashes(env), (States{"", "d/f= ", std::string("d/f=\0 ", 6), "d/f=x "}));
  ASSERT_TRUE(file->SyncData().ok());
  EXPECT_EQ(AllCrashes(env), (States{"", "d/f=x "}));
  SyncDirectory(&env, "other");
  EXPECT_EQ(AllCrashes(env), (States{"", "d/f=x "}));
  SyncDirectory(&env, "d");
  EXPECT_EQ(AllCrashes(env), (States{"d/f=x "}));
}

TEST(FaultEnvTest, ADurableNameDoesNotMakeTheDataDurable) {
  FaultEnv env;
  const std::unique_ptr<File> file = Open(&env, "d/f");
  ASSERT_TRUE(file->WriteAt(0, "x").ok());
  SyncDirectory(&env, "d");
  EXPECT_EQ(AllCrashes(env), (States{"d/f= ", std::string("d/f=\0 ", 6), "d/f=x "}));
}

TEST(FaultEnvTest, SectorsOfOneWriteAreLostEachOnItsOwn) {
  FaultEnv env;
  const std::string old(2 * kSector, 'o');
  const std::unique_ptr<File> file = MakeDurable(&env, "f", old);
  ASSERT_TRUE(file->WriteAt(0, std::string(2 * kSector, 'n')).ok());
  const std::string o(kSector, 'o');
  const std::string n(kSector, 'n');
  EXPECT_EQ(AllCrashes(env), (States{"f=" + o + o + " ", "f=" + o + n + " ", "f=" + n + o + " ",
                                     "f=" + n + n + " "}));
}

TEST(FaultEnvTest, ASectorIsFoundAsAnyOneWriteLeftIt) {
  FaultEnv env;
  const std::unique_ptr<File> file = MakeDurable(&env, "f", "....");
  ASSERT_TRUE(file->WriteAt(0, "a").ok());
  ASSERT_TRUE(file->WriteAt(2, "b").ok());
  EXPECT_EQ(AllCrashes(env), (States{"f=.... ", "f=a... ", "f=a.b. "}));
}

TEST(FaultEnvTest, ATruncationIsLostOrKept) {
  FaultEnv env;
  const std::unique_ptr<File> file = MakeDurable(&env, "f", "abc");
  ASSERT_TRUE(file->Truncate(1).ok());
  const States states = AllCrashes(env);
  EXPECT_TRUE(states.contains("f=abc "));
  EXPECT_TRUE(states.contains("f=a "));
  ASSERT_TRUE(file->SyncData().ok());
  EXPECT_EQ(AllCrashes(env), (States{"f=a "}));
  ASSERT_TRUE(file->Truncate(3).ok());
  ASSERT_TRUE(file->SyncData().ok());
  EXPECT_EQ(AllCrashes(env), (States{std::string("f=a\0\0 ", 6)}));
}

TEST(FaultEnvTest, AReservationIsNotDurable) {
  FaultEnv env;
  const std::unique_ptr<File> file = MakeDurable(&env, "f", "a");
  ASSERT_TRUE(file->Reserve(0, 2).ok());
  EXPECT_EQ(AllCrashes(env), (States{"f=a ", std::string("f=a\0 ", 5)}));
}

TEST(FaultEnvTest, ARenameIsOneChange) {
  FaultEnv env;
  MakeDurable(&env, "d/a", "new");
  MakeDurable(&env, "d/b", "old");
  ASSERT_TRUE(env.Rename("d/a", "d/b").ok());
  EXPECT_EQ(AllCrashes(env), (States{"d/a=new d/b=old ", "d/b=new "}));
  SyncDirectory(&env, "d");
  EXPECT_EQ(AllCrashes(env), (States{"d/b=new "}));
  EXPECT_FALSE(env.Rename("d/b", "e/b").ok());
}

TEST(FaultEnvTest, DirectoryChangesAreLostEachOnItsOwn) {
  FaultEnv env;
  MakeDurable(&env, "a", "1");
  MakeDurable(&env, "b", "2");
  ASSERT_TRUE(env.Remove("a").ok());
  ASSERT_TRUE(env.Remove("b").ok());
  EXPECT_EQ(AllCrashes(env), (States{"a=1 b=2 ", "a=1 ", "b=2 ", ""}));
}

TEST(FaultEnvTest, ANameThatIsMadeAgainStandsForTheNewFileOrTheOld) {
  FaultEnv env;
  MakeDurable(&env, "f", "old");
  ASSERT_TRUE(env.Remove("f").ok());
  const std::unique_ptr<File> file = Open(&env, "f");
  ASSERT_TRUE(file->WriteAt(0, "new").ok());
  ASSERT_TRUE(file->SyncData().ok());
  EXPECT_EQ(AllCrashes(env), (States{"f=old ", "", "f=new "}));
}

TEST(FaultEnvTest, ANameKeepsItsFileWhereTheRemovalWasLost) {
  FaultEnv env;
  MakeDurable(&env, "a", "old");
  ASSERT_TRUE(env.Remove("a").ok());
  const std::unique_ptr<File> file = Open(&env, "a");
  ASSERT_TRUE(file->WriteAt(0, "new").ok());
  ASSERT_TRUE(file->SyncData().ok());
  ASSERT_TRUE(env.Rename("a", "b").ok());
  EXPECT_EQ(AllCrashes(env), (States{"a=old ", "", "a=new ", "a=old b=new ", "b=new "}));
}

TEST(FaultEnvTest, RingPagesAreFoundCleanOrNewest) {
  constexpr size_t kPage = 4096;
  FaultEnv env;
  const std::unique_ptr<RingMapping> ring = *env.MapRing("r", 3 * kPage);
  ASSERT_TRUE(Open(&env, "r")->SyncData().ok());
  SyncDirectory(&env, ".");
  std::memset(ring->data(), 'n', 2 * kPage);
  const States states = AllCrashes(env);
  EXPECT_EQ(states.size(), 4u);
  for (const std::string& state : states) {
    for (size_t page = 0; page < 3; ++page) {
      const std::string bytes = state.substr(2 + page * kPage, kPage);
      EXPECT_TRUE(bytes == std::string(kPage, '\0') ||
                  (page < 2 && bytes == std::string(kPage, 'n')));
    }
  }
  const std::string full = ToText(env.FullImage());
  EXPECT_EQ(full, "r=" + std::string(2 * kPage, 'n') + std::string(kPage, '\0') + " ");
}

TEST(FaultEnvTest, WhatIsStoredInARingAfterThePowerCutIsInNoImage) {
  FaultEnv env;
  const std::unique_ptr<RingMapping> ring = *env.MapRing("r", 4096);
  std::memset(ring->data(), 'b', 4096);
  env.CutPowerAt(env.OperationCount());
  std::memset(ring->data(), 'a', 4096);
  EXPECT_EQ(ToText(env.FullImage()), "r=" + std::string(4096, 'b') + " ");
  for (const std::string& state : AllCrashes(env)) EXPECT_EQ(state.find('a'), state.npos);
}

TEST(FaultEnvTest, AnEnvFromAnImageHoldsItAndGoesOn) {
  FaultEnv env;
  MakeDurable(&env, "f", "abc");
  const std::unique_ptr<RingMapping> ring = *env.MapRing("r", 4096);
  std::memset(ring->data(), 'k', 10);
  const DiskImage image = env.FullImage();

  FaultEnv reopened(image);
  EXPECT_EQ(ToText(reopened.SyncedImage()), ToText(image));
  const std::unique_ptr<RingMapping> again = *reopened.MapRing("r", 4096);
  EXPECT_EQ(std::string(again->data(), 11), std::string(10, 'k') + '\0');
  ASSERT_TRUE(Open(&reopened, "f")->WriteAt(0, "X").ok());
  EXPECT_EQ(ToText(env.FullImage()), ToText(image));
}

TEST(FaultEnvTest, RandomnessIsRepeatableAndGoesOnInAnImage) {
  const auto draw = [](FaultEnv* env) {
    std::string bytes(16, '\0');
    env->FillRandom(bytes.data(), bytes.size());
    return bytes;
  };
  FaultEnv one(7);
  FaultEnv other(7);
  EXPECT_EQ(draw(&one), draw(&other));
  FaultEnv reopened(one.FullImage());
  EXPECT_EQ(draw(&reopened), draw(&other));
  FaultEnv different(8);
  EXPECT_NE(draw(&one), draw(&different));
}

TEST(FaultEnvTest, PowerIsCutBeforeTheGivenOperation) {
  FaultEnv env;
  const std::unique_ptr<File> file = MakeDurable(&env, "f", "old");
  const uint64_t start = env.OperationCount();
  env.CutPowerAt(start + 1);
  char byte;
  EXPECT_TRUE(file->ReadAt(0, 1, &byte).ok());
  ASSERT_TRUE(file->WriteAt(0, "new").ok());
  EXPECT_FALSE(env.PowerIsCut());
  EXPECT_FALSE(file->SyncData().ok());
  EXPECT_TRUE(env.PowerIsCut());
  EXPECT_EQ(env.OperationCount(), start + 1);
  EXPECT_EQ(AllCrashes(env), (States{"f=old ", "f=new "}));

  const absl::Status write = file->WriteAt(0, "x");
  EXPECT_TRUE(absl::IsUnavailable(write)) << write;
  EXPECT_FALSE(file->ReadAt(0, 1, &byte).ok());
  EXPECT_FALSE(file->Size().ok());
  EXPECT_FALSE(env.OpenFile("f", {}).ok());
  EXPECT_FALSE(env.OpenFile("g", kCreate).ok());
  EXPECT_FALSE(env.Exists("f").ok());
  EXPECT_FALSE(env.Rename("f", "g").ok());
  EXPECT_FALSE(env.Remove("f").ok());
  EXPECT_FALSE(env.MapRing("r", 4096).ok());
  EXPECT_FALSE(env.Lock("f", LockMode::kShared).ok());
  EXPECT_EQ(AllCrashes(env), (States{"f=old ", "f=new "}));
}

TEST(FaultEnvTest, RulesFailTheOperationsTheyMatch) {
  FaultEnv env;
  const std::unique_ptr<File> file = MakeDurable(&env, "f", "abc");
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view path) {
    return op == FileOp::kWrite && path == "f";
  };
  rule.skip = 1;
  rule.count = 2;
  rule.error_number = ENOSPC;
  env.AddRule(rule);
  EXPECT_TRUE(file->WriteAt(0, "1").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(file->WriteAt(0, "2")));
  EXPECT_TRUE(file->SyncData().ok());
  EXPECT_TRUE(absl::IsResourceExhausted(file->WriteAt(0, "3")));
  EXPECT_EQ(ToText(env.FullImage()), "f=1bc ");
  EXPECT_TRUE(file->WriteAt(0, "4").ok());
  env.AddRule({});
  EXPECT_TRUE(file->WriteAt(0, "5").ok()) << "the first rule that matches decides";
  EXPECT_TRUE(absl::IsUnavailable(file->SyncData()));
  env.ClearRules();
  EXPECT_TRUE(file->SyncData().ok());
}

TEST(FaultEnvTest, AShortWriteWritesWholeSectorsOfItsFirstHalf) {
  FaultEnv env;
  const std::unique_ptr<File> file = MakeDurable(&env, "f", std::string(8 * kSector, '.'));
  FaultRule rule;
  rule.short_write = true;
  env.AddRule(rule);
  EXPECT_FALSE(file->WriteAt(100, std::string(5 * kSector, 'x')).ok());
  const std::string contents = env.FullImage().files.at("f").ToString();
  EXPECT_EQ(contents, std::string(100, '.') + std::string(2 * kSector - 100, 'x') +
                          std::string(6 * kSector, '.'));
}

TEST(FaultEnvTest, AFailedSyncMayForgetWhatItWasToWrite) {
  for (const bool drop : {false, true}) {
    FaultEnv env;
    const std::unique_ptr<File> file = MakeDurable(&env, "f", "old");
    ASSERT_TRUE(file->WriteAt(0, "new").ok());
    FaultRule rule;
    rule.count = 1;
    rule.drop_unsynced = drop;
    env.AddRule(rule);
    EXPECT_FALSE(file->SyncData().ok());
    EXPECT_TRUE(file->SyncData().ok());
    char buffer[3];
    ASSERT_TRUE(ReadFully(*file, 0, 3, buffer).ok());
    EXPECT_EQ(std::string_view(buffer, 3), "new");
    EXPECT_EQ(AllCrashes(env), (States{drop ? "f=old " : "f=new "}));
  }
}

TEST(FaultEnvTest, AFailedSyncMayLetTheFileReadAsItWas) {
  FaultEnv env;
  const std::string old = std::string(kSector, 'o') + "old";
  const std::unique_ptr<File> file = MakeDurable(&env, "f", old);
  ASSERT_TRUE(file->WriteAt(kSector, "new and longer").ok());
  FaultRule rule;
  rule.count = 1;
  rule.reads_old = true;
  env.AddRule(rule);
  EXPECT_FALSE(file->SyncData().ok());
  EXPECT_EQ(ToText(env.FullImage()), "f=" + old + std::string(11, '\0') + " ");
  EXPECT_EQ(AllCrashes(env), (States{"f=" + old + " "}));
  ASSERT_TRUE(file->WriteAt(0, "N").ok());
  EXPECT_TRUE(file->SyncData().ok());
  EXPECT_EQ(AllCrashes(env), (States{"f=N" + old.substr(1) + std::string(11, '\0') + " "}));
}

TEST(FaultEnvTest, AFailedSyncThatReadsOldLeavesAShorterFileShort) {
  FaultEnv env;
  const std::unique_ptr<File> file = MakeDurable(&env, "f", std::string(3 * kSector, 'o'));
  ASSERT_TRUE(file->WriteAt(0, "new").ok());
  ASSERT_TRUE(file->Truncate(5).ok());
  FaultRule rule;
  rule.count = 1;
  rule.reads_old = true;
  env.AddRule(rule);
  EXPECT_FALSE(file->SyncData().ok());
  EXPECT_EQ(ToText(env.FullImage()), "f=ooooo ");
  EXPECT_EQ(AllCrashes(env), (States{"f=" + std::string(3 * kSector, 'o') + " "}));
}

TEST(FaultEnvTest, AFailedSyncOfADirectoryMayForgetItsChanges) {
  for (const bool drop : {false, true}) {
    FaultEnv env;
    MakeDurable(&env, "d/a", "1");
    MakeDurable(&env, "d/b", "2");
    MakeDurable(&env, "e/other", "");
    ASSERT_TRUE(env.Rename("d/a", "d/c").ok());
    ASSERT_TRUE(env.Remove("d/b").ok());
    ASSERT_TRUE(env.Remove("e/other").ok());
    FaultRule rule;
    rule.count = 1;
    rule.drop_unsynced = drop;
    const std::unique_ptr<Directory> directory = *env.OpenDirectory("d");
    env.AddRule(rule);
    EXPECT_FALSE(directory->Sync().ok());
    EXPECT_EQ(*directory->List(), std::vector<std::string>{"c"});
    EXPECT_TRUE(directory->Sync().ok());
    EXPECT_EQ(ToText(env.FullImage()), "d/c=1 ");
    const std::string durable = drop ? "d/a=1 d/b=2 " : "d/c=1 ";
    EXPECT_EQ(AllCrashes(env), (States{durable + "e/other= ", durable}));
    // What is changed from then on is written again.
    MakeDurable(&env, "d/f", "3");
    EXPECT_EQ(AllCrashes(env), (States{durable + "d/f=3 e/other= ", durable + "d/f=3 "}));
  }
}

TEST(FaultEnvTest, AFullDiskTakesWhatFits) {
  FaultEnv env;
  const std::unique_ptr<File> file = MakeDurable(&env, "f", std::string(kSector, '.'));
  env.SetCapacity(3 * kSector + 10);
  const absl::Status full = file->WriteAt(kSector, std::string(4 * kSector, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_EQ(file->Size().value(), 3 * kSector);
  EXPECT_TRUE(file->WriteAt(0, std::string(3 * kSector, 'y')).ok()) << "overwrites need no space";
  EXPECT_TRUE(absl::IsResourceExhausted(file->Reserve(0, 4 * kSector)));
  EXPECT_TRUE(absl::IsResourceExhausted(file->WriteAt(100 * kSector, "behind a gap")));
  EXPECT_EQ(file->Size().value(), 3 * kSector);
  EXPECT_TRUE(absl::IsResourceExhausted(env.MapRing("r", 4096).status()));
  EXPECT_FALSE(env.Exists("r").value());
  ASSERT_TRUE(env.Remove("f").ok());
  EXPECT_TRUE(Open(&env, "g")->Reserve(0, 3 * kSector).ok());
}

TEST(FaultEnvTest, DirectFilesRefuseWhatIsNotAligned) {
  FaultEnv env;
  const std::unique_ptr<File> file =
      Open(&env, "f", {.write = true, .create = true, .direct = true});
  const AlignedBuffer buffer(2 * kDirectAlignment);
  std::memset(buffer.data(), 'd', buffer.size());
  EXPECT_TRUE(file->WriteAt(0, std::string_view(buffer.data(), kDirectAlignment)).ok());
  EXPECT_TRUE(file->ReadAt(0, buffer.size(), buffer.data()).ok());
  const auto refused = [](const absl::Status& status) { return absl::IsInvalidArgument(status); };
  EXPECT_TRUE(refused(file->WriteAt(0, std::string_view(buffer.data(), 100))));
  EXPECT_TRUE(refused(file->WriteAt(100, std::string_view(buffer.data(), kDirectAlignment))));
  EXPECT_TRUE(refused(file->WriteAt(0, std::string_view(buffer.data() + 8, kDirectAlignment))));
  EXPECT_TRUE(refused(file->ReadAt(0, 100, buffer.data()).status()));
}

TEST(FaultEnvTest, TheTraceAndTheObserverTellWhatWasDone) {
  FaultEnv env;
  std::vector<std::string> seen;
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    seen.push_back(absl::StrCat(entry.number, " ", ToAbsl(FileOpName(entry.op)), " ", entry.path,
                                " ", entry.offset, "+", entry.size, entry.ok ? "" : " failed"));
    // The observer may use the env.
    EXPECT_LE(entry.number, env.OperationCount());
  });
  const std::unique_ptr<File> file = Open(&env, "f");
  ASSERT_TRUE(file->WriteAt(3, "abc").ok());
  char byte;
  ASSERT_TRUE(file->ReadAt(4, 1, &byte).ok());
  ASSERT_TRUE(file->SyncData().ok());
  EXPECT_FALSE(env.Remove("none").ok());
  EXPECT_EQ(seen, (std::vector<std::string>{"0 create f 0+0", "1 write f 3+3", "2 read f 4+1",
                                            "2 fdatasync f 0+0", "3 unlink none 0+0 failed"}));
  EXPECT_EQ(env.Trace().size(), seen.size() - 1);
  EXPECT_EQ(env.OperationCount(), 4u);
}

// Two ways to the same states: power cut at each operation in a new run, and images taken by the
// observer of one run.
TEST(FaultEnvTest, ObserverImagesAreThoseOfPowerCuts) {
  const auto work = [](FaultEnv* env) {
    absl::StatusOr<std::unique_ptr<File>> file = env->OpenFile("f", kCreate);
    if (!file.ok()) return;
    for (const char* data : {"one", "two"}) {
      if (!(*file)->WriteAt(0, data).ok() || !(*file)->SyncData().ok()) return;
    }
    const auto directory = env->OpenDirectory(".");
    if (!directory.ok() || !(*directory)->Sync().ok()) return;
    // The last entries are of no interest: the images show what they did.
    (void)env->Rename("f", "g");
  };
  FaultEnv observed;
  std::vector<States> by_observer = {AllCrashes(observed)};
  observed.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (IsNumbered(entry.op)) by_observer.push_back(AllCrashes(observed));
  });
  work(&observed);
  ASSERT_EQ(by_observer.size(), observed.OperationCount() + 1);
  for (uint64_t k = 0; k < by_observer.size(); ++k) {
    FaultEnv cut;
    cut.CutPowerAt(k);
    work(&cut);
    EXPECT_EQ(AllCrashes(cut), by_observer[k]) << k;
  }
}

// What a random sequence of operations leaves after a full sync equals what was read before.
TEST(FaultEnvTest, SyncedContentsAreTheContents) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    FaultEnv env;
    const std::unique_ptr<File> file = Open(&env, "f");
    SyncDirectory(&env, ".");
    for (int i = 0; i < 100; ++i) {
      const uint64_t offset = random() % 5000;
      const std::string data(1 + random() % 2000, static_cast<char>('a' + i % 26));
      switch (random() % 4) {
        case 0:
          ASSERT_TRUE(file->Truncate(offset).ok());
          break;
        case 1: {
          ASSERT_TRUE(file->SyncData().ok());
          EXPECT_EQ(ToText(env.SyncedImage()), ToText(env.FullImage()));
          RandomChooser chooser(random());
          EXPECT_EQ(ToText(env.CrashImage(&chooser)), ToText(env.FullImage()));
          break;
        }
        default:
          ASSERT_TRUE(file->WriteAt(offset, data).ok());
      }
    }
  }
}

}  // namespace
}  // namespace emdb
