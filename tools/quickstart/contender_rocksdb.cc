#include <utility>

#include "absl/strings/str_cat.h"
#include "rocksdb/cache.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"
#include "rocksdb/version.h"
#include "rocksdb/write_batch.h"
#include "tools/quickstart/contender.h"

namespace emdb::quickstart {
namespace {

rocksdb::Slice ToSlice(std::string_view s) { return {s.data(), s.size()}; }

absl::Status FromRocks(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::NotFoundError("");
  return absl::InternalError(status.ToString());
}

class RocksDbContender : public Contender {
 public:
  explicit RocksDbContender(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  std::string name() const override {
    return absl::StrCat("RocksDB ", ROCKSDB_MAJOR, ".", ROCKSDB_MINOR, ".", ROCKSDB_PATCH);
  }

  absl::Status Write(absl::Span<const Package> packages) override {
    rocksdb::WriteBatch batch;
    for (const Package& package : packages) {
      const rocksdb::Status status = batch.Put(ToSlice(package.name), ToSlice(package.stanza));
      if (!status.ok()) return FromRocks(status);
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    return FromRocks(db_->Write(options, &batch));
  }

  absl::Status Settle() override {
    const rocksdb::Status flushed = db_->Flush(rocksdb::FlushOptions());
    if (!flushed.ok()) return FromRocks(flushed);
    return FromRocks(db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr));
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    return FromRocks(db_->Get(rocksdb::ReadOptions(), ToSlice(key), value));
  }

  absl::Status Scan(
      const std::function<void(std::string_view key, std::string_view value)>& visit) override {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      visit({it->key().data(), it->key().size()}, {it->value().data(), it->value().size()});
    }
    return FromRocks(it->status());
  }

 private:
  const std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Contender>> NewRocksDbContender(const std::string& path) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(size_t{256} << 20);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::Options options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.compression = rocksdb::kNoCompression;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
  if (!status.ok()) return FromRocks(status);
  return std::make_unique<RocksDbContender>(std::unique_ptr<rocksdb::DB>(db));
}

}  // namespace emdb::quickstart
