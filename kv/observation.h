// Observation: all that one pass over a database says about its contents, by every way of reading:
// scans both ways, gets, multi-gets. It goes on behind errors, so that what is served beside an
// error is looked at too.

#ifndef EMDB_KV_OBSERVATION_H_
#define EMDB_KV_OBSERVATION_H_

#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "kv/db.h"

namespace emdb {

using Contents = std::map<std::string, std::string>;

struct Observation {
  Contents present;
  std::set<std::string> absent;  // of the keys that were asked for, those that are not there
  absl::Status error;            // the first one; OK: `present` is everything
  std::string contradiction;     // two ways of reading that do not agree, or disorder; "": none
};

// Reads everything, and looks for each of `keys`.
Observation Observe(const Db& db, const std::set<std::string>& keys);

// "" if the observation is one of `contents`, or else what differs. Beside an error, everything
// that was served must be right.
std::string Difference(const Observation& observation, const Contents& contents);

}  // namespace emdb

#endif  // EMDB_KV_OBSERVATION_H_
