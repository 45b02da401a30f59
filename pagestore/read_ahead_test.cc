#include "pagestore/read_ahead.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "pagestore/node.h"
#include "pagestore/node_builder.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "storage/fault_env.h"
#include "storage/forwarding_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = kMinPageSize;
constexpr PageId kFirst = 2;
constexpr PageId kEnd = 40;
constexpr PageId kBad = 20;
constexpr uint32_t kMaxPages = 16;

// No read that touches the page kBad succeeds.
class FileWithABadPage : public ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* buffer) const override {
    constexpr uint64_t kBadOffset = uint64_t{kBad} * kPageSize;
    if (offset < kBadOffset + kPageSize && kBadOffset < offset + size) {
      return IoError(EIO, "read", path());
    }
    return ForwardingFile::ReadAt(offset, size, buffer);
  }
};

std::string Leaf(PageId id) {
  NodeItems items(0);
  items.Add({"key", {}, CellKind::kInline, std::to_string(id)});
  std::string page(kPageSize, '\0');
  items.Build(0, items.size(), {id, 1}, page.data(), kPageSize);
  return page;
}

class ReadAheadTest : public testing::Test {
 protected:
  ReadAheadTest() {
    std::unique_ptr<File> file = *env_.OpenFile("f", {.write = true, .create = true});
    for (PageId id = kFirst; id < kEnd; ++id) {
      std::string page = Leaf(id);
      refs_.push_back(SealPage(CrcSeed(StoreId{}), page.data(), kPageSize));
      EXPECT_TRUE(file->WriteAt(uint64_t{id} * kPageSize, page).ok());
    }
    file_ = std::make_unique<PageFile>(std::make_unique<FileWithABadPage>(std::move(file)),
                                       kPageSize, StoreId{});
  }

  // Reads the pages of `refs` one after another, as a scan does.
  void ExpectAllButTheBadPage(const std::vector<PageRef>& refs) {
    ReadAhead read_ahead(file_.get(), kMaxPages);
    const absl::Span<const PageRef> all = refs;
    for (size_t i = 0; i < all.size(); ++i) {
      const absl::StatusOr<const char*> page = read_ahead.Read(all.subspan(i), 0);
      if (all[i].id == kBad) {
        EXPECT_TRUE(absl::IsUnavailable(page.status())) << page.status();
        continue;
      }
      ASSERT_TRUE(page.ok()) << "page " << all[i].id << ": " << page.status();
      ASSERT_EQ(LeafView(*page).cell(0).payload, std::to_string(all[i].id));
    }
  }

  FaultEnv env_;
  std::vector<PageRef> refs_;
  std::unique_ptr<PageFile> file_;
};

TEST_F(ReadAheadTest, APageThatCannotBeReadDoesNotTakeThoseInFrontOfItAlong) {
  ExpectAllButTheBadPage(refs_);
}

TEST_F(ReadAheadTest, ReadsMoreAtOnceTheMoreIsWanted) {
  ReadAhead read_ahead(file_.get(), kMaxPages);
  const auto good = absl::MakeConstSpan(refs_).subspan(kBad + 1 - kFirst);
  std::vector<uint64_t> pages_read;
  const auto read = [&](size_t i) {
    const uint64_t before = file_->counters().bytes_read;
    ASSERT_TRUE(read_ahead.Read(good.subspan(i), 0).ok());
    const uint64_t bytes = file_->counters().bytes_read - before;
    if (bytes > 0) pages_read.push_back(bytes / kPageSize);
  };
  for (size_t i = 0; i < good.size(); ++i) read(i);
  EXPECT_EQ(pages_read, std::vector<uint64_t>({1, 2, 4, 8, 4}));
  pages_read.clear();
  read_ahead.Restart();
  read(0);
  read_ahead.ExpectAll();
  read(1);
  EXPECT_EQ(pages_read, std::vector<uint64_t>({1, kMaxPages}));
}

TEST_F(ReadAheadTest, ReadsPagesThatStandAnywhereTogether) {
  // Every third page, from both ends, and one twice: as good as side by side.
  std::vector<PageRef> refs;
  for (PageId id = kFirst; id < kBad; id += 3) refs.push_back(refs_[id - kFirst]);
  for (PageId id = kEnd - 1; id > kBad; id -= 3) refs.push_back(refs_[id - kFirst]);
  refs.push_back(refs.front());
  ASSERT_EQ(refs.size(), 14u);
  ReadAhead read_ahead(file_.get(), kMaxPages);
  read_ahead.ExpectAll();
  const auto all = absl::MakeConstSpan(refs);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(read_ahead.Holds(all[i].id), i > 0);
    const absl::StatusOr<const char*> page = read_ahead.Read(all.subspan(i), 0);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(LeafView(*page).cell(0).payload, std::to_string(all[i].id));
  }
  EXPECT_EQ(file_->counters().bytes_read, 13 * kPageSize);
}

TEST_F(ReadAheadTest, NorDownwards) { ExpectAllButTheBadPage({refs_.rbegin(), refs_.rend()}); }

}  // namespace
}  // namespace emdb
