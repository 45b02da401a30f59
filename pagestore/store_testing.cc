#include "pagestore/store_testing.h"

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb {

PageStoreOptions SmallStoreOptions(Env* env) {
  PageStoreOptions options;
  options.env = env;
  options.cache_size_bytes = size_t{1} << 20;
  options.slices_above_bytes = 0;
  options.store_id = StoreId{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  return options;
}

absl::Status Apply(PageStore* store, uint64_t next_seq, const Changes& changes) {
  MapChangeSource source(changes);
  return store->Checkpoint(next_seq, &source);
}

void ApplyToModel(const Changes& changes, Model* model) {
  for (const auto& [key, value] : changes) {
    if (value) {
      (*model)[key] = *value;
    } else {
      model->erase(key);
    }
  }
}

absl::StatusOr<Model> ReadForward(const View& view) {
  Model model;
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const std::string value(cursor->value());
    EMDB_RETURN_IF_ERROR(cursor->status());
    if (!model.empty() && cursor->key() <= model.rbegin()->first) {
      return absl::InternalError("keys do not ascend");
    }
    model.emplace_hint(model.end(), cursor->key(), value);
  }
  EMDB_RETURN_IF_ERROR(cursor->status());
  return model;
}

absl::StatusOr<Model> ReadBackward(const View& view) {
  Model model;
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  for (cursor->SeekToLast(); cursor->Valid(); cursor->Prev()) {
    const std::string value(cursor->value());
    EMDB_RETURN_IF_ERROR(cursor->status());
    if (!model.empty() && cursor->key() >= model.begin()->first) {
      return absl::InternalError("keys do not descend");
    }
    model.emplace_hint(model.begin(), cursor->key(), value);
  }
  EMDB_RETURN_IF_ERROR(cursor->status());
  return model;
}

std::string RandomRecords::Bytes(size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random_());
  return bytes;
}

std::string RandomRecords::Key(uint64_t space) {
  const uint64_t number = Uniform(space);
  switch (number % 8) {
    case 0:  // equal heads behind any common prefix, and proper prefixes of one another
      return std::string(1 + number % 97, 'a');
    case 1:  // zero bytes, which look like the padding of heads
      return std::string("z\0", 2) + std::string(number % 61, '\0');
    case 2:  // long
      return absl::StrCat(std::string(number % 4000, 'k'), number);
    default:
      return absl::StrCat("key", number);
  }
}

std::string RandomRecords::Value() {
  switch (Uniform(64)) {
    case 0:
      return "";
    case 1:
      return Bytes(Uniform(5000));
    case 2:
      return Bytes(Uniform(100000));
    default:
      return Bytes(Uniform(200));
  }
}

Changes RandomRecords::Batch(size_t count, uint64_t space) {
  Changes changes;
  for (size_t i = 0; i < count; ++i) {
    std::string key = Key(space);
    if (Uniform(4) == 0) {
      changes[std::move(key)] = std::nullopt;
    } else {
      changes[std::move(key)] = Value();
    }
  }
  return changes;
}

}  // namespace emdb
