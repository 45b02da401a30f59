// CrashChooser: decides what a power cut does with each thing that was not durable.

#ifndef EMDB_STORAGE_CRASH_CHOOSER_H_
#define EMDB_STORAGE_CRASH_CHOOSER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace emdb {

class CrashChooser {
 public:
  virtual ~CrashChooser() = default;
  // Returns a number below `n`: which of the versions of a thing is found, from the durable one (0)
  // to the newest (n - 1). `n` is at least 2.
  virtual uint32_t Choose(uint32_t n) = 0;
};

// By a seeded generator. The seed also decides whether little, half or most of what is not durable
// is lost.
class RandomChooser final : public CrashChooser {
 public:
  explicit RandomChooser(uint64_t seed);
  uint32_t Choose(uint32_t n) override;

 private:
  uint64_t state_;
  uint64_t lost_of_256_;
};

// Every combination once, if asked the same questions each time:
//   do { ... CrashImage(&chooser) ... } while (chooser.Next());
class ExhaustiveChooser final : public CrashChooser {
 public:
  uint32_t Choose(uint32_t n) override;
  // Goes to the next combination; false after the last one.
  bool Next();

 private:
  struct Answer {
    uint32_t value;
    uint32_t bound;
  };
  std::vector<Answer> answers_;
  size_t asked_ = 0;
};

// The states that a mistake in the order of writes and syncs shows first, each once, if asked the
// same questions each time: all that is not durable is lost, or none of it; each range of pieces
// that stand side by side is lost, or kept alone. A piece that is kept is the newest. Pieces come
// in the order of the questions, in a file by sector, so a write is a range, and so is each part of
// it that a torn write leaves. Used as ExhaustiveChooser is, for things that have too many
// combinations for that.
class SystematicChooser final : public CrashChooser {
 public:
  uint32_t Choose(uint32_t n) override;
  // Goes to the next state; false after the last one.
  bool Next();

 private:
  enum class Pattern { kAllLost, kAllKept, kRangeLost, kRangeKept };

  // Goes to the next range of the pattern, or to the first one of the next pattern.
  bool NextRange();
  bool IsKept(size_t piece) const;

  Pattern pattern_ = Pattern::kAllLost;
  size_t first_ = 0;  // the range that the pattern is about
  size_t end_ = 0;
  size_t pieces_ = 0;  // that there may be
  size_t asked_ = 0;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_CRASH_CHOOSER_H_
