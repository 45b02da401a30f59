#include "storage/store_id.h"

#include "absl/strings/escaping.h"

namespace emdb {

std::string StoreIdToString(const StoreId& id) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(id.data()), id.size()));
}

}  // namespace emdb
