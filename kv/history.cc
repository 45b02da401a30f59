#include "kv/history.h"

#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "storage/check.h"

namespace emdb {
namespace {

using Kind = Operation::Kind;

std::string Describe(const Operation& operation) {
  static constexpr const char* kNames[] = {"write", "read", "power cut"};
  std::string text =
      "thread " + std::to_string(operation.thread) + " " +
      kNames[static_cast<int>(operation.kind)] + " [" + std::to_string(operation.begin) + ", " +
      (operation.end == Operation::kNever ? "..." : std::to_string(operation.end)) + "]";
  for (const Cell& cell : operation.cells) {
    text += " " + std::to_string(cell.key) + "=" +
            (cell.value == Cell::kAbsent ? "absent" : std::to_string(cell.value));
  }
  return text + "\n";
}

// The depth-first search of J. Wing and C. Gong, "Testing and verifying concurrent objects", 1993,
// with the memory of configurations of G. Lowe, "Testing for linearizability", 2017.
//
// Two shortcuts, neither of which loses an order:
//  1. A read that may come next and sees the current state comes next: it changes nothing.
//  2. A write may not hide a value that a read has yet to see, as no value is written twice.
class Search {
 public:
  Search(const std::vector<Operation>& history, const std::vector<uint64_t>& initial,
         uint64_t max_steps)
      : history_(history), state_(initial), done_(history.size(), 0), steps_left_(max_steps) {
    for (size_t i = 0; i < history.size(); ++i) {
      by_end_.push_back(i);
      if (IsCertain(history[i])) ++certain_left_;
      if (history[i].kind == Kind::kWrite) continue;
      for (const Cell& cell : history[i].cells) ++readers_[{cell.key, cell.value}];
    }
    std::sort(by_end_.begin(), by_end_.end(),
              [&](size_t a, size_t b) { return history[a].end < history[b].end; });
    // A power cut has no end; where it fits it is likely to be right.
    candidates_ = by_end_;
    std::stable_partition(candidates_.begin(), candidates_.end(),
                          [&](size_t i) { return history[i].kind == Kind::kPowerCut; });
  }

  Verdict Run() {
    Verdict verdict;
    verdict.explanation = FindInvention();
    if (!verdict.explanation.empty()) {
      verdict.kind = Verdict::Kind::kViolation;
    } else if (Explore()) {
      verdict.state = state_;
    } else if (steps_left_ == 0) {
      verdict.kind = Verdict::Kind::kUndecided;
    } else {
      verdict.kind = Verdict::Kind::kViolation;
      verdict.explanation = deepest_;
    }
    return verdict;
  }

 private:
  // Whether it must be in the order.
  static bool IsCertain(const Operation& operation) {
    return operation.kind != Kind::kWrite || operation.end != Operation::kNever;
  }

  // A read of a value that was never written has a message of its own.
  std::string FindInvention() const {
    std::map<std::pair<uint32_t, uint64_t>, int> written;
    for (uint32_t key = 0; key < state_.size(); ++key) written[{key, state_[key]}] = 1;
    for (const Operation& operation : history_) {
      if (operation.kind != Kind::kWrite) continue;
      for (const Cell& cell : operation.cells) {
        const int times = ++written[{cell.key, cell.value}];
        EMDB_CHECK(times == 1 || cell.value == Cell::kAbsent);  // else reads would be ambiguous
      }
    }
    for (const auto& [cell, count] : readers_) {
      if (cell.second != Cell::kAbsent && !written.contains(cell)) {
        return "key " + std::to_string(cell.first) + " was read as " + std::to_string(cell.second) +
               ", which was never written to it";
      }
    }
    return "";
  }

  // Whether all that must be before operation `i` is in the order already.
  bool MayBeNext(size_t i) const {
    if (done_[i] != 0) return false;
    const Operation& candidate = history_[i];
    if (cut_ && candidate.kind == Kind::kWrite && candidate.durable) return false;
    for (const size_t other : by_end_) {
      if (history_[other].end >= candidate.begin) break;
      if (done_[other] == 0) return false;
    }
    if (!candidate.state_seq.has_value()) return true;
    return std::none_of(history_.begin(), history_.end(), [&](const Operation& other) {
      return done_[static_cast<size_t>(&other - history_.data())] == 0 &&
             other.state_seq.has_value() && *other.state_seq < *candidate.state_seq;
    });
  }

  bool SeesCurrentState(const Operation& read) const {
    return std::all_of(read.cells.begin(), read.cells.end(),
                       [&](const Cell& cell) { return state_[cell.key] == cell.value; });
  }

  bool HidesWhatIsYetToBeSeen(const Operation& write) const {
    return std::any_of(write.cells.begin(), write.cells.end(), [&](const Cell& cell) {
      const uint64_t current = state_[cell.key];
      if (current == Cell::kAbsent || current == cell.value) return false;
      const auto reader = readers_.find({cell.key, current});
      return reader != readers_.end() && reader->second > 0;
    });
  }

  // Nothing durable may be left for after the cut.
  bool LosesDurableWrite() const {
    for (size_t i = 0; i < history_.size(); ++i) {
      const Operation& write = history_[i];
      if (done_[i] == 0 && write.kind == Kind::kWrite && write.durable && IsCertain(write)) {
        return true;
      }
    }
    return false;
  }

  bool FitsNow(const Operation& operation) const {
    switch (operation.kind) {
      case Kind::kWrite:
        return !HidesWhatIsYetToBeSeen(operation);
      case Kind::kRead:
        return false;  // TakeReads has taken those that fit
      case Kind::kPowerCut:
        return SeesCurrentState(operation) && !LosesDurableWrite();
    }
    return false;
  }

  void CountReaders(const Operation& read, int change) {
    for (const Cell& cell : read.cells) readers_[{cell.key, cell.value}] += change;
  }

  // Puts every read that fits into the order, and returns them.
  std::vector<size_t> TakeReads() {
    std::vector<size_t> taken;
    bool again = true;
    while (again) {
      again = false;
      for (size_t i = 0; i < history_.size(); ++i) {
        if (history_[i].kind != Kind::kRead || !SeesCurrentState(history_[i]) || !MayBeNext(i)) {
          continue;
        }
        Mark(i, true);
        taken.push_back(i);
        again = true;  // what had to wait for it may follow
      }
    }
    return taken;
  }

  void Mark(size_t i, bool done) {
    const Operation& operation = history_[i];
    done_[i] = done ? 1 : 0;
    if (IsCertain(operation)) certain_left_ -= done ? 1 : -1;
    if (operation.kind == Kind::kPowerCut) cut_ = done;
    if (operation.kind != Kind::kWrite) CountReaders(operation, done ? -1 : 1);
  }

  // Tries everything that may come next; true with an order found.
  bool Explore() {
    const std::vector<size_t> reads = TakeReads();
    if (certain_left_ == 0) return true;
    RememberDeepest();
    if (steps_left_ > 0 && seen_.insert(Configuration()).second) {
      --steps_left_;
      for (const size_t i : candidates_) {
        if (MayBeNext(i) && FitsNow(history_[i]) && ExploreWith(i)) return true;
      }
    }
    for (const size_t i : reads) Mark(i, false);
    return false;
  }

  bool ExploreWith(size_t i) {
    std::vector<uint64_t> before = state_;
    Mark(i, true);
    if (history_[i].kind == Kind::kWrite) {
      for (const Cell& cell : history_[i].cells) state_[cell.key] = cell.value;
    }
    if (Explore()) return true;
    Mark(i, false);
    state_ = std::move(before);
    return false;
  }

  std::string Configuration() const {
    std::string bytes(done_.begin(), done_.end());
    bytes.append(reinterpret_cast<const char*>(state_.data()), state_.size() * sizeof(uint64_t));
    return bytes;
  }

  void RememberDeepest() {
    if (certain_left_ >= fewest_left_) return;
    fewest_left_ = certain_left_;
    deepest_ = "no order goes further than this state:";
    for (const uint64_t value : state_) deepest_ += " " + std::to_string(value);
    deepest_ += "\nleft over:\n";
    for (const size_t i : by_end_) {
      if (done_[i] == 0)
        deepest_ += (MayBeNext(i) ? "  next? " : "        ") + Describe(history_[i]);
    }
  }

  const std::vector<Operation>& history_;
  std::vector<uint64_t> state_;
  std::vector<char> done_;          // by operation: it is in the order
  std::vector<size_t> by_end_;      // the operations in the order of their ends
  std::vector<size_t> candidates_;  // in the order in which they are tried
  std::map<std::pair<uint32_t, uint64_t>, int> readers_;  // of a value, not yet in the order
  int64_t certain_left_ = 0;
  bool cut_ = false;
  std::unordered_set<std::string> seen_;
  uint64_t steps_left_;
  int64_t fewest_left_ = INT64_MAX;
  std::string deepest_;
};

}  // namespace

Verdict CheckLinearizable(const std::vector<Operation>& history,
                          const std::vector<uint64_t>& initial, uint64_t max_steps) {
  return Search(history, initial, max_steps).Run();
}

}  // namespace emdb
