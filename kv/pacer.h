// Pacer: slows writers a little while a checkpoint runs, so that they never have to stop for it.
//
// The fill of the active memtable may lead the measured progress of the running merge by kLead; a
// write that finds it further ahead sleeps a moment. Following what the merge has really done needs
// no estimate of when it will end, which would be wrong just when the machine slows down.

#ifndef EMDB_KV_PACER_H_
#define EMDB_KV_PACER_H_

#include <cstddef>
#include <cstdint>

#include "kv/checkpointer.h"
#include "kv/read_state.h"
#include "kv/statistics.h"
#include "storage/env.h"

namespace emdb {

class Pacer {
 public:
  struct Parts {
    Env* env;
    const ReadStates* states;
    const Checkpointer* checkpointer;
    Statistics* statistics;
  };

  Pacer(const Parts& parts, size_t memtable_size) : parts_(parts), memtable_size_(memtable_size) {}

  // Before a write of `bytes`, under no lock.
  void BeforeWrite(size_t bytes) const {
    if (parts_.checkpointer->is_merging()) [[unlikely]]
      Slow(bytes);
  }

  // The arithmetic. How far a fill is beyond what a merge that has come to `progress` allows, both
  // in parts of the whole; not positive: it is not.
  static double Excess(double fill, double progress) { return fill - progress - kLead; }
  // How long a write sleeps at a time that finds such an excess.
  static uint64_t SleepMicros(double excess);
  // How often a write of `bytes` sleeps at most.
  static size_t MostSleeps(size_t bytes) { return (bytes / kPieceBytes + 1) * kSleepsPerPiece; }

 private:
  static constexpr double kLead = 0.10;
  static constexpr uint64_t kShortestSleepMicros = 30;
  static constexpr uint64_t kLongestSleepMicros = 100;
  // A write sleeps at most kSleepsPerPiece times for each piece of this size, and one more.
  static constexpr size_t kPieceBytes = 65536;
  static constexpr size_t kSleepsPerPiece = 10;

  double CurrentExcess() const;
  void Slow(size_t bytes) const;

  const Parts parts_;
  const size_t memtable_size_;
};

}  // namespace emdb

#endif  // EMDB_KV_PACER_H_
