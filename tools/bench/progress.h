// Progress: how far a child process is, in memory that it shares with its parent. The child stores,
// the parent looks now and then; nobody waits. What is read may mix two phases: it is for the eyes.

#ifndef EMDB_TOOLS_BENCH_PROGRESS_H_
#define EMDB_TOOLS_BENCH_PROGRESS_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <string_view>

namespace emdb::bench {

class Progress {
 public:
  void BeginPhase(std::string_view name) {
    fraction_.store(0, std::memory_order_relaxed);
    for (size_t i = 0; i < name_.size(); ++i) {
      name_[i].store(i < name.size() ? name[i] : '\0', std::memory_order_relaxed);
    }
  }
  // 0 to 1.
  void SetFraction(double fraction) { fraction_.store(fraction, std::memory_order_relaxed); }

  std::string phase() const {
    std::string name;
    for (const std::atomic<char>& c : name_) {
      const char value = c.load(std::memory_order_relaxed);
      if (value == '\0') break;
      name.push_back(value);
    }
    return name;
  }
  double fraction() const {
    return std::clamp(fraction_.load(std::memory_order_relaxed), 0.0, 1.0);
  }

 private:
  std::array<std::atomic<char>, 48> name_{};
  std::atomic<double> fraction_{0};
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_PROGRESS_H_
