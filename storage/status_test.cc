#include "storage/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

namespace emdb {
namespace {

TEST(StatusTest, ErrorNumbersHaveTheirCodes) {
  const auto code = [](int error_number) { return IoError(error_number, "write", "/f").code(); };
  for (const int full : {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EFBIG}) {
    EXPECT_EQ(code(full), absl::StatusCode::kResourceExhausted) << full;
  }
  for (const int denied : {EACCES, EPERM, EROFS}) {
    EXPECT_EQ(code(denied), absl::StatusCode::kPermissionDenied) << denied;
  }
  EXPECT_EQ(code(ENOENT), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(EEXIST), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(code(EINVAL), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(EIO), absl::StatusCode::kUnavailable);
}

TEST(StatusTest, MessagesNameOperationPathAndOffset) {
  EXPECT_EQ(IoError(EIO, "fdatasync", "/db").message(), "fdatasync /db: Input/output error");
  const absl::Status corruption = CorruptionError("/db", 8192, "bad page", "restore a backup");
  EXPECT_TRUE(absl::IsDataLoss(corruption));
  EXPECT_EQ(corruption.message(), "/db at offset 8192: bad page; restore a backup");
}

TEST(StatusTest, AnnotateKeepsTheCodeAndLeavesOkAlone) {
  const absl::Status annotated = Annotate(absl::DataLossError("why"), "where");
  EXPECT_TRUE(absl::IsDataLoss(annotated));
  EXPECT_EQ(annotated.message(), "where: why");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "where").ok());
}

absl::StatusOr<std::unique_ptr<int>> Make(bool ok) {
  if (!ok) return absl::NotFoundError("none");
  return std::make_unique<int>(7);
}

absl::Status Use(bool ok, int* out) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<int> made, Make(ok));
  EMDB_RETURN_IF_ERROR(absl::OkStatus());
  *out = *made;
  return absl::OkStatus();
}

TEST(StatusTest, MacrosPassErrorsOn) {
  int out = 0;
  EXPECT_TRUE(absl::IsNotFound(Use(false, &out)));
  EXPECT_EQ(out, 0);
  EXPECT_TRUE(Use(true, &out).ok());
  EXPECT_EQ(out, 7);
}

TEST(StatusTest, ShownBytesAreQuotedEscapedAndCut) {
  EXPECT_EQ(Shown("key"), "\"key\"");
  EXPECT_EQ(Shown(std::string_view("a\0\"", 3)), "\"a\\x00\\\"\"");
  EXPECT_EQ(Shown(std::string(64, 'x')), "\"" + std::string(64, 'x') + "\"");
  EXPECT_EQ(Shown(std::string(65, 'x')), "\"" + std::string(64, 'x') + "... (65 bytes)\"");
}

}  // namespace
}  // namespace emdb
