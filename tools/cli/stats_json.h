// Stats as one JSON object on one line, for programs. Names are those of kv/stats.h, wal/stats.h
// and pagestore/page_store.h; histograms are given by count, mean, p50, p99, p99.9 and maximum, in
// nanoseconds.

#ifndef EMDB_TOOLS_CLI_STATS_JSON_H_
#define EMDB_TOOLS_CLI_STATS_JSON_H_

#include <string>

#include "kv/stats.h"

namespace emdb::cli {

std::string StatsToJson(const Stats& stats);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_STATS_JSON_H_
