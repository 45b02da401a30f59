// Opening and closing a Db.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "kv/db_impl.h"
#include "kv/options_check.h"
#include "kv/store_files.h"
#include "storage/mem_env.h"
#include "storage/posix_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

// A page store, and with it its own env, if it has one.
std::shared_ptr<PageStore> Share(std::unique_ptr<PageStore> store, std::shared_ptr<Env> own_env) {
  return {store.release(), [env = std::move(own_env)](PageStore* owned) { delete owned; }};
}

}  // namespace

absl::StatusOr<std::unique_ptr<DbImpl>> DbImpl::Open(const Options& options,
                                                     std::string_view path) {
  EMDB_RETURN_IF_ERROR(CheckOptions(options));
  Parts parts;
  parts.options = options;
  parts.env = options.env != nullptr ? options.env : PosixEnv();
  const uint64_t start = parts.env->NowNanos();
  parts.pool = std::make_shared<ArenaPool>(MemtableCapacity(options.memtable_size));
  LogRedo redo(options, parts.pool);
  EMDB_ASSIGN_OR_RETURN(StoreFiles files,
                        OpenStoreFiles(options, parts.env, std::string(path),
                                       [&redo](uint64_t seq, std::string_view record) {
                                         return redo.Add(seq, record);
                                       }));
  EMDB_ASSIGN_OR_RETURN(parts.redone, redo.Finish(files.store.get()));
  parts.lock = std::move(files.lock);
  parts.store = std::move(files.store);
  parts.wal = std::move(files.wal);
  parts.recovery_nanos = parts.env->NowNanos() - start;
  return Start(std::move(parts));
}

absl::StatusOr<std::unique_ptr<DbImpl>> DbImpl::OpenInMemory(const Options& options) {
  EMDB_RETURN_IF_ERROR(CheckOptions(options));
  if (options.read_only) {
    return absl::InvalidArgumentError(
        "a database in memory is new; read_only makes no sense for it");
  }
  Parts parts;
  parts.options = options;
  parts.own_env = NewMemEnv();
  parts.env = parts.own_env.get();
  PageStoreOptions store_options;
  store_options.cache_size_bytes = options.cache_size;
  store_options.page_size_bytes = options.page_size;
  store_options.env = parts.env;
  EMDB_ASSIGN_OR_RETURN(parts.store, PageStore::Open("memory.emdb", store_options));
  parts.pool = std::make_shared<ArenaPool>(MemtableCapacity(options.memtable_size));
  EMDB_ASSIGN_OR_RETURN(parts.redone.state.active,
                        Memtable::Create(parts.pool, MemtableCapacity(options.memtable_size)));
  parts.redone.state.tree = parts.store->GetView();
  return Start(std::move(parts));
}

DbImpl::DbImpl(Parts parts)
    : options_(parts.options),
      own_env_(std::move(parts.own_env)),
      env_(parts.env),
      pool_(std::move(parts.pool)),
      recovered_records_(parts.redone.records),
      recovery_nanos_(parts.recovery_nanos),
      always_durable_(parts.options.flush_policy.kind() == FlushPolicy::Kind::kOnEachWrite),
      lock_(std::move(parts.lock)),
      store_(Share(std::move(parts.store), own_env_)),
      log_(std::move(parts.wal)),
      queue_(&log_, log_.next_seq()),
      active_(parts.redone.state.active.get()),
      frozen_seq_(parts.redone.state.frozen.empty()
                      ? parts.redone.state.tree.next_seq()
                      : parts.redone.state.frozen.front()->end_seq()) {
  states_.Update([&parts](ReadState* state) {
    state->active = std::move(parts.redone.state.active);
    state->frozen = std::move(parts.redone.state.frozen);
    state->tree = std::move(parts.redone.state.tree);
  });
}

absl::StatusOr<std::unique_ptr<DbImpl>> DbImpl::Start(Parts parts) {
  std::unique_ptr<DbImpl> db(new DbImpl(std::move(parts)));
  if (db->options_.read_only) return db;
  EMDB_ASSIGN_OR_RETURN(
      db->checkpointer_,
      Checkpointer::Start({db->env_, &db->log_, db->store_.get(), &db->states_, &db->queue_,
                           &db->statistics_, db->options_.memtable_size}));
  db->pacer_.emplace(
      Pacer::Parts{db->env_, &db->states_, db->checkpointer_.get(), &db->statistics_},
      db->options_.memtable_size);
  return db;
}

DbImpl::~DbImpl() {
  // Who wants to know of errors calls Close.
  Close().IgnoreError();
}

absl::Status DbImpl::Close() {
  if (!gate_.Shut()) return Closed();
  life_->SetClosed();
  // Calls that wait for durability without driving it themselves (WriteAsync) end with a flush; one
  // that came in at the last moment may need another.
  absl::Status result;
  do {
    result = options_.read_only ? absl::OkStatus() : log_.Flush();
  } while (!gate_.WaitUntilIdle(std::chrono::milliseconds(10)));
  result.Update(CloseParts());
  return result;
}

absl::Status DbImpl::SpareNextOpenTheRedo() {
  if (checkpointer_ == nullptr || log_.in_memory() || log_.failed() || !CheckWritable().ok()) {
    return absl::OkStatus();
  }
  const std::shared_ptr<const ReadState> state = states_.Acquire();
  const uint64_t bytes = state->active->memory_bytes();
  // Redone in a fraction of a millisecond, less than a checkpoint takes.
  const bool is_redone_quickly = bytes <= std::min(size_t{256} << 10, options_.memtable_size / 4);
  // Few changes all over a large store would have all of it written again.
  const PageStoreStats pages = store_->stats();
  const bool is_worth_writing =
      bytes >= options_.memtable_size / 4 || bytes >= pages.live_pages * pages.page_size_bytes / 8;
  if (state->frozen.empty() && (is_redone_quickly || !is_worth_writing)) return absl::OkStatus();
  return CheckpointEverything();
}

absl::Status DbImpl::CloseParts() {
  absl::Status result = SpareNextOpenTheRedo();
  pacer_.reset();
  checkpointer_.reset();
  // No reader is inside any more, and the memtables and the view are gone with the last state, but
  // for those that snapshots and iterators hold.
  states_.Close();
  // What a pool keeps for the next memtable goes with the last one.
  pool_.reset();
  result.Update(log_.Close());
  // An iterator may be in the middle of reading the file, so the last one closes it; everything in
  // it is durable. There will be no more of them, since there is no state any more.
  if (life_->store_pins() == 0) result.Update(store_->Close());
  store_.reset();
  lock_.reset();
  return result;
}

}  // namespace emdb
