#include "tools/cli/cli.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "storage/forwarding_env.h"
#include "storage/posix_env.h"
#include "storage/status.h"
#include "tools/cli/cli_fixture.h"
#include "tools/cli/testing.h"

namespace emdb::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(CliTest, WhatIsPutIsGot) {
  EXPECT_EQ(Out({"put", "STORE", "key", "value"}), "");
  EXPECT_EQ(Out({"get", "STORE", "key"}), "value\n");
  EXPECT_EQ(Out({"put", "STORE", "key", "other"}), "");
  EXPECT_EQ(Out({"get", "STORE", "key"}), "other\n");
}

TEST_F(CliTest, KeysAndValuesAreAnyBytesInAnyFormat) {
  Out({"put", "STORE", "a\\tb", "\\xff\\n"});
  EXPECT_EQ(Out({"get", "STORE", "610962", "--key-format=hex"}), "\\xff\\n\n");
  EXPECT_EQ(Out({"get", "STORE", "610962", "--format=hex"}), "ff0a\n");
  EXPECT_EQ(Out({"get", "STORE", "YQli", "--format=base64"}), "/wo=\n");
  EXPECT_EQ(Out({"get", "STORE", "a\\tb", "--raw"}), "\xff\n");
}

TEST_F(CliTest, PutReadsTheValueFromStandardInput) {
  const std::string value("any \0 bytes\n", 12);
  Out({"put", "STORE", "key"}, value);
  EXPECT_EQ(Out({"get", "STORE", "key", "--raw"}), value);
}

TEST_F(CliTest, AMissingKeyIsExitCode1) {
  LoadFruit();
  const Outcome outcome = Run({"get", "STORE", "apple", "grape", "cherry", "plum"});
  EXPECT_EQ(outcome.code, ExitCode::kNotFound);
  EXPECT_EQ(outcome.out, "red\ndark red\n") << "what is there is printed";
  EXPECT_EQ(outcome.err, "emdb: no such key: grape, plum\n");
}

TEST_F(CliTest, AMissingStoreIsExitCode3AndIsNotMade) {
  for (const char* command : {"get", "delete", "scan", "count", "dump", "stats", "verify",
                              "checkpoint", "compact", "wal-dump", "page-dump", "shell"}) {
    std::vector<std::string> words = {command, "STORE"};
    if (words[0] == "get" || words[0] == "delete") words.emplace_back("key");
    const Outcome outcome = Run(words);
    EXPECT_EQ(outcome.code, ExitCode::kFailed) << command;
    EXPECT_THAT(outcome.err, HasSubstr("there is no store at")) << command;
  }
  EXPECT_FALSE(*PosixEnv()->Exists(store()));
}

TEST_F(CliTest, AStoreIsNotMadeInADirectoryThatIsMissing) {
  const Outcome outcome = Run({"put", "/nonexistent/a.emdb", "key", "value"});
  EXPECT_EQ(outcome.code, ExitCode::kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("cannot make /nonexistent/a.emdb"));
}

TEST_F(CliTest, DeleteRemovesAllItsKeys) {
  LoadFruit();
  EXPECT_EQ(Out({"delete", "STORE", "apple", "cherry", "not-there"}), "");
  EXPECT_EQ(Out({"scan", "STORE", "--keys-only"}), "banana\nblueberry\n");
}

TEST_F(CliTest, ScanShowsTheRangeAskedFor) {
  LoadFruit();
  EXPECT_EQ(Out({"scan", "STORE"}),
            "apple\tred\nbanana\tyellow\nblueberry\tblue\ncherry\tdark red\n");
  EXPECT_EQ(Out({"scan", "STORE", "--prefix=b"}), "banana\tyellow\nblueberry\tblue\n");
  EXPECT_EQ(Out({"scan", "STORE", "--from=banana", "--to=cherry", "--keys-only"}),
            "banana\nblueberry\n");
  EXPECT_EQ(Out({"scan", "STORE", "--reverse", "--limit=2", "--keys-only"}), "cherry\nblueberry\n");
  EXPECT_EQ(Out({"scan", "STORE", "--prefix=b", "--from=bb"}), "blueberry\tblue\n");
  EXPECT_EQ(Out({"scan", "STORE", "--prefix=b", "--to=a"}), "");
  EXPECT_EQ(Out({"scan", "STORE", "--from=62", "--limit=1", "--format=hex"}),
            "62616e616e61\t79656c6c6f77\n");
  EXPECT_EQ(Run({"scan", "STORE", "--from="}).code, ExitCode::kUsage);
}

TEST_F(CliTest, APrefixOfTheHighestBytesHasNoEnd) {
  Out({"put", "STORE", "\\xff\\xff\\x01", "in"});
  Out({"put", "STORE", "\\xff", "out"});
  EXPECT_EQ(Out({"scan", "STORE", "--prefix=\\xff\\xff"}), "\\xff\\xff\\x01\tin\n");
}

TEST_F(CliTest, CountIsExact) {
  LoadFruit();
  EXPECT_EQ(Out({"count", "STORE"}), "4\n");
  EXPECT_EQ(Out({"count", "STORE", "--prefix=b"}), "2\n");
  Out({"delete", "STORE", "banana"});
  EXPECT_EQ(Out({"count", "STORE"}), "3\n");
}

TEST_F(CliTest, EveryDumpLoadsBack) {
  LoadFruit();
  Out({"put", "STORE", "odd\\0\\n", "\\xfe\\\\"});
  const std::string all = Out({"scan", "STORE", "--format=hex"});
  const std::vector<std::vector<std::string>> formats = {{"--format=mdb_dump"},
                                                         {"--format=mdb_dump", "--print"},
                                                         {"--format=db_dump"},
                                                         {"--format=db_dump", "--print"},
                                                         {"--format=tsv"}};
  for (size_t i = 0; i < formats.size(); ++i) {
    std::vector<std::string> words = {"dump", "STORE"};
    words.insert(words.end(), formats[i].begin(), formats[i].end());
    const std::string dump = Out(words);
    const std::string copy = absl::StrCat(store(), ".copy", i);
    const Outcome loaded = Run({"load", copy, "--batch=2"}, dump);
    EXPECT_EQ(loaded.code, ExitCode::kOk) << loaded.err;
    EXPECT_THAT(loaded.err, StartsWith("loaded 5 records"));
    EXPECT_EQ(Out({"scan", copy, "--format=hex"}), all) << formats[i].front();
  }
}

TEST_F(CliTest, AKeyThatLooksLikeAHeaderIsLoadedBack) {
  Out({"put", "STORE", "VERSION=3", "value"});
  const std::string copy = store() + ".copy";
  Out({"load", copy}, Out({"dump", "STORE", "--format=tsv"}));
  EXPECT_EQ(Out({"get", copy, "VERSION=3"}), "value\n");
}

TEST_F(CliTest, DumpTakesARange) {
  LoadFruit();
  EXPECT_EQ(Out({"dump", "STORE", "--format=tsv", "--prefix=b"}),
            "banana\tyellow\nblueberry\tblue\n");
  EXPECT_EQ(Out({"dump", "STORE", "--format=db_dump", "--print", "--to=b"}),
            "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n apple\n red\nDATA=END\n");
}

TEST_F(CliTest, AMalformedLineStopsALoadAndIsNamed) {
  const Outcome outcome = Run({"load", "STORE", "--batch=1"}, "a\t1\nb\t2\nnonsense\nc\t3\n");
  EXPECT_EQ(outcome.code, ExitCode::kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("standard input, line 3: expected a key, a tab and a value"));
  EXPECT_THAT(outcome.err, HasSubstr("(2 records in front of it are in the store)"));
  EXPECT_EQ(Out({"count", "STORE"}), "2\n");
}

TEST_F(CliTest, KeysOutsideOfTheLimitsStopALoad) {
  EXPECT_THAT(Run({"load", "STORE"}, "\tvalue\n").err, HasSubstr("line 1: expected a key of 1 to"));
  EXPECT_THAT(Run({"load", "STORE"}, std::string(4097, 'k') + "\tv\n").err,
              HasSubstr("found one of 4097"));
  EXPECT_EQ(Run({"put", "STORE", "", "value"}).code, ExitCode::kUsage);
}

TEST_F(CliTest, LoadReadsAFile) {
  LoadFruit();
  EXPECT_EQ(Run({"load", "STORE", "/nonexistent"}).code, ExitCode::kFailed);
  EXPECT_EQ(Run({"load", "STORE", "--batch=0"}, "").code, ExitCode::kUsage);
}

TEST_F(CliTest, EmptyInputIsLoadedOnlyAsANamedFormat) {
  const Outcome outcome = Run({"load", "STORE"}, "");
  EXPECT_EQ(outcome.code, ExitCode::kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("standard input is empty"));
  EXPECT_THAT(outcome.err, HasSubstr("--format=tsv"));
  EXPECT_THAT(Run({"load", "STORE", "/dev/null"}).err, HasSubstr("/dev/null is empty"));
  EXPECT_EQ(Run({"load", "STORE", "--format=mdb_dump"}, "").code, ExitCode::kUsage);
  EXPECT_FALSE(*PosixEnv()->Exists(store()));
  EXPECT_FALSE(*PosixEnv()->Exists(Wal::PathFor(store())));
  EXPECT_EQ(Run({"load", "STORE", "--format=tsv"}, "").code, ExitCode::kOk);
  EXPECT_EQ(Out({"count", "STORE"}), "0\n");
}

TEST_F(CliTest, StatsAreForPeopleAndPrograms) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  Out({"put", "STORE", "date", "brown"});
  const std::string text = Out({"stats", "STORE"});
  for (const char* line :
       {"records .estimate. +5", "records recovered +1", "log records found at open +1",
        "log first seq at open +1", "log segments found at open +1", "log had been closed +1",
        "generation +2", "records in pages +4", "page size +8192", "page store checkpoints +0",
        "get latency +none"}) {
    EXPECT_THAT(text, ContainsRegex(absl::StrCat("(^|\n)", line, "\n")));
  }
  const std::string json = Out({"stats", "STORE", "--json"});
  EXPECT_THAT(json, StartsWith("{\"puts\":"));
  EXPECT_THAT(json, HasSubstr("\"wal_recovery\":{\"first_seq\":"));
  EXPECT_THAT(json, HasSubstr("\"page_store\":{\"generation\":2,"));
  EXPECT_THAT(json, EndsWith("}}\n"));
}

TEST_F(CliTest, CheckpointEmptiesTheLog) {
  LoadFruit();
  EXPECT_THAT(Out({"wal-dump", "STORE"}), HasSubstr("\tput\tapple\tred\n"));
  Out({"checkpoint", "STORE"});
  EXPECT_THAT(Out({"wal-dump", "STORE"}), Not(HasSubstr("apple")));
  EXPECT_EQ(Out({"count", "STORE"}), "4\n");
}

TEST_F(CliTest, CompactKeepsEverything) {
  LoadFruit();
  const Outcome outcome = Run({"compact", "STORE"});
  EXPECT_EQ(outcome.code, ExitCode::kOk) << outcome.err;
  EXPECT_THAT(outcome.err, ContainsRegex("compact: .* before, .* now"));
  EXPECT_EQ(Out({"count", "STORE"}), "4\n");
}

TEST_F(CliTest, WalDumpShowsOperationsByBatch) {
  Out({"load", "STORE", "--quiet"}, "a\t1\nb\t2\n");
  Out({"delete", "STORE", "a"});
  const std::string dump = Out({"wal-dump", "STORE"});
  EXPECT_THAT(dump, HasSubstr("0\tput\ta\t1\n0\tput\tb\t2\n1\tdelete\ta\n"));
  EXPECT_THAT(dump, HasSubstr("# records    2, seq 0 to before 2"));
  EXPECT_THAT(Out({"wal-dump", "STORE", "--from=1"}), Not(HasSubstr("\tput\t")));
  EXPECT_THAT(Out({"wal-dump", "STORE", "--limit=1"}), Not(HasSubstr("\tdelete\t")));
  EXPECT_THAT(Out({"wal-dump", "STORE", "--summary"}), Not(HasSubstr("\tput\t")));
}

TEST_F(CliTest, WalDumpShortensLongValues) {
  Out({"put", "STORE", "k", std::string(100, 'v')});
  EXPECT_THAT(Out({"wal-dump", "STORE", "--value-bytes=3"}), HasSubstr("\tvvv... (100 bytes)\n"));
}

TEST_F(CliTest, PageDumpDescribesTheHeadersAndPages) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  const std::string headers = Out({"page-dump", "STORE"});
  EXPECT_THAT(headers, StartsWith("page 0\n"));
  EXPECT_THAT(headers, HasSubstr("\npage 1\n"));
  EXPECT_EQ(Out({"page-dump", "STORE", "0-1"}), headers);
  for (const char* bad : {"x", "2-1", "1-", "-1"}) {
    EXPECT_EQ(Run({"page-dump", "STORE", "--", bad}).code, ExitCode::kUsage) << bad;
  }
  EXPECT_THAT(Run({"page-dump", "STORE", "99999999"}).err, HasSubstr("there is no page 99999999"));
}

TEST_F(CliTest, PageDumpShowsDamagedPagesAndGoesOn) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  const std::string headers = Out({"page-dump", "STORE"});
  ASSERT_THAT(Out({"page-dump", "STORE", "2"}), HasSubstr("leaf"));
  const std::string page_3 = Out({"page-dump", "STORE", "3"});
  Break(2 * kPageSize + 4096, 16);
  const Outcome outcome = Run({"page-dump", "STORE", "0-3"});
  EXPECT_EQ(outcome.code, ExitCode::kCorruption);
  EXPECT_THAT(outcome.out, StartsWith(headers + "page 2\nDAMAGED: " + store()));
  EXPECT_THAT(outcome.out, HasSubstr("wrong checksum"));
  EXPECT_THAT(outcome.out, HasSubstr("page 2: leaf")) << "what can still be read";
  EXPECT_THAT(outcome.out, EndsWith(page_3));
  EXPECT_THAT(outcome.err, HasSubstr(store() + " at offset 16384"));
  EXPECT_EQ(Out({"page-dump", "STORE"}), headers) << "of pages not asked for nothing is said";
}

TEST_F(CliTest, PageDumpShowsTheWholeCopyOfADamagedHeader) {
  LoadFruit();
  Break(0, 16);  // the first copy in the first slot
  const Outcome outcome = Run({"page-dump", "STORE"});
  EXPECT_EQ(outcome.code, ExitCode::kCorruption);
  EXPECT_THAT(outcome.out, StartsWith("page 0\nDAMAGED: "));
  EXPECT_THAT(outcome.out, HasSubstr("generation "));
  EXPECT_THAT(outcome.out, HasSubstr("\npage 1: header slot\n"));
}

TEST_F(CliTest, PageDumpOfAStoreWithoutAHeaderSaysWhatIsWrong) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  Break(kPageSize, kPageSize);  // the second header slot
  const Outcome outcome = Run({"page-dump", "STORE"});
  EXPECT_EQ(outcome.code, ExitCode::kCorruption);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(store() + " at offset 8192: no copy of the store header is"));
}

TEST_F(CliTest, VerifyReportsASoundStore) {
  LoadFruit();
  EXPECT_THAT(Out({"verify", "STORE"}), HasSubstr("log:   ok, 1 records with 4 operations"));
  Out({"checkpoint", "STORE"});
  EXPECT_THAT(Out({"verify", "STORE"}), HasSubstr("pages: ok, 4 records in "));
}

TEST_F(CliTest, VerifyReportsDamageInAPage) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  BreakAllPages();
  const Outcome outcome = Run({"verify", "STORE"});
  EXPECT_EQ(outcome.code, ExitCode::kCorruption);
  EXPECT_THAT(outcome.err, HasSubstr(store()));
  EXPECT_THAT(outcome.out, StartsWith("log:   ok, ")) << "which the pages do not hide";
}

TEST_F(CliTest, VerifyReportsPagesAndLogWhenBothAreDamaged) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  BreakAllPages();
  ASSERT_TRUE(PosixEnv()->Remove(Wal::PathFor(store())).ok());
  const Outcome outcome = Run({"verify", "STORE"});
  EXPECT_EQ(outcome.code, ExitCode::kCorruption);
  EXPECT_THAT(outcome.err, HasSubstr(store() + " at offset "));
  EXPECT_THAT(outcome.err, HasSubstr(Wal::PathFor(store()) + " is missing"));
  EXPECT_EQ(outcome.out, "");
}

TEST_F(CliTest, VerifyLooksAtTheLogOfAStoreThatCannotBeOpened) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  Out({"put", "STORE", "date", "brown"});
  Break(kPageSize, kPageSize);  // the second header slot
  const Outcome outcome = Run({"verify", "STORE"});
  EXPECT_EQ(outcome.code, ExitCode::kCorruption);
  EXPECT_THAT(outcome.out, StartsWith("log:   ok, 1 records with 1 operations"));
}

TEST_F(CliTest, VerifyReportsAMissingLog) {
  LoadFruit();
  ASSERT_TRUE(PosixEnv()->Remove(Wal::PathFor(store())).ok());
  const Outcome outcome = Run({"verify", "STORE"});
  EXPECT_EQ(outcome.code, ExitCode::kCorruption) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("pages: ok, "));
}

TEST_F(CliTest, VerifyReportsTheLogOfAnotherStore) {
  LoadFruit();
  const std::string other = store() + ".other";
  Out({"put", other, "key", "value"});
  ASSERT_TRUE(PosixEnv()->Rename(Wal::PathFor(other), Wal::PathFor(store())).ok());
  const Outcome outcome = Run({"verify", "STORE"});
  EXPECT_EQ(outcome.code, ExitCode::kCorruption) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("belongs to store "));
  EXPECT_THAT(outcome.out, StartsWith("pages: ok, "));
}

// A second goes by whenever it is asked for the time.
class HurriedEnv : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  uint64_t NowNanos() override { return nanos_ += 1'000'000'000; }

 private:
  std::atomic<uint64_t> nanos_ = 0;
};

TEST_F(CliTest, VerifyErasesItsBarBeforeTheResult) {
  std::string records;
  for (int i = 1000; i < 4000; ++i)
    absl::StrAppend(&records, i, "\t", std::string(1000, 'v'), "\n");
  Out({"load", "STORE", "--quiet"}, records);
  Out({"checkpoint", "STORE"});
  for (const char* command : {"verify", "shell"}) {
    HurriedEnv env(PosixEnv());
    TestConsole console(&env, "verify\n");
    console.console()->err_is_terminal = true;
    console.console()->out = console.console()->err;
    const std::vector<std::string> words = {command, store()};
    EXPECT_EQ(RunEmdb(words, *console.console()), ExitCode::kOk) << console.err();
    EXPECT_THAT(console.err(), HasSubstr("[#"));
    EXPECT_THAT(console.err(), HasSubstr("\r\x1b[Kpages: ok")) << command;
  }
}

TEST_F(CliTest, SalvageCopiesAWholeStore) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  Out({"put", "STORE", "date", "brown"});
  const std::string copy = store() + ".copy";
  EXPECT_THAT(Out({"salvage", "STORE", copy}), StartsWith("copied: 5 records"));
  EXPECT_EQ(Out({"dump", copy}), Out({"dump", "STORE"}));
  EXPECT_EQ(Run({"salvage", "STORE", copy}).code, ExitCode::kFailed) << "it exists";
}

TEST_F(CliTest, SalvageTakesWhatIsLeftAndSaysWhatIsLost) {
  LoadFruit();
  Out({"checkpoint", "STORE"});
  Out({"put", "STORE", "date", "brown"});
  BreakAllPages();
  const std::string copy = store() + ".copy";
  const Outcome outcome = Run({"salvage", "STORE", copy});
  EXPECT_EQ(outcome.code, ExitCode::kSomeLost) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("lost: " + store() + ", offset "));
  EXPECT_EQ(Out({"get", copy, "date"}), "brown\n");
}

TEST_F(CliTest, SalvageAsksForAFreshNameWhereALogIsLeftOver) {
  LoadFruit();
  const std::string copy = store() + ".copy";
  Out({"put", copy, "key", "value"});
  ASSERT_TRUE(PosixEnv()->Remove(copy).ok());
  const Outcome outcome = Run({"salvage", "STORE", copy});
  EXPECT_EQ(outcome.code, ExitCode::kFailed) << "not 4, which says that nothing can be read";
  EXPECT_THAT(outcome.err, HasSubstr(Wal::PathFor(copy)));
  EXPECT_THAT(outcome.err, HasSubstr("left over"));
  EXPECT_THAT(outcome.err, HasSubstr("fresh name"));
}

TEST_F(CliTest, SalvageOfNothingSaysSo) {
  EXPECT_EQ(Run({"salvage", "STORE", store() + ".copy"}).code, ExitCode::kFailed);
  std::fclose(std::fopen(store().c_str(), "w"));
  EXPECT_EQ(Run({"salvage", "STORE", store() + ".copy"}).code, ExitCode::kFailed);
}

TEST_F(CliTest, InspectingChangesNoByte) {
  LoadFruit();
  const auto contents = [this] {
    std::string all;
    for (const std::string& path : {store(), Wal::PathFor(store())}) {
      const auto file = PosixEnv()->OpenFile(path, {});
      EXPECT_TRUE(file.ok()) << file.status();
      std::string bytes(*(*file)->Size(), '\0');
      EXPECT_TRUE(ReadFully(**file, 0, bytes.size(), bytes.data()).ok());
      all += bytes;
    }
    return all;
  };
  const std::string before = contents();
  Out({"verify", "STORE"});
  Out({"wal-dump", "STORE"});
  Out({"page-dump", "STORE"});
  Out({"stats", "STORE"});
  Out({"count", "STORE"});
  EXPECT_TRUE(contents() == before);
}

TEST_F(CliTest, AStoreInUseIsExitCode3) {
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open({}, store());
  ASSERT_TRUE(db.ok()) << db.status();
  for (const char* command : {"count", "checkpoint", "verify", "wal-dump", "page-dump"}) {
    EXPECT_EQ(Run({command, "STORE"}).code, ExitCode::kFailed) << command;
  }
  ASSERT_TRUE((*db)->Close().ok());
}

TEST_F(CliTest, TheShellRunsCommandsOnOneStore) {
  EXPECT_EQ(Out({"shell", "STORE", "--create"},
                "put 'a key' \"a value\"\n"
                "# a comment\n"
                "\n"
                "get 'a key'\n"
                "get missing\n"
                "scan --keys-only\n"
                "verify\n"
                "quit\n"
                "put after quit\n")
                .substr(0, 14),
            "a value\na key\n");
  EXPECT_EQ(Out({"count", "STORE"}), "1\n");
}

TEST_F(CliTest, AScriptInTheShellEndsAtItsFirstError) {
  const Outcome outcome = Run({"shell", "STORE", "--create"}, "put a 1\nptu b 2\nput c 3\n");
  EXPECT_EQ(outcome.code, ExitCode::kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("line 2: unknown command \"ptu\"; did you mean put?"));
  EXPECT_EQ(Out({"scan", "STORE"}), "a\t1\n");
}

TEST_F(CliTest, TheShellGoesOnWhenTold) {
  const Outcome outcome = Run({"shell", "STORE", "--create", "--keep-going"},
                              "put a 1\nget none\nptu b 2\nload /nonexistent\nput c 3\n");
  EXPECT_EQ(outcome.code, ExitCode::kUsage) << "that of the first error";
  EXPECT_THAT(outcome.err, HasSubstr("unknown command \"ptu\""));
  EXPECT_THAT(outcome.err, HasSubstr("open /nonexistent"));
  EXPECT_THAT(outcome.err, HasSubstr("emdb: lines that failed: 2, the first of them line 3"));
  EXPECT_EQ(Out({"count", "STORE"}), "2\n");
  EXPECT_EQ(Run({"shell", "STORE", "--keep-going"}, "get none\n").code, ExitCode::kOk);
}

TEST_F(CliTest, TheShellHasNoCommandsThatNeedOtherInput) {
  for (const char* line : {"load\n", "put key\n"}) {
    EXPECT_EQ(Run({"shell", "STORE", "--create"}, line).code, ExitCode::kUsage) << line;
  }
}

TEST_F(CliTest, TheShellSaysWhereTheCommandsAreThatItHasNot) {
  const std::string details = Out({"shell", "--help"});
  const std::string list = Out({"shell", "STORE", "--create"}, "help\n");
  for (const std::string command : {"wal-dump", "page-dump", "salvage", "shell"}) {
    const std::string answer = absl::StrCat(
        command, " is not for the shell: leave it and run \"emdb ", command, " STORE\"");
    for (const std::string& line : {command + " 1\n", "help " + command + "\n"}) {
      const Outcome outcome = Run({"shell", "STORE"}, line);
      EXPECT_EQ(outcome.code, ExitCode::kUsage) << line;
      EXPECT_THAT(outcome.err, HasSubstr(answer)) << line;
    }
    EXPECT_THAT(details, ContainsRegex("but for [^;]*" + command));
    EXPECT_THAT(list, Not(HasSubstr("  " + command + " ")));
  }
}

TEST_F(CliTest, TheShellHasHelpForAllItsWords) {
  const std::string list = Out({"shell", "STORE", "--create"}, "help\n");
  EXPECT_THAT(list, HasSubstr("\n  scan "));
  EXPECT_THAT(list, HasSubstr("\n  help "));
  EXPECT_THAT(list, HasSubstr("\n  quit "));
  for (const char* line : {"help help\n", "help quit\n", "help exit\n"}) {
    EXPECT_EQ(Out({"shell", "STORE"}, line), list) << line;
  }
  EXPECT_THAT(Out({"shell", "STORE"}, "help scan\n"), StartsWith("Usage: scan "));
  EXPECT_THAT(Run({"shell", "STORE"}, "help qiut\n").err, HasSubstr("did you mean quit?"));
}

TEST_F(CliTest, HelpIsThereForEachCommand) {
  const std::string help = Out({"--help"});
  EXPECT_EQ(Out({"help"}), help);
  for (const char* command :
       {"get", "put", "delete", "scan", "count", "load", "dump", "stats", "verify", "checkpoint",
        "compact", "wal-dump", "page-dump", "salvage", "shell"}) {
    EXPECT_THAT(help, HasSubstr(absl::StrCat("\n  ", command, " "))) << command;
    const std::string text = Out({command, "--help"});
    EXPECT_THAT(text, StartsWith(absl::StrCat("Usage: emdb ", command, " STORE")));
    EXPECT_EQ(Out({"help", command}), text);
  }
}

TEST_F(CliTest, VersionIsThatOfTheFormats) {
  // Numbers, not the constants: whoever changes one means to change what is printed.
  EXPECT_EQ(Out({"--version"}), "emdb, formats: log 1, page store 1, write batch 1\n");
  EXPECT_THAT(Out({"--help"}), HasSubstr("`emdb --version`"));
}

TEST_F(CliTest, UsageErrorsSayWhatToDo) {
  EXPECT_EQ(Run({}).code, ExitCode::kUsage);
  EXPECT_EQ(Run({"sacn", "STORE"}).code, ExitCode::kUsage);
  EXPECT_THAT(Run({"sacn", "STORE"}).err, HasSubstr("did you mean scan?"));
  EXPECT_THAT(Run({"get", "STORE"}).err,
              HasSubstr("missing KEY: a key to look up\nUsage: emdb get STORE KEY... [options]\n"));
  EXPECT_THAT(Run({"scan", "STORE", "--limit=ten"}).err, HasSubstr("--limit expects a number"));
}

}  // namespace
}  // namespace emdb::cli
