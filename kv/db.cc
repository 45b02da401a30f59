#include "kv/db.h"

#include <string>
#include <utility>

#include "kv/batch_format.h"
#include "kv/db_impl.h"
#include "kv/size_limits.h"
#include "storage/status.h"

namespace emdb {
namespace {

namespace format = batch_format;

static_assert(Db::kMaxKeyBytes == format::kMaxKeyBytes);
static_assert(Db::kMaxValueBytes == format::kMaxValueBytes);
static_assert(Db::kMaxKeyBytes <= PageStore::kMaxKeyBytes);
static_assert(Db::kMaxValueBytes <= PageStore::kMaxValueBytes);

// Memory for one encoded operation: on the stack where it is small.
class Buffer {
 public:
  explicit Buffer(size_t size) {
    if (size > sizeof(small_)) large_.resize(size);
  }
  char* data() { return large_.empty() ? small_ : large_.data(); }

 private:
  char small_[1024];
  std::string large_;
};

}  // namespace

Db::Db(std::unique_ptr<DbImpl> impl) : impl_(std::move(impl)) {}
Db::~Db() = default;

absl::StatusOr<std::unique_ptr<Db>> Db::Open(const Options& options, std::string_view path) {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<DbImpl> impl, DbImpl::Open(options, path));
  return std::unique_ptr<Db>(new Db(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Db>> Db::OpenInMemory(const Options& options) {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<DbImpl> impl, DbImpl::OpenInMemory(options));
  return std::unique_ptr<Db>(new Db(std::move(impl)));
}

absl::Status Db::Put(std::string_view key, std::string_view value, const WriteOptions& options) {
  EMDB_RETURN_IF_ERROR(CheckKeySize(key.size()));
  EMDB_RETURN_IF_ERROR(CheckValueSize(value.size()));
  Buffer buffer(format::kHeaderBytes + format::PutSize(key, value));
  const char* const end = format::EncodePut(format::EncodeHeader(buffer.data()), key, value);
  const std::string_view bytes(buffer.data(), static_cast<size_t>(end - buffer.data()));
  return impl_->Write({bytes, /*operations=*/1}, options.sync);
}

absl::Status Db::Delete(std::string_view key, const WriteOptions& options) {
  EMDB_RETURN_IF_ERROR(CheckKeySize(key.size()));
  Buffer buffer(format::kHeaderBytes + format::DeleteSize(key));
  const char* const end = format::EncodeDelete(format::EncodeHeader(buffer.data()), key);
  const std::string_view bytes(buffer.data(), static_cast<size_t>(end - buffer.data()));
  return impl_->Write({bytes, /*operations=*/1}, options.sync);
}

absl::Status Db::Write(const WriteBatch& batch, const WriteOptions& options) {
  EMDB_RETURN_IF_ERROR(batch.Validate());
  return impl_->Write({batch.encoded(), batch.count()}, options.sync);
}

void Db::WriteAsync(const WriteBatch& batch, std::function<void(const absl::Status&)> done) {
  if (absl::Status s = batch.Validate(); !s.ok()) return done(s);
  impl_->WriteAsync({batch.encoded(), batch.count()}, std::move(done));
}

absl::Status Db::Get(std::string_view key, std::string* value, const ReadOptions& options) const {
  return impl_->Get(key, value, options);
}

absl::Status Db::Get(std::string_view key, PinnedValue* value, const ReadOptions& options) const {
  return impl_->Get(key, value, options);
}

std::vector<absl::Status> Db::MultiGet(absl::Span<const std::string_view> keys,
                                       std::vector<std::string>* values,
                                       const ReadOptions& options) const {
  return impl_->MultiGet(keys, values, options);
}

std::unique_ptr<Iterator> Db::NewIterator(const ReadOptions& options) const {
  return impl_->NewIterator(options);
}

Snapshot Db::GetSnapshot() const { return impl_->GetSnapshot(); }

absl::Status Db::BulkLoad(const BulkSource& source) { return impl_->BulkLoad(source); }
absl::Status Db::Flush() { return impl_->Flush(); }
absl::Status Db::Checkpoint() { return impl_->Checkpoint(); }
absl::Status Db::Compact() { return impl_->Compact(); }
absl::Status Db::Verify(const std::function<void(uint64_t done, uint64_t total)>& progress) {
  return impl_->Verify(progress);
}
absl::Status Db::Close() { return impl_->Close(); }
Stats Db::GetStats() const { return impl_->GetStats(); }

}  // namespace emdb
