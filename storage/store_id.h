// StoreId: 16 random bytes that a store gets when it is made. The store file and its log carry the
// same id, so that files of different stores are never taken for one another.

#ifndef EMDB_STORAGE_STORE_ID_H_
#define EMDB_STORAGE_STORE_ID_H_

#include <array>
#include <cstdint>
#include <string>

namespace emdb {

using StoreId = std::array<uint8_t, 16>;

// 32 lower-case hex digits.
std::string StoreIdToString(const StoreId& id);

}  // namespace emdb

#endif  // EMDB_STORAGE_STORE_ID_H_
