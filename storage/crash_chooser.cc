#include "storage/crash_chooser.h"

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

}  // namespace emdb
