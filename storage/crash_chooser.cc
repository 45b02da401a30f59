#include "storage/crash_chooser.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"
#include "storage/splitmix.h"

namespace emdb {

RandomChooser::RandomChooser(uint64_t seed) : state_(seed), lost_of_256_(0) {
  constexpr uint64_t kLittleHalfMost[] = {16, 128, 240};
  lost_of_256_ = kLittleHalfMost[SplitMix64(&state_) % 3];
}

uint32_t RandomChooser::Choose(uint32_t n) {
  const uint64_t random = SplitMix64(&state_);
  if (random % 256 < lost_of_256_) return 0;
  return 1 + static_cast<uint32_t>((random >> 8) % (n - 1));
}

uint32_t ExhaustiveChooser::Choose(uint32_t n) {
  if (asked_ == answers_.size()) answers_.push_back({0, n});
  const Answer& answer = answers_[asked_++];
  EMDB_CHECK(answer.bound == n);
  return answer.value;
}

bool ExhaustiveChooser::Next() {
  asked_ = 0;
  // An odometer, the last question turning fastest. What comes behind the one that advances may be
  // asked anew.
  while (!answers_.empty() && answers_.back().value + 1 == answers_.back().bound) {
    answers_.pop_back();
  }
  if (answers_.empty()) return false;
  ++answers_.back().value;
  return true;
}

uint32_t SystematicChooser::Choose(uint32_t n) { return IsKept(asked_++) ? n - 1 : 0; }

bool SystematicChooser::Next() {
  pieces_ = std::max(pieces_, std::exchange(asked_, 0));
  switch (pattern_) {
    case Pattern::kAllLost:
      pattern_ = Pattern::kAllKept;
      return true;
    case Pattern::kAllKept:
      // Of a single piece, and of none, there is nothing that the first two did not show.
      if (pieces_ < 2) return false;
      pattern_ = Pattern::kRangeLost;
      end_ = 1;
      return true;
    case Pattern::kRangeLost:
    case Pattern::kRangeKept:
      return NextRange();
  }
  EMDB_CHECK(false);
}

bool SystematicChooser::NextRange() {
  // A range that is lost may begin and end anywhere, but is not all. If one that is kept reached to
  // the first piece or to the last, it would be the rest of one that is lost.
  const bool is_lost = pattern_ == Pattern::kRangeLost;
  const size_t last_end = is_lost && first_ > 0 ? pieces_ : pieces_ - 1;
  if (++end_ <= last_end) return true;
  if (++first_ < (is_lost ? pieces_ : pieces_ - 1)) {
    end_ = first_ + 1;
    return true;
  }
  if (!is_lost || pieces_ < 3) return false;
  pattern_ = Pattern::kRangeKept;
  first_ = 1;
  end_ = 2;
  return true;
}

bool SystematicChooser::IsKept(size_t piece) const {
  const bool is_inside = first_ <= piece && piece < end_;
  switch (pattern_) {
    case Pattern::kAllLost:
      return false;
    case Pattern::kAllKept:
      return true;
    case Pattern::kRangeLost:
      return !is_inside;
    case Pattern::kRangeKept:
      return is_inside;
  }
  EMDB_CHECK(false);
}

}  // namespace emdb
