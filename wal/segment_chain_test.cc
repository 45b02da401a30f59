#include "wal/segment_chain.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "wal/log_files.h"
#include "wal/segment.h"

namespace emdb {
namespace {

constexpr uint64_t kCapacity = 61440;

class SegmentChainTest : public testing::Test {
 protected:
  SegmentChainTest() : files_(*LogFiles::Open(&env_, "/d/log")) {}

  // Puts a segment with `header` in place of `old`.
  std::shared_ptr<Segment> Install(Segment* old, const SegmentHeader& header,
                                   bool is_first = false) {
    std::shared_ptr<Segment> segment =
        *Segment::Create(&env_, files_->NewSparePath(), kCapacity, Segment::Access::kBuffered);
    segment->Renew(header, is_first);
    EXPECT_EQ(segment->WriteBlock(), absl::OkStatus());
    EXPECT_EQ(segment->Sync(), absl::OkStatus());
    EXPECT_EQ(InstallSegment(files_.get(), old, segment.get()), absl::OkStatus());
    return segment;
  }

  // Three segments, from seqs 0, 10 and 20.
  void InstallThree() {
    const SegmentHeader first = {.salt = 1, .number = 1, .capacity_bytes = kCapacity};
    const auto a = Install(nullptr, first, true);
    const auto b = Install(a.get(), HeaderAfter(first, {1000, 10}, 2, kCapacity));
    Install(b.get(), HeaderAfter(b->header(), {6000, 20}, 3, kCapacity));
  }

  absl::StatusOr<SegmentChain> OpenAll(std::optional<StoreId> id = std::nullopt) {
    return OpenChain(files_.get(), *files_->List(), Segment::Access::kReadOnly, id);
  }

  FaultEnv env_;
  const std::unique_ptr<LogFiles> files_;
};

TEST_F(SegmentChainTest, HeaderAfterNamesTheSegmentBefore) {
  const SegmentHeader old = {
      .salt = 1, .number = 4, .first_seq = 7, .base_lsn = 4096, .capacity_bytes = kCapacity};
  const SegmentHeader next = HeaderAfter(old, {5000, 9}, 2, 8192);
  EXPECT_EQ(next.number, 5u);
  EXPECT_EQ(next.salt, 2u);
  EXPECT_EQ(next.first_seq, 9u);
  EXPECT_EQ(next.base_lsn, 8192u);
  EXPECT_EQ(next.capacity_bytes, 8192u);
  EXPECT_EQ(next.prev_salt, 1u);
  EXPECT_EQ(next.prev_end_lsn, 5000u);
  EXPECT_FALSE(Replaces(next, old));
}

TEST_F(SegmentChainTest, SegmentWithoutRecordsIsReplaced) {
  const SegmentHeader old = {.salt = 1,
                             .number = 4,
                             .first_seq = 7,
                             .base_lsn = 4096,
                             .capacity_bytes = kCapacity,
                             .prev_salt = 9,
                             .prev_end_lsn = 4000};
  const SegmentHeader next = HeaderAfter(old, {4120, 7}, 2, kCapacity);
  EXPECT_TRUE(Replaces(next, old));
  EXPECT_EQ(next.prev_salt, 9u);
  EXPECT_EQ(next.prev_end_lsn, 4000u);
}

TEST_F(SegmentChainTest, ChainIsFoundInOrder) {
  InstallThree();
  const SegmentChain chain = *OpenAll();
  ASSERT_EQ(chain.segments.size(), 3u);
  EXPECT_EQ(chain.segments[0]->path(), files_->SealedPath(0));
  EXPECT_EQ(chain.segments[0]->state().mark, SegmentMark::kSealed);
  EXPECT_EQ(chain.segments[0]->state().end_seq, 10u);
  EXPECT_EQ(chain.segments[1]->header().first_seq, 10u);
  EXPECT_EQ(chain.segments[2]->path(), files_->ActivePath());
  EXPECT_TRUE(chain.superseded.empty());
}

TEST_F(SegmentChainTest, SegmentsInFrontOfTheFirstAreSuperseded) {
  InstallThree();
  {
    const auto second = *Segment::Open(&env_, files_->SealedPath(10), Segment::Access::kBuffered);
    ASSERT_EQ(second->ChangeState([](SegmentState* state) { state->is_first = true; }),
              absl::OkStatus());
  }
  const SegmentChain chain = *OpenAll();
  EXPECT_EQ(chain.segments.size(), 2u);
  EXPECT_EQ(chain.superseded, (std::vector<std::string>{files_->SealedPath(0)}));
}

TEST_F(SegmentChainTest, MissingSegmentsAreDataLoss) {
  for (const std::string& path :
       {files_->SealedPath(0), files_->SealedPath(10), files_->ActivePath()}) {
    InstallThree();
    ASSERT_EQ(env_.Remove(path), absl::OkStatus());
    EXPECT_TRUE(absl::IsDataLoss(OpenAll().status())) << path;
  }
}

TEST_F(SegmentChainTest, SegmentThatFollowsOneWithoutRecordsIsDataLoss) {
  InstallThree();
  const auto second = *Segment::Open(&env_, files_->SealedPath(10), Segment::Access::kBuffered);
  SegmentHeader forged = HeaderAfter(second->header(), {6000, 20}, 3, kCapacity);
  forged.first_seq = 10;
  const auto active = *Segment::Open(&env_, files_->ActivePath(), Segment::Access::kBuffered);
  active->Renew(forged, false);
  ASSERT_EQ(active->WriteBlock(), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(OpenAll().status()));
}

TEST_F(SegmentChainTest, SegmentOfAnotherNumberThatFitsOtherwiseIsDataLoss) {
  InstallThree();
  const auto active = *Segment::Open(&env_, files_->ActivePath(), Segment::Access::kBuffered);
  SegmentHeader forged = active->header();
  ++forged.number;
  active->Renew(forged, false);
  ASSERT_EQ(active->WriteBlock(), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(OpenAll().status()));
}

TEST_F(SegmentChainTest, SegmentThatNamesAnotherOneBeforeItIsDataLoss) {
  const auto with_last = [this](auto change) {
    InstallThree();
    const auto active = *Segment::Open(&env_, files_->ActivePath(), Segment::Access::kBuffered);
    SegmentHeader forged = active->header();
    change(&forged);
    active->Renew(forged, false);
    EXPECT_EQ(active->WriteBlock(), absl::OkStatus());
    return OpenAll().status();
  };
  // The second one is [4096, 65536) of the stream, from seq 10.
  EXPECT_EQ(with_last([](auto*) {}), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(with_last([](auto* h) { h->prev_salt = 77; })));
  EXPECT_TRUE(absl::IsDataLoss(with_last([](auto* h) { h->prev_end_lsn = 4088; })));
  EXPECT_TRUE(absl::IsDataLoss(with_last([](auto* h) {
    h->base_lsn = 69632;
    h->prev_end_lsn = 65544;
  })));
  EXPECT_TRUE(absl::IsDataLoss(with_last([](auto* h) { h->first_seq = 9; })));
}

TEST_F(SegmentChainTest, ActiveSegmentThatIsOlderThanASealedOneIsDataLoss) {
  InstallThree();
  // The last one under the name of a sealed segment, the one before it as the active one: a chain,
  // but for the names.
  ASSERT_EQ(env_.Rename(files_->ActivePath(), files_->SealedPath(20)), absl::OkStatus());
  EXPECT_TRUE(OpenAll().ok());
  ASSERT_EQ(env_.Rename(files_->SealedPath(10), files_->ActivePath()), absl::OkStatus());
  const absl::Status status = OpenAll().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("older"), absl::string_view::npos) << status;
}

TEST_F(SegmentChainTest, SealedSegmentUnderTheNameOfAnotherIsDataLoss) {
  InstallThree();
  ASSERT_EQ(env_.Rename(files_->SealedPath(10), files_->SealedPath(11)), absl::OkStatus());
  const absl::Status status = OpenAll().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("its name says 11"), absl::string_view::npos) << status;
}

TEST_F(SegmentChainTest, OtherStoreIsRefused) {
  InstallThree();
  EXPECT_TRUE(OpenAll(StoreId{}).ok());
  const absl::Status status = OpenAll(StoreId{1}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(SegmentChainTest, CrashBetweenTheRenamesLeavesAChain) {
  const SegmentHeader first = {.salt = 1, .number = 1, .capacity_bytes = kCapacity};
  Install(nullptr, first, true);
  ASSERT_EQ(env_.Rename(files_->ActivePath(), files_->SealedPath(0)), absl::OkStatus());
  EXPECT_EQ(OpenAll()->segments.size(), 1u);
}

}  // namespace
}  // namespace emdb
