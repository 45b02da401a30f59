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

 private:
  static constexpr double kLead = 0.10;
  static constexpr uint64_t kShortestSleepMicros = 30;
  static constexpr uint64_t kLongestSleepMicros = 100;
  // A write of up to this many bytes sleeps at most once for each kSleepsPerPiece; larger ones
  // longer.
  static constexpr size_t kPieceBytes = 65536;
  static constexpr size_t kSleepsPerPiece = 10;

  // How far the fill is beyond what is allowed; negative: it is not.
  double Excess() const;
  void Slow(size_t bytes) const;

  const Parts parts_;
  const size_t memtable_size_;
};

}  // namespace emdb

#endif  // EMDB_KV_PACER_H_
