// Whole databases of earlier times, opened by today's code. The files in testdata were made by the
// functions MakeClosed and MakeKilled below, when format version 1 of log and page store was new:
//
//   bazel test //kv:db_format_test --test_env=EMDB_GOLDEN_DIRECTORY=/tmp
//
// writes what today's code makes of them. They are not made again when the code changes: that they
// are old is what they are for.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/observation.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/disk/golden.emdb";
constexpr size_t kLineBytes = 16;

Options DbOptions(Env* env) {
  Options options;
  options.env = env;
  options.memtable_size = size_t{1} << 20;
  options.cache_size = size_t{1} << 20;
  options.wal_segment_size = uint64_t{64} << 10;
  // The store itself says when it syncs.
  options.flush_policy = FlushPolicy::Manual();
  return options;
}

// ---- What they were made of.

std::string KeyAt(int i) { return absl::StrCat("key", 100 + i); }

// In pages: short records, some of them deleted again by a second checkpoint, one of its own pages,
// one with zeros in its key.
void WritePages(Db* db) {
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(db->Put(KeyAt(i), std::string(static_cast<size_t>(i), 'p')).ok());
  }
  ASSERT_TRUE(db->Put("large", std::string(20'000, 'L')).ok());
  ASSERT_TRUE(db->Put(std::string("\0\0", 2), "zeros").ok());
  ASSERT_TRUE(db->Checkpoint().ok());
  for (int i = 0; i < 60; i += 3) ASSERT_TRUE(db->Delete(KeyAt(i)).ok());
  ASSERT_TRUE(db->Checkpoint().ok());
}

// In the log: what is new, what was there, a deletion, a batch.
void WriteLog(Db* db) {
  ASSERT_TRUE(db->Put("in the log", "1", {.sync = true}).ok());
  ASSERT_TRUE(db->Put(KeyAt(1), "changed").ok());
  ASSERT_TRUE(db->Delete(KeyAt(2), {.sync = true}).ok());
  WriteBatch batch;
  batch.Put("batch/left", "");
  batch.Put("batch/right", std::string(300, 'r'));
  batch.Delete(KeyAt(4));
  ASSERT_TRUE(db->Write(batch, {.sync = true}).ok());
}

Contents ClosedContents() {
  Contents contents;
  for (int i = 0; i < 60; ++i) {
    if (i % 3 != 0) contents[KeyAt(i)] = std::string(static_cast<size_t>(i), 'p');
  }
  contents["large"] = std::string(20'000, 'L');
  contents[std::string("\0\0", 2)] = "zeros";
  contents["in the log"] = "1";
  contents[KeyAt(1)] = "changed";
  contents.erase(KeyAt(2));
  contents["batch/left"] = "";
  contents["batch/right"] = std::string(300, 'r');
  contents.erase(KeyAt(4));
  return contents;
}

DiskImage MakeClosed() {
  FaultEnv env;
  auto db = Db::Open(DbOptions(&env), kPath);
  EXPECT_TRUE(db.ok()) << db.status();
  WritePages(db->get());
  WriteLog(db->get());
  EXPECT_TRUE((*db)->Close().ok());
  return env.FullImage();
}

// As what was closed, then a log of several segments, and records that were never synced and are in
// the append buffer only.
DiskImage MakeKilled() {
  FaultEnv env;
  auto db = Db::Open(DbOptions(&env), kPath);
  EXPECT_TRUE(db.ok()) << db.status();
  WritePages(db->get());
  WriteLog(db->get());
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE((*db)->Put(absl::StrCat("segments/", i), std::string(20'000, 's')).ok());
    EXPECT_TRUE((*db)->Flush().ok());
  }
  EXPECT_TRUE((*db)->Put("not synced", "there").ok());
  EXPECT_TRUE((*db)->Delete(KeyAt(5)).ok());
  return env.FullImage();
}

Contents KilledContents() {
  Contents contents = ClosedContents();
  for (int i = 0; i < 5; ++i) contents[absl::StrCat("segments/", i)] = std::string(20'000, 's');
  contents["not synced"] = "there";
  contents.erase(KeyAt(5));
  return contents;
}

// ---- How they are kept: as text, of each file a line with its path and size, then 16 bytes a
// line. A star stands for lines that are all as the one before it; what is not named is zeros.

void PrintLine(uint64_t offset, std::string_view bytes, std::string* text) {
  absl::StrAppendFormat(text, "%06x:", offset);
  for (const char c : bytes) absl::StrAppendFormat(text, " %02x", static_cast<uint8_t>(c));
  text->append("\n");
}

std::string ToText(const DiskImage& image) {
  std::string text;
  for (const auto& [path, bytes] : image.files) {
    absl::StrAppend(&text, "file ", path, " ", bytes.size(), "\n");
    const std::string zeros(kLineBytes, '\0');
    std::string last = zeros;
    for (uint64_t offset = 0; offset < bytes.size(); offset += kLineBytes) {
      const std::string line = bytes.Read(offset, kLineBytes);
      const bool is_repeated = line == last && last != zeros;
      if (is_repeated && !text.ends_with("*\n")) text.append("*\n");
      if (line != last && line != zeros) PrintLine(offset, line, &text);
      // Says where the repeated lines end.
      if (line == zeros && text.ends_with("*\n")) PrintLine(offset, "", &text);
      last = line;
    }
  }
  return text;
}

class TextReader {
 public:
  DiskImage Read(const std::string& path) {
    std::ifstream in(path);
    EXPECT_TRUE(in.is_open()) << path;
    for (std::string line; std::getline(in, line);) ReadLine(line);
    EndRepetition(file_ == nullptr ? 0 : file_->size());
    return std::move(image_);
  }

 private:
  void ReadLine(const std::string& line) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "file") {
      if (file_ != nullptr) EndRepetition(file_->size());
      std::string path;
      uint64_t size = 0;
      words >> path >> size;
      file_ = &image_.files[path];
      file_->Resize(size);
    } else if (word == "*") {
      repeats_ = true;
    } else {
      const uint64_t offset = std::stoull(word, nullptr, 16);
      EndRepetition(offset);
      last_.clear();
      while (words >> word) last_ += static_cast<char>(std::stoi(word, nullptr, 16));
      file_->Write(offset, last_);
      end_ = offset + last_.size();
    }
  }

  void EndRepetition(uint64_t offset) {
    while (repeats_ && end_ < offset) {
      file_->Write(end_, last_);
      end_ += last_.size();
    }
    repeats_ = false;
  }

  DiskImage image_;
  SparseBytes* file_ = nullptr;
  std::string last_;  // bytes of a line
  uint64_t end_ = 0;  // behind them
  bool repeats_ = false;
};

// ---- The tests.

struct Golden {
  const char* name;
  DiskImage (*make)();
  Contents (*contents)();
  bool was_clean;
  uint64_t checkpoint_seq;
  uint64_t recovered_records;
  uint64_t next_seq;
};

const Golden kGoldens[] = {
    {"closed_v1", MakeClosed, ClosedContents, true, 82, 4, 86},
    {"killed_v1", MakeKilled, KilledContents, false, 82, 11, 93},
};

class DbFormatTest : public testing::TestWithParam<Golden> {
 protected:
  void ExpectWhatWasWritten(Db* db) {
    const Golden& golden = GetParam();
    EXPECT_EQ(Difference(Observe(*db, {}), golden.contents()), "");
    const Stats stats = db->GetStats();
    EXPECT_EQ(stats.wal_recovery.was_clean, golden.was_clean);
    EXPECT_EQ(stats.checkpoint_seq, golden.checkpoint_seq);
    EXPECT_EQ(stats.recovered_records, golden.recovered_records);
    EXPECT_EQ(stats.next_seq, golden.next_seq);
    const absl::Status verified = db->Verify();
    EXPECT_TRUE(verified.ok()) << verified;
  }
};

INSTANTIATE_TEST_SUITE_P(Goldens, DbFormatTest, testing::ValuesIn(kGoldens),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(DbFormatTest, ADatabaseOfVersion1OpensAndGoesOn) {
  const DiskImage image = TextReader().Read(absl::StrCat("kv/testdata/", GetParam().name, ".hex"));
  FaultEnv env(image);
  Options options = DbOptions(&env);
  {
    options.read_only = true;
    auto db = Db::Open(options, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    ExpectWhatWasWritten(db->get());
  }
  EXPECT_TRUE(env.FullImage().files == image.files) << "reading changed something";
  options.read_only = false;
  Contents contents = GetParam().contents();
  contents["goes on"] = "1";
  {
    auto db = Db::Open(options, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    ExpectWhatWasWritten(db->get());
    ASSERT_TRUE((*db)->Put("goes on", "1", {.sync = true}).ok());
    ASSERT_TRUE((*db)->Close().ok());
  }
  auto db = Db::Open(options, kPath);
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ(Difference(Observe(**db, {}), contents), "");
  EXPECT_TRUE((*db)->Verify().ok());
}

// What today's code makes opens too, and comes back from its text.
TEST_P(DbFormatTest, TheyAreMadeLikeThis) {
  const DiskImage image = GetParam().make();
  const char* const directory = std::getenv("EMDB_GOLDEN_DIRECTORY");
  const std::string path =
      absl::StrCat(directory != nullptr ? std::string(directory) + "/" : testing::TempDir(),
                   GetParam().name, ".hex");
  std::ofstream(path) << ToText(image);
  const DiskImage read = TextReader().Read(path);
  EXPECT_TRUE(read.files == image.files);
  FaultEnv env(read);
  auto db = Db::Open(DbOptions(&env), kPath);
  ASSERT_TRUE(db.ok()) << db.status();
  ExpectWhatWasWritten(db->get());
}

}  // namespace
}  // namespace emdb
