#include "storage/crash_chooser.h"

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
  const size_t pieces = std::exchange(asked_, 0);
  const bool has_choice = pattern_ != Pattern::kAllLost && pattern_ != Pattern::kAllKept;
  if (has_choice && ++chosen_ < pieces) return true;
  chosen_ = 0;
  // Of a single piece, and of none, there is nothing that the first two did not show.
  if (pattern_ == Pattern::kFirstKept || (pattern_ == Pattern::kAllKept && pieces < 2))
    return false;
  pattern_ = static_cast<Pattern>(static_cast<int>(pattern_) + 1);
  return true;
}

bool SystematicChooser::IsKept(size_t piece) const {
  switch (pattern_) {
    case Pattern::kAllLost:
      return false;
    case Pattern::kAllKept:
      return true;
    case Pattern::kOneLost:
      return piece != chosen_;
    case Pattern::kOneKept:
      return piece == chosen_;
    case Pattern::kFirstLost:
      return piece > chosen_;
    case Pattern::kFirstKept:
      return piece <= chosen_;
  }
  EMDB_CHECK(false);
}

}  // namespace emdb
