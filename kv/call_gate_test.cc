#include "kv/call_gate.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(CallGateTest, LetsInUntilShut) {
  CallGate gate;
  EXPECT_TRUE(CallGate::Pass(&gate));
  EXPECT_TRUE(gate.Shut());
  EXPECT_FALSE(CallGate::Pass(&gate));
  EXPECT_FALSE(gate.Shut());
  EXPECT_TRUE(gate.WaitUntilIdle(std::chrono::nanoseconds(1)));
}

TEST(CallGateTest, IsNotIdleWhileACallIsInside) {
  CallGate gate;
  auto pass = std::make_unique<CallGate::Pass>(&gate);
  CallGate::Pass moved(std::move(*pass));
  pass.reset();
  gate.Shut();
  EXPECT_FALSE(gate.WaitUntilIdle(std::chrono::nanoseconds(1)));
  { CallGate::Pass last(std::move(moved)); }
  EXPECT_TRUE(gate.WaitUntilIdle(std::chrono::nanoseconds(1)));
}

TEST(CallGateTest, WaitsForEveryThread) {
  auto gate = std::make_unique<CallGate>();
  std::atomic<int> inside{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&gate, &inside] {
      for (;;) {
        CallGate::Pass pass(gate.get());
        if (!pass) return;
        inside++;
        inside--;
      }
    });
  }
  gate->Shut();
  while (!gate->WaitUntilIdle(std::chrono::seconds(1))) {
  }
  EXPECT_EQ(inside, 0);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace emdb
