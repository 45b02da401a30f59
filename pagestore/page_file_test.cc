#include "pagestore/page_file.h"

#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "pagestore/page_format.h"
#include "storage/aligned_buffer.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = 8192;
constexpr char kPath[] = "/d/store";

class PageFileTest : public testing::Test {
 protected:
  PageFileTest()
      : file_(*env_.OpenFile(kPath, {.write = true, .create = true}), kPageSize, StoreId{1}),
        page_(kPageSize) {}

  // Makes page_ a page that says it is `id`, and returns its reference.
  PageRef Make(PageId id, char fill, const StoreId& store_id = StoreId{1}) {
    std::memset(page_.data(), fill, kPageSize);
    EncodePageHeader({.id = id, .kind = PageKind::kBitmap}, page_.data());
    return SealPage(CrcSeed(store_id), page_.data(), kPageSize);
  }
  // Writes page_ to the place of page `id`.
  void WriteTo(PageId id) {
    ASSERT_EQ(file_.WriteRun(id, std::string_view(page_.data(), kPageSize)), absl::OkStatus());
  }
  absl::Status Read(PageRef ref) {
    AlignedBuffer buffer(kPageSize);
    return file_.ReadPage(ref, buffer.data());
  }

  FaultEnv env_;
  PageFile file_;
  AlignedBuffer page_;
};

TEST_F(PageFileTest, PageIsReadByItsReference) {
  const PageRef ref = Make(3, 'a');
  WriteTo(3);
  EXPECT_EQ(Read(ref), absl::OkStatus());
}

TEST_F(PageFileTest, OlderStateOfAPageIsRefused) {
  Make(3, 'a');
  WriteTo(3);
  // The write of the newer one is lost.
  const PageRef newer = Make(3, 'b');
  const absl::Status status = Read(newer);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("another page or an older state"), std::string::npos) << status;
  EXPECT_NE(status.message().find(kPath), std::string::npos) << status;
}

TEST_F(PageFileTest, PageAtAnotherPlaceIsRefused) {
  PageRef ref = Make(3, 'a');
  WriteTo(4);
  // Even if the checksum happens to be the expected one.
  ref.id = 4;
  EXPECT_TRUE(absl::IsDataLoss(Read(ref)));
}

TEST_F(PageFileTest, PageOfAnotherStoreIsRefused) {
  const PageRef ref = Make(3, 'a', StoreId{2});
  WriteTo(3);
  EXPECT_TRUE(absl::IsDataLoss(Read(ref)));
}

TEST_F(PageFileTest, EachByteCounts) {
  const PageRef ref = Make(3, 'a');
  for (const size_t at : {size_t{0}, size_t{5}, size_t{31}, size_t{4000}, size_t{kPageSize - 1}}) {
    page_.data()[at] ^= 1;
    WriteTo(3);
    EXPECT_TRUE(absl::IsDataLoss(Read(ref))) << at;
    page_.data()[at] ^= 1;
  }
}

TEST_F(PageFileTest, ReservedBytesThatAreNotZeroAreRefused) {
  for (const size_t at : {size_t{28}, size_t{31}}) {
    Make(3, 'a');
    page_.data()[at] = 1;
    const PageRef ref = SealPage(CrcSeed(StoreId{1}), page_.data(), kPageSize);
    WriteTo(3);
    EXPECT_TRUE(absl::IsDataLoss(Read(ref))) << at;
  }
}

TEST_F(PageFileTest, PageBehindTheEndOfTheFileIsDataLoss) {
  EXPECT_TRUE(absl::IsDataLoss(Read(Make(3, 'a'))));
}

}  // namespace
}  // namespace emdb
