#include "kv/pacer.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace emdb {

double Pacer::Excess() const {
  EpochGuard guard(parts_.states->epoch());
  const ReadState* const state = parts_.states->current();
  if (state == nullptr) return 0;
  const double fill =
      static_cast<double>(state->active->memory_bytes()) / static_cast<double>(memtable_size_);
  return fill - parts_.checkpointer->progress() - kLead;
}

void Pacer::Slow(size_t bytes) const {
  double excess = Excess();
  if (excess <= 0) return;
  const uint64_t start = parts_.env->NowNanos();
  const size_t most_sleeps = (bytes / kPieceBytes + 1) * kSleepsPerPiece;
  for (size_t i = 0; i < most_sleeps && excess > 0 && parts_.checkpointer->is_merging(); ++i) {
    const uint64_t span = kLongestSleepMicros - kShortestSleepMicros;
    const uint64_t micros =
        kShortestSleepMicros +
        static_cast<uint64_t>(std::min(excess * 10, 1.0) * static_cast<double>(span));
    std::this_thread::sleep_for(std::chrono::microseconds(micros));
    excess = Excess();
  }
  parts_.statistics->write_stalls.Add();
  parts_.statistics->write_stall_nanos.Add(parts_.env->NowNanos() - start);
}

}  // namespace emdb
