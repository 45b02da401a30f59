// Progress: shows on stderr how far a long operation is. On a terminal one line with a bar that is
// drawn again and again; otherwise a line every few seconds. Short operations show nothing.
//
// Not thread safe.

#ifndef EMDB_TOOLS_CLI_PROGRESS_H_
#define EMDB_TOOLS_CLI_PROGRESS_H_

#include <cstdint>
#include <string>

#include "tools/cli/console.h"

namespace emdb::cli {

class Progress {
 public:
  struct Options {
    std::string label;  // "load"
    std::string unit;   // "records"; "bytes" are shown as MiB and the like
    bool quiet = false;
  };

  // `console` is not owned.
  Progress(const Console* console, Options options);
  // Clears the bar.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` units of `total` (0: unknown, and no bar). Cheap: may be called for each unit.
  void Update(uint64_t done, uint64_t total);

 private:
  void Show(uint64_t done, uint64_t total, uint64_t now_nanos);

  const Console* const console_;
  const Options options_;
  const uint64_t start_nanos_;
  uint64_t next_nanos_;
  uint64_t updates_ = 0;
  bool bar_drawn_ = false;
};

// "1,234,567".
std::string WithCommas(uint64_t number);
// "4.1 MiB".
std::string ByteSize(uint64_t bytes);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_PROGRESS_H_
