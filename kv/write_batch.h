// WriteBatch: puts and deletions that Db::Write applies as one: after a crash all of them are there
// or none. Later ones win over earlier ones of the same key. Bytes: kv/FORMAT.md; a batch is
// encoded as it is filled, and goes to the log as it stands.
//
// Not thread safe. Keys and values are copied in.

#ifndef EMDB_KV_WRITE_BATCH_H_
#define EMDB_KV_WRITE_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace emdb {

class WriteBatch {
 public:
  WriteBatch();
  WriteBatch(const WriteBatch& other) = default;
  WriteBatch& operator=(const WriteBatch& other) = default;
  // `other` is empty afterwards, and may be filled again.
  WriteBatch(WriteBatch&& other) noexcept;
  WriteBatch& operator=(WriteBatch&& other) noexcept;

  // Lengths are checked by Db::Write, which refuses the whole batch.
  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  void Clear();

  // Puts and deletions in it.
  size_t count() const { return count_; }
  // Encoded size in bytes.
  size_t size_bytes() const { return rep_.size(); }

  enum class Kind : uint8_t { kPut = 1, kDelete = 2 };
  using Visitor = absl::FunctionRef<void(Kind kind, std::string_view key, std::string_view value)>;

  // The encoded form, as it stands in the log.
  std::string_view encoded() const { return rep_; }
  // Calls `visit` for each operation of an encoded batch, in order. DataLoss for bytes that are not
  // a batch; what was visited before is no use then.
  static absl::Status ForEach(std::string_view encoded, Visitor visit);
  // The first key or value that Db::Write would refuse, as InvalidArgument.
  absl::Status Validate() const;

 private:
  std::string rep_;
  size_t count_ = 0;
  size_t max_key_bytes_ = 0;
  size_t max_value_bytes_ = 0;
  bool has_empty_key_ = false;
};

}  // namespace emdb

#endif  // EMDB_KV_WRITE_BATCH_H_
