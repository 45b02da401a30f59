#include "kv/history.h"

#include <utility>

#include "gtest/gtest.h"

namespace emdb {
namespace {

using Kind = Operation::Kind;

Operation Write(uint64_t begin, uint64_t end, std::vector<Cell> cells) {
  return {.kind = Kind::kWrite, .begin = begin, .end = end, .cells = std::move(cells)};
}

Operation DurableWrite(uint64_t begin, uint64_t end, std::vector<Cell> cells) {
  Operation write = Write(begin, end, std::move(cells));
  write.durable = true;
  return write;
}

Operation Read(uint64_t begin, uint64_t end, std::vector<Cell> cells) {
  return {.kind = Kind::kRead, .begin = begin, .end = end, .cells = std::move(cells)};
}

Operation ReadOfState(uint64_t seq, std::vector<Cell> cells) {
  Operation read = Read(0, 100, std::move(cells));
  read.state_seq = seq;
  return read;
}

Operation PowerCut(std::vector<Cell> cells) {
  return {.kind = Kind::kPowerCut, .cells = std::move(cells)};
}

Verdict::Kind Check(const std::vector<Operation>& history) {
  return CheckLinearizable(history, {0, 0, 0}).kind;
}

constexpr Verdict::Kind kLinearizable = Verdict::Kind::kLinearizable;
constexpr Verdict::Kind kViolation = Verdict::Kind::kViolation;
constexpr uint64_t kNever = Operation::kNever;

TEST(HistoryTest, NothingIsLinearizable) { EXPECT_EQ(Check({}), kLinearizable); }

TEST(HistoryTest, ReadOfTheLastWriteIsAccepted) {
  const Verdict verdict =
      CheckLinearizable({Write(1, 2, {{0, 5}}), Read(3, 4, {{0, 5}})}, {0, 0, 0});
  EXPECT_EQ(verdict.kind, kLinearizable);
  EXPECT_EQ(verdict.state, (std::vector<uint64_t>{5, 0, 0}));
}

TEST(HistoryTest, ReadOfAnOverwrittenValueIsAViolation) {
  EXPECT_EQ(Check({Write(1, 2, {{0, 5}}), Write(3, 4, {{0, 6}}), Read(5, 6, {{0, 5}})}),
            kViolation);
}

TEST(HistoryTest, ReadThatMissesAFinishedWriteIsAViolation) {
  EXPECT_EQ(Check({Write(1, 2, {{0, 5}}), Read(3, 4, {{0, 0}})}), kViolation);
}

TEST(HistoryTest, ReadOfWhatWasDeletedIsAViolation) {
  EXPECT_EQ(Check({Write(1, 2, {{0, 5}}), Write(3, 4, {{0, 0}}), Read(5, 6, {{0, 5}})}),
            kViolation);
}

TEST(HistoryTest, ReadOfAFutureWriteIsAViolation) {
  EXPECT_EQ(Check({Read(1, 2, {{0, 5}}), Write(3, 4, {{0, 5}})}), kViolation);
}

TEST(HistoryTest, ReadOfAnInventedValueIsAViolationThatNamesIt) {
  const Verdict verdict = CheckLinearizable({Read(1, 2, {{1, 77}})}, {0, 0, 0});
  EXPECT_EQ(verdict.kind, kViolation);
  EXPECT_NE(verdict.explanation.find("key 1 was read as 77"), std::string::npos);
}

TEST(HistoryTest, ReadOfAValueOfAnotherKeyIsAViolation) {
  EXPECT_EQ(Check({Write(1, 2, {{0, 5}}), Read(3, 4, {{1, 5}})}), kViolation);
}

TEST(HistoryTest, ReadDuringAWriteMaySeeItOrNot) {
  EXPECT_EQ(Check({Write(1, 10, {{0, 5}}), Read(2, 3, {{0, 0}})}), kLinearizable);
  EXPECT_EQ(Check({Write(1, 10, {{0, 5}}), Read(2, 3, {{0, 5}})}), kLinearizable);
}

TEST(HistoryTest, WriteThatWasSeenStaysSeen) {
  EXPECT_EQ(Check({Write(1, 10, {{0, 5}}), Read(2, 3, {{0, 5}}), Read(4, 5, {{0, 0}})}),
            kViolation);
}

TEST(HistoryTest, TwoReadersMustAgreeOnTheOrderOfTwoWrites) {
  const Operation a = Write(1, 10, {{0, 5}});
  const Operation b = Write(1, 10, {{0, 6}});
  EXPECT_EQ(Check({a, b, Read(2, 3, {{0, 5}}), Read(4, 5, {{0, 6}})}), kLinearizable);
  EXPECT_EQ(Check({a, b, Read(2, 3, {{0, 6}}), Read(4, 5, {{0, 5}})}), kLinearizable);
  EXPECT_EQ(Check({a, b, Read(2, 3, {{0, 5}}), Read(4, 5, {{0, 6}}), Read(6, 7, {{0, 5}})}),
            kViolation);
}

TEST(HistoryTest, TwoReadersMustAgreeOnTheOrderOfWritesToTwoKeys) {
  const Operation a = Write(1, 10, {{0, 5}});
  const Operation b = Write(1, 10, {{1, 6}});
  EXPECT_EQ(Check({a, b, Read(2, 9, {{0, 5}, {1, 0}}), Read(2, 9, {{0, 0}, {1, 6}})}), kViolation);
}

TEST(HistoryTest, HalfABatchIsAViolation) {
  const Operation batch = Write(1, 10, {{0, 5}, {1, 6}});
  EXPECT_EQ(Check({batch, Read(2, 3, {{0, 5}, {1, 6}})}), kLinearizable);
  EXPECT_EQ(Check({batch, Read(2, 3, {{0, 0}, {1, 0}})}), kLinearizable);
  EXPECT_EQ(Check({batch, Read(2, 3, {{0, 5}, {1, 0}})}), kViolation);
  EXPECT_EQ(Check({batch, Read(2, 3, {{0, 5}}), Read(4, 5, {{1, 0}})}), kViolation);
}

TEST(HistoryTest, ScanThatMixesTwoStatesIsAViolation) {
  EXPECT_EQ(Check({Write(1, 2, {{0, 5}}), Write(3, 4, {{0, 6}}), Write(5, 6, {{1, 7}}),
                   Read(1, 9, {{0, 5}, {1, 7}})}),
            kViolation);
}

TEST(HistoryTest, InitialValuesCount) {
  EXPECT_EQ(CheckLinearizable({Read(1, 2, {{0, 9}})}, {9}).kind, kLinearizable);
  EXPECT_EQ(CheckLinearizable({Read(1, 2, {{0, 0}})}, {9}).kind, kViolation);
}

TEST(HistoryTest, SnapshotsAreInTheOrderOfTheirNumbers) {
  const Operation write = Write(1, 99, {{0, 5}});
  EXPECT_EQ(Check({write, ReadOfState(3, {{0, 0}}), ReadOfState(4, {{0, 5}})}), kLinearizable);
  EXPECT_EQ(Check({write, ReadOfState(4, {{0, 0}}), ReadOfState(3, {{0, 5}})}), kViolation);
}

TEST(HistoryTest, FailedWriteMayHaveHappenedOrNot) {
  const Operation failed = Write(1, kNever, {{0, 5}});
  EXPECT_EQ(Check({failed, Read(8, 9, {{0, 5}})}), kLinearizable);
  EXPECT_EQ(Check({failed, Read(8, 9, {{0, 0}})}), kLinearizable);
  EXPECT_EQ(Check({failed, Read(6, 7, {{0, 5}}), Read(8, 9, {{0, 0}})}), kViolation);
}

TEST(HistoryTest, PowerCutMayTakeBackTheLastUnsyncedWrites) {
  const Operation first = Write(1, 2, {{0, 5}});
  const Operation second = Write(3, 4, {{1, 6}});
  EXPECT_EQ(Check({first, second, PowerCut({{0, 0}, {1, 0}})}), kLinearizable);
  EXPECT_EQ(Check({first, second, PowerCut({{0, 5}, {1, 0}})}), kLinearizable);
  EXPECT_EQ(Check({first, second, PowerCut({{0, 5}, {1, 6}})}), kLinearizable);
}

TEST(HistoryTest, PowerCutThatLeavesNoPrefixIsAViolation) {
  EXPECT_EQ(Check({Write(1, 2, {{0, 5}}), Write(3, 4, {{1, 6}}), PowerCut({{0, 0}, {1, 6}})}),
            kViolation);
}

TEST(HistoryTest, PowerCutThatTakesBackASyncedWriteIsAViolation) {
  EXPECT_EQ(Check({DurableWrite(1, 2, {{0, 5}}), PowerCut({{0, 0}})}), kViolation);
  EXPECT_EQ(
      Check({Write(1, 2, {{1, 4}}), DurableWrite(3, 4, {{0, 5}}), PowerCut({{0, 5}, {1, 0}})}),
      kViolation);
}

TEST(HistoryTest, PowerCutThatTakesBackWhatAReaderSawOfASyncedWriteIsAViolation) {
  const Operation unfinished = DurableWrite(1, kNever, {{0, 5}});
  EXPECT_EQ(Check({unfinished, PowerCut({{0, 0}})}), kLinearizable);
  EXPECT_EQ(Check({unfinished, PowerCut({{0, 5}})}), kLinearizable);
  EXPECT_EQ(Check({unfinished, Read(2, 3, {{0, 5}}), PowerCut({{0, 5}})}), kLinearizable);
  EXPECT_EQ(Check({unfinished, Read(2, 3, {{0, 5}}), PowerCut({{0, 0}})}), kViolation);
}

TEST(HistoryTest, ViolationShowsWhatIsLeftOver) {
  const Verdict verdict =
      CheckLinearizable({Write(1, 2, {{0, 5}}), Read(3, 4, {{0, 0}})}, {0, 0, 0});
  EXPECT_EQ(verdict.kind, kViolation);
  EXPECT_NE(verdict.explanation.find("read [3, 4] 0=absent"), std::string::npos);
}

TEST(HistoryTest, SearchThatIsCutShortSaysSo) {
  std::vector<Operation> history;
  for (uint64_t i = 0; i < 12; ++i) history.push_back(Write(1, 10, {{0, i + 1}}));
  history.push_back(Read(20, 21, {{1, 0}}));
  EXPECT_EQ(CheckLinearizable(history, {0, 0, 0}, 3).kind, Verdict::Kind::kUndecided);
}

}  // namespace
}  // namespace emdb
