// Every sequence of a few operations on a log: appends of three sizes, rotations, truncations,
// flushes, closing and opening it again, and a write that fails half way at the next opportunity.
// After each of them the process is killed, and the power cut, and the log must hold what it says
// it holds.
//
// The longest sequences have EMDB_LENGTH operations.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";
// a: a record that fits anywhere. A: one that is written past the buffer. B: one that needs a
// segment of its own size.
constexpr std::string_view kOperations = "aABRTFCx";

// The second half of each is zeros, as are the bytes of a new file: cut off half way, a record
// looks whole.
std::string RecordOf(char operation, uint64_t n) {
  const size_t size = operation == 'a' ? 200 : operation == 'A' ? 34'000 : 70'000;
  std::string record = std::to_string(n) + " ";
  record.resize(size / 2, static_cast<char>('a' + n % 26));
  record.resize(size, '\0');
  return record;
}

// What a log may hold after its process has ended.
struct Expected {
  std::map<uint64_t, std::string> appended;
  // The last record whose append failed, if nothing was appended since: it may be there.
  std::string failed;
  uint64_t next_seq = 0;     // what is appended next would get this, or is void
  uint64_t durable_seq = 0;  // what is below is there after a power cut, too
  uint64_t first_seq = 0;    // what is below may be gone, as was asked for
};

std::unique_ptr<Wal> OpenAgain(FaultEnv* env, FlushPolicy policy) {
  absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(kPath, SmallLog(env, policy));
  // What fails, fails once.
  return wal.ok() ? *std::move(wal) : OpenLog(kPath, SmallLog(env, policy));
}

// A record whose append failed is there from now on, or never.
void NoteFound(const std::map<uint64_t, std::string>& found, Expected* expected) {
  for (const auto& [seq, record] : found) {
    if (record == expected->failed) expected->appended.emplace(seq, record);
  }
  expected->failed.clear();
}

Expected Live(FaultEnv* env, FlushPolicy policy, std::string_view operations) {
  Expected expected;
  std::unique_ptr<Wal> wal = OpenLog(kPath, SmallLog(env, policy));
  uint64_t n = 0;
  for (const char operation : operations) {
    switch (operation) {
      case 'R':
        wal->Rotate().status().IgnoreError();
        break;
      case 'T':
        expected.first_seq = wal->next_seq();
        wal->TruncateBefore(wal->next_seq()).IgnoreError();
        break;
      case 'F':
        wal->Flush().IgnoreError();
        break;
      case 'C':
        wal->Close().IgnoreError();
        wal = OpenAgain(env, policy);
        NoteFound(ReadLog(wal.get()), &expected);
        break;
      case 'x': {
        FaultRule rule;
        rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; };
        rule.count = 1;
        rule.short_write = true;
        // One that is done with would keep this one from its turn.
        env->ClearRules();
        env->AddRule(rule);
        break;
      }
      default: {
        const std::string record = RecordOf(operation, n++);
        const absl::StatusOr<uint64_t> seq = wal->Append(record);
        expected.failed = seq.ok() ? "" : record;
        if (seq.ok()) expected.appended.emplace(*seq, record);
      }
    }
  }
  expected.next_seq = wal->next_seq();
  expected.durable_seq = wal->durable_seq();
  // The process does nothing to the disk any more.
  env->ClearRules();
  env->AddRule({.matches = [](FileOp op, std::string_view) { return IsNumbered(op); }});
  return expected;
}

// "", or what is wrong with what is found.
std::string Compare(const std::map<uint64_t, std::string>& found, const Expected& expected,
                    uint64_t first_seq, uint64_t sure_below) {
  if (first_seq > expected.first_seq) return "more is truncated than was asked for";
  for (const auto& [seq, record] : expected.appended) {
    const auto at = found.find(seq);
    if (at == found.end() && seq >= first_seq && seq < sure_below) {
      return "record " + std::to_string(seq) + " is lost";
    }
  }
  bool has_hole = false;
  for (const auto& [seq, record] : expected.appended) {
    if (seq < first_seq) continue;
    if (found.contains(seq) && has_hole) {
      return "record " + std::to_string(seq) + " is behind one that is lost";
    }
    has_hole = has_hole || !found.contains(seq);
  }
  for (const auto& [seq, record] : found) {
    const auto at = expected.appended.find(seq);
    const bool is_appended = at != expected.appended.end() && at->second == record;
    if (!is_appended && (record != expected.failed || record.empty())) {
      return "record " + std::to_string(seq) + " was never appended";
    }
  }
  return "";
}

std::string CheckAfter(const DiskImage& image, FlushPolicy policy, const Expected& expected,
                       uint64_t sure_below) {
  FaultEnv env(image);
  const absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(kPath, SmallLog(&env, policy));
  if (!wal.ok()) return "opening: " + wal.status().ToString();
  const std::map<uint64_t, std::string> found = ReadLog(wal->get());
  std::string wrong = Compare(found, expected, (*wal)->first_seq(), sure_below);
  if (!wrong.empty()) return wrong;
  // It goes on.
  const absl::StatusOr<uint64_t> seq = (*wal)->Append("more");
  if (!seq.ok() || !(*wal)->Flush().ok()) return "it does not go on";
  FaultEnv after(env.SyncedImage());
  const absl::StatusOr<std::unique_ptr<Wal>> again = Wal::Open(kPath, SmallLog(&after, policy));
  if (!again.ok()) return "opening again: " + again.status().ToString();
  std::map<uint64_t, std::string> with_more = found;
  with_more[*seq] = "more";
  return ReadLog(again->get()) == with_more ? ""
                                            : "what was added, or there before it, is not there";
}

#if defined(__SANITIZE_THREAD__)
constexpr uint64_t kLongest = 3;  // thirty times slower
#else
constexpr uint64_t kLongest = 4;
#endif

uint64_t Longest() {
  const char* const text = std::getenv("EMDB_LENGTH");
  return text == nullptr ? kLongest : std::strtoull(text, nullptr, 10);
}

class WalSequencesTest : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(, WalSequencesTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "OnEachWrite" : "Manual"; });

TEST_P(WalSequencesTest, ALogHoldsWhatItSays) {
  const FlushPolicy policy = GetParam() ? FlushPolicy::OnEachWrite() : FlushPolicy::Manual();
  uint64_t sequences = 0;
  for (uint64_t length = 1, count = kOperations.size(); length <= Longest();
       ++length, count *= kOperations.size()) {
    for (uint64_t i = 0; i < count; ++i) {
      std::string operations;
      for (uint64_t rest = i; operations.size() < length; rest /= kOperations.size()) {
        operations += kOperations[rest % kOperations.size()];
      }
      // What fails must be followed by something that can.
      if (operations.back() == 'x') continue;
      FaultEnv env;
      const Expected expected = Live(&env, policy, operations);
      ++sequences;
      ASSERT_EQ(CheckAfter(env.FullImage(), policy, expected, UINT64_MAX), "")
          << operations << ", killed";
      ASSERT_EQ(CheckAfter(env.SyncedImage(), policy, expected, expected.durable_seq), "")
          << operations << ", power cut, nothing that was not synced";
      RandomChooser chooser(i);
      ASSERT_EQ(CheckAfter(env.CrashImage(&chooser), policy, expected, expected.durable_seq), "")
          << operations << ", power cut, seed " << i;
    }
  }
  std::printf("%llu sequences\n", static_cast<unsigned long long>(sequences));
}

}  // namespace
}  // namespace emdb
