#include <filesystem>
#include <system_error>
#include <utility>

#include "kv/db.h"
#include "storage/status.h"
#include "tools/quickstart/contender.h"

namespace emdb::quickstart {
namespace {

class EmdbContender : public Contender {
 public:
  explicit EmdbContender(std::unique_ptr<Db> db) : db_(std::move(db)) {}

  std::string name() const override { return "emdb"; }

  absl::Status Write(absl::Span<const Package> packages) override {
    WriteBatch batch;
    for (const Package& package : packages) batch.Put(package.name, package.stanza);
    return db_->Write(batch, {.sync = true});
  }

  absl::Status Settle() override { return db_->Checkpoint(); }

  absl::Status Get(std::string_view key, std::string* value) override {
    return db_->Get(key, value);
  }

  absl::Status Scan(
      const std::function<void(std::string_view key, std::string_view value)>& visit) override {
    const std::unique_ptr<Iterator> it = db_->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) visit(it->key(), it->value());
    return it->status();
  }

 private:
  const std::unique_ptr<Db> db_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Contender>> NewEmdbContender(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return IoError(error.value(), "mkdir", path);
  Options options;
  options.error_if_exists = true;
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Db> db, Db::Open(options, path + "/store.emdb"));
  return std::make_unique<EmdbContender>(std::move(db));
}

}  // namespace emdb::quickstart
