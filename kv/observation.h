// Observation: all that one pass over a database says about its contents, by every way of reading:
// scans both ways, gets, multi-gets. It goes on behind errors, so that what is served beside an
// error is looked at too.

#ifndef EMDB_KV_OBSERVATION_H_
#define EMDB_KV_OBSERVATION_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "kv/db.h"

namespace emdb {

using Contents = std::map<std::string, std::string>;

struct Observation {
  Contents present;
  std::set<std::string> absent;  // of the keys that were asked for, those that are not there
  absl::Status error;            // the first one; OK: `present` is everything
  std::string contradiction;     // two ways of reading that do not agree, or disorder; "": none
};

// As those of a Db.
struct WaysOfReading {
  std::function<std::unique_ptr<Iterator>()> new_iterator;
  std::function<absl::Status(std::string_view key, std::string* value)> get;
  std::function<std::vector<absl::Status>(absl::Span<const std::string_view> keys,
                                          std::vector<std::string>* values)>
      multi_get;
};

// Reads everything, and looks for each of `keys`.
Observation Observe(const Db& db, const std::set<std::string>& keys);
Observation Observe(const WaysOfReading& ways, const std::set<std::string>& keys);

// "" if the observation is one of `contents`, or else what differs. Beside an error, everything
// that was served must be right.
std::string Difference(const Observation& observation, const Contents& contents);

}  // namespace emdb

#endif  // EMDB_KV_OBSERVATION_H_
