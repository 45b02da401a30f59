#include "kv/read_state.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

std::shared_ptr<Memtable> NewMemtable() {
  auto table = Memtable::Create(std::make_shared<ArenaPool>(1 << 16), 1 << 16);
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

TEST(ReadStatesTest, ThereIsNoStateAtFirstNorAfterClose) {
  ReadStates states;
  EXPECT_EQ(states.current(), nullptr);
  EXPECT_EQ(states.Acquire(), nullptr);
  states.Update([](ReadState* state) { state->active = NewMemtable(); });
  EXPECT_NE(states.Acquire(), nullptr);
  states.Close();
  EXPECT_EQ(states.current(), nullptr);
  EXPECT_EQ(states.Acquire(), nullptr);
  states.Close();
}

TEST(ReadStatesTest, AnUpdateChangesACopy) {
  ReadStates states;
  states.Update([](ReadState* state) { state->active = NewMemtable(); });
  const std::shared_ptr<const ReadState> before = states.Acquire();
  states.Update([](ReadState* state) {
    state->frozen.push_back(state->active);
    state->active = NewMemtable();
  });
  const std::shared_ptr<const ReadState> after = states.Acquire();
  EXPECT_TRUE(before->frozen.empty());
  ASSERT_EQ(after->frozen.size(), 1u);
  EXPECT_EQ(after->frozen[0], before->active);
}

TEST(ReadStatesTest, AStateGoesAwayWithItsLastReader) {
  ReadStates states;
  std::weak_ptr<Memtable> table;
  states.Update([&table](ReadState* state) {
    state->active = NewMemtable();
    table = state->active;
  });
  std::shared_ptr<const ReadState> held = states.Acquire();
  states.Update([](ReadState* state) { state->active = NewMemtable(); });
  states.WaitForReaders();
  EXPECT_FALSE(table.expired());
  held.reset();
  EXPECT_TRUE(table.expired());
}

TEST(ReadStatesTest, ReadersUnderAGuardNeverSeeAStateThatIsGone) {
  ReadStates states;
  states.Update([](ReadState* state) { state->active = NewMemtable(); });
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&states, &stop] {
      while (!stop) {
        EpochGuard guard(states.epoch());
        ASSERT_TRUE(states.current()->active->empty());
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    states.Update([](ReadState* state) { state->active = NewMemtable(); });
    if (i % 10 == 0) states.WaitForReaders();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace emdb
