// DescribeMachine: what a result is worth nothing without: processor, memory, disk, system,
// compiler.

#ifndef EMDB_TOOLS_BENCH_MACHINE_H_
#define EMDB_TOOLS_BENCH_MACHINE_H_

#include <string>
#include <utility>
#include <vector>

namespace emdb::bench {

// Names and values for people to read. `directory` is where the stores are. What cannot be found
// out is left out.
std::vector<std::pair<std::string, std::string>> DescribeMachine(const std::string& directory);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_MACHINE_H_
