#include "kv/write_batch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/batch_format.h"
#include "kv/size_limits.h"
#include "storage/status.h"

namespace emdb {
namespace {

namespace format = batch_format;

absl::Status NotABatch(size_t offset, std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("batch, at byte ", offset, ": ", ToAbsl(what),
                   "; the log record is damaged or was written by a newer version"));
}

// One operation in front of *p, which moves behind it. False if the bytes are none.
struct Operation {
  WriteBatch::Kind kind;
  std::string_view key;
  std::string_view value;
};

bool DecodeOperation(const char** p, const char* limit, Operation* out) {
  const uint8_t kind = static_cast<uint8_t>(*(*p)++);
  if (kind != format::kPutKind && kind != format::kDeleteKind) return false;
  uint64_t key_size = 0;
  uint64_t value_size = 0;
  *p = GetVarint64(*p, limit, &key_size);
  if (*p == nullptr || key_size == 0 || key_size > format::kMaxKeyBytes) return false;
  if (kind == format::kPutKind) {
    *p = GetVarint64(*p, limit, &value_size);
    if (*p == nullptr || value_size > format::kMaxValueBytes) return false;
  }
  if (key_size + value_size > static_cast<uint64_t>(limit - *p)) return false;
  out->kind = static_cast<WriteBatch::Kind>(kind);
  out->key = std::string_view(*p, key_size);
  out->value = std::string_view(*p + key_size, value_size);
  *p += key_size + value_size;
  return true;
}

}  // namespace

WriteBatch::WriteBatch() { Clear(); }

WriteBatch::WriteBatch(WriteBatch&& other) noexcept : WriteBatch() { *this = std::move(other); }

WriteBatch& WriteBatch::operator=(WriteBatch&& other) noexcept {
  if (this == &other) return *this;
  rep_ = std::move(other.rep_);
  count_ = other.count_;
  max_key_bytes_ = other.max_key_bytes_;
  max_value_bytes_ = other.max_value_bytes_;
  has_empty_key_ = other.has_empty_key_;
  other.Clear();
  return *this;
}

void WriteBatch::Put(std::string_view key, std::string_view value) {
  const size_t before = rep_.size();
  rep_.resize(before + format::PutSize(key, value));
  format::EncodePut(rep_.data() + before, key, value);
  count_++;
  max_key_bytes_ = std::max(max_key_bytes_, key.size());
  max_value_bytes_ = std::max(max_value_bytes_, value.size());
  has_empty_key_ |= key.empty();
}

void WriteBatch::Delete(std::string_view key) {
  const size_t before = rep_.size();
  rep_.resize(before + format::DeleteSize(key));
  format::EncodeDelete(rep_.data() + before, key);
  count_++;
  max_key_bytes_ = std::max(max_key_bytes_, key.size());
  has_empty_key_ |= key.empty();
}

void WriteBatch::Clear() {
  rep_.resize(format::kHeaderBytes);
  format::EncodeHeader(rep_.data());
  count_ = 0;
  max_key_bytes_ = 0;
  max_value_bytes_ = 0;
  has_empty_key_ = false;
}

absl::Status WriteBatch::ForEach(std::string_view encoded, Visitor visit) {
  if (encoded.size() < format::kHeaderBytes) return NotABatch(0, "no version byte");
  if (const uint8_t version = static_cast<uint8_t>(encoded[0]); version != format::kBatchVersion) {
    return NotABatch(0, std::string_view(absl::StrCat("version ", version, ", expected ",
                                                      format::kBatchVersion)));
  }
  const char* p = encoded.data() + format::kHeaderBytes;
  const char* const limit = encoded.data() + encoded.size();
  while (p < limit) {
    const size_t offset = static_cast<size_t>(p - encoded.data());
    Operation operation;
    if (!DecodeOperation(&p, limit, &operation)) {
      return NotABatch(offset, "an operation of unknown kind or with sizes that cannot be");
    }
    visit(operation.kind, operation.key, operation.value);
  }
  return absl::OkStatus();
}

absl::Status WriteBatch::Validate() const {
  if (has_empty_key_) return CheckKeySize(0);
  if (count_ > 0) EMDB_RETURN_IF_ERROR(CheckKeySize(max_key_bytes_));
  EMDB_RETURN_IF_ERROR(CheckValueSize(max_value_bytes_));
  if (rep_.size() > format::kMaxBatchBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the batch, encoded, has ", rep_.size(),
                                                   " bytes; the most is ", format::kMaxBatchBytes,
                                                   ": split it"));
  }
  return absl::OkStatus();
}

}  // namespace emdb
