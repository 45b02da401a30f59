// PackageIndex: real records to try a database with: the stanzas of a Debian package index, by
// package name.

#ifndef EMDB_TOOLS_QUICKSTART_PACKAGE_INDEX_H_
#define EMDB_TOOLS_QUICKSTART_PACKAGE_INDEX_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace emdb::quickstart {

struct Package {
  std::string_view name;
  std::string_view stanza;  // without the empty line that ends it
};

class PackageIndex {
 public:
  // Reads `path`, which `apt-cache dumpavail` or dpkg wrote. DataLoss, naming the place, for a
  // stanza without a name; FailedPrecondition if there are no stanzas.
  static absl::StatusOr<PackageIndex> Read(const std::string& path);
  // The same for the text itself.
  static absl::StatusOr<PackageIndex> Parse(std::string text);

  // Names differ; where the index has several stanzas for one, this is the first. In the order of
  // the index.
  const std::vector<Package>& packages() const { return packages_; }
  uint64_t stanza_count() const { return stanza_count_; }
  // Of names and stanzas.
  uint64_t size_bytes() const;

 private:
  std::string text_;  // what the packages point into
  std::vector<Package> packages_;
  uint64_t stanza_count_ = 0;
};

}  // namespace emdb::quickstart

#endif  // EMDB_TOOLS_QUICKSTART_PACKAGE_INDEX_H_
