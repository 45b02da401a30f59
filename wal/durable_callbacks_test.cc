#include "wal/durable_callbacks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace emdb {
namespace {

TEST(DurableCallbacksTest, DueOnesComeInOrderOfSeqWithTheirStatus) {
  DurableCallbacks callbacks;
  std::vector<uint64_t> called;
  for (const uint64_t seq : {5, 1, 3, 9, 3}) {
    callbacks.Add(seq, [&called, seq](const absl::Status& status) {
      EXPECT_EQ(status.ok(), seq < 4);
      called.push_back(seq);
    });
  }
  callbacks.Complete(4, absl::OkStatus());
  callbacks.Complete(9, absl::DataLossError("x"));
  ASSERT_TRUE(callbacks.StartRunning());
  for (const auto& due : callbacks.TakeDue()) due.function(due.status);
  EXPECT_EQ(called, (std::vector<uint64_t>{1, 3, 3, 5}));
  EXPECT_TRUE(callbacks.TakeDue().empty());
  callbacks.StopRunning();
  callbacks.Complete(UINT64_MAX, absl::DataLossError("x"));
  for (const auto& due : callbacks.TakeDue()) due.function(due.status);
  EXPECT_EQ(called.back(), 9u);
}

TEST(DurableCallbacksTest, OneRunsAtATime) {
  DurableCallbacks callbacks;
  const auto nothing = [](const absl::Status&) {};
  EXPECT_FALSE(callbacks.StartRunning());
  callbacks.Add(1, nothing);
  EXPECT_FALSE(callbacks.StartRunning());
  callbacks.Complete(2, absl::OkStatus());
  EXPECT_TRUE(callbacks.StartRunning());
  EXPECT_FALSE(callbacks.StartRunning());
  EXPECT_EQ(callbacks.TakeDue().size(), 1u);
  EXPECT_FALSE(callbacks.Waits());
  // What becomes due meanwhile waits until it stops.
  callbacks.Add(2, nothing);
  callbacks.Complete(3, absl::OkStatus());
  EXPECT_FALSE(callbacks.Waits());
  EXPECT_FALSE(callbacks.StartRunning());
  callbacks.StopRunning();
  EXPECT_TRUE(callbacks.Waits());
  EXPECT_TRUE(callbacks.StartRunning());
  EXPECT_EQ(callbacks.TakeDue().size(), 1u);
  callbacks.StopRunning();
  EXPECT_FALSE(callbacks.Waits());
  EXPECT_FALSE(callbacks.StartRunning());
}

}  // namespace
}  // namespace emdb
