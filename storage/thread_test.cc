#include "storage/thread.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <string>
#include <thread>

#include "absl/status/status.h"
#include "storage/no_new_threads.h"

namespace emdb {
namespace {

TEST(StartThreadTest, TheThreadRuns) {
  bool has_run = false;
  absl::StatusOr<std::thread> thread = StartThread("test", [&has_run] { has_run = true; });
  ASSERT_TRUE(thread.ok()) << thread.status();
  thread->join();
  EXPECT_TRUE(has_run);
}

TEST(StartThreadTest, TheSystemKnowsItsName) {
  std::string name(16, '\0');
  absl::StatusOr<std::thread> thread = StartThread("log flusher", [&name] {
    EXPECT_EQ(pthread_getname_np(pthread_self(), name.data(), name.size()), 0);
  });
  ASSERT_TRUE(thread.ok()) << thread.status();
  thread->join();
  EXPECT_STREQ(name.c_str(), "emdb log flushe");
}

TEST(StartThreadTest, OneThatCannotBeStartedIsResourceExhaustedAndSaysWhichAndWhy) {
  bool has_run = false;
  const auto run = [&has_run] { has_run = true; };
  {
    const NoNewThreads none;
    const absl::Status failed = StartThread("log flusher", run).status();
    EXPECT_EQ(failed.code(), absl::StatusCode::kResourceExhausted) << failed;
    const std::string message(failed.message());
    EXPECT_NE(message.find("log flusher"), std::string::npos) << message;
    EXPECT_NE(message.find("Resource temporarily unavailable"), std::string::npos) << message;
    EXPECT_NE(message.find("ulimit -u"), std::string::npos) << message;
  }
  EXPECT_FALSE(has_run);
  absl::StatusOr<std::thread> thread = StartThread("log flusher", run);
  ASSERT_TRUE(thread.ok()) << thread.status();
  thread->join();
  EXPECT_TRUE(has_run);
}

}  // namespace
}  // namespace emdb
