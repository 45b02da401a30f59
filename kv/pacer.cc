#include "kv/pacer.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace emdb {

double Pacer::CurrentExcess() const {
  EpochGuard guard(parts_.states->epoch());
  const ReadState* const state = parts_.states->current();
  if (state == nullptr) return 0;
  const double fill =
      static_cast<double>(state->active->memory_bytes()) / static_cast<double>(memtable_size_);
  return Excess(fill, parts_.checkpointer->progress());
}

uint64_t Pacer::SleepMicros(double excess) {
  constexpr uint64_t kSpan = kLongestSleepMicros - kShortestSleepMicros;
  const double part = std::clamp(excess * 10, 0.0, 1.0);
  return kShortestSleepMicros + static_cast<uint64_t>(part * static_cast<double>(kSpan));
}

void Pacer::Slow(size_t bytes) const {
  double excess = CurrentExcess();
  if (excess <= 0) return;
  const uint64_t start = parts_.env->NowNanos();
  const size_t most_sleeps = MostSleeps(bytes);
  for (size_t i = 0; i < most_sleeps && excess > 0 && parts_.checkpointer->is_merging(); ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(SleepMicros(excess)));
    excess = CurrentExcess();
  }
  parts_.statistics->write_stalls.Record(parts_.env->NowNanos() - start);
}

}  // namespace emdb
