// The reading half of DbImpl.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "kv/db_impl.h"
#include "kv/db_iterator.h"
#include "kv/size_limits.h"

namespace emdb {
namespace {

// NotFound without a message: it allocates nothing.
absl::Status NotFound() { return absl::Status(absl::StatusCode::kNotFound, ""); }

// What a call on a closed database gets: never valid.
class FailedIterator : public Iterator {
 public:
  explicit FailedIterator(absl::Status status) : status_(std::move(status)) {}

  bool Valid() const override { return false; }
  void SeekToFirst() override {}
  void SeekToLast() override {}
  void Seek(std::string_view) override {}
  void SeekForPrev(std::string_view) override {}
  void Next() override {}
  void Prev() override {}
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  absl::Status status() const override { return status_; }

 private:
  const absl::Status status_;
};

}  // namespace

std::optional<absl::Status> DbImpl::LookupInMemory(const ReadState& state, uint64_t seq,
                                                   std::string_view key, std::string* value) {
  const auto probe = [&](const Memtable& table) {
    if (table.empty()) return Memtable::Lookup::kAbsent;
    std::string_view found;
    const Memtable::Lookup result = table.Get(key, seq, &found);
    if (result == Memtable::Lookup::kFound) value->assign(found);
    return result;
  };
  Memtable::Lookup result = probe(*state.active);
  for (size_t i = 0; result == Memtable::Lookup::kAbsent && i < state.frozen.size(); ++i) {
    result = probe(*state.frozen[i]);
  }
  if (result == Memtable::Lookup::kAbsent) return std::nullopt;
  return result == Memtable::Lookup::kFound ? absl::OkStatus() : NotFound();
}

absl::Status DbImpl::Lookup(const ReadPoint& point, std::string_view key,
                            std::string* value) const {
  if (std::optional<absl::Status> known = LookupInMemory(*point.state, point.seq, key, value))
    return *std::move(known);
  return point.state->tree.Get(key, value);
}

absl::Status DbImpl::Lookup(const ReadPoint& point, std::string_view key,
                            PinnedValue* value) const {
  std::string* const copy = value->StartCopy();
  if (std::optional<absl::Status> known = LookupInMemory(*point.state, point.seq, key, copy))
    return *std::move(known);
  absl::Status status = point.state->tree.Get(key, value);
  if (value->is_pinned()) value->KeepAlive(store_);
  return status;
}

absl::Status DbImpl::CheckSnapshot(const Snapshot& snapshot) const {
  if (snapshot.life_ == life_) [[likely]] {
    return snapshot.state_ != nullptr ? absl::OkStatus() : Closed();
  }
  return absl::InvalidArgumentError(
      "ReadOptions::snapshot is empty, or of another Db; take it from the Db that is read");
}

absl::Status DbImpl::FindReadPoint(const ReadOptions& options, ReadPoint* point) const {
  // The state first, the seq after it: see read_state.h.
  const ReadState* const newest = states_.current();
  if (newest == nullptr) return Closed();
  if (options.snapshot == nullptr) [[likely]] {
    *point = {newest, queue_.visible_seq()};
    return absl::OkStatus();
  }
  if (absl::Status s = CheckSnapshot(*options.snapshot); !s.ok()) return s;
  *point = {options.snapshot->state_.get(), options.snapshot->seq_};
  return absl::OkStatus();
}

absl::Status DbImpl::FindReadPointToHold(const ReadOptions& options, ReadPoint* point) const {
  if (absl::Status s = FindReadPoint(options, point); !s.ok()) return s;
  // A memtable that was frozen since holds nothing behind its end, which is then what is shown. In
  // this order: an end that is read first may be none yet, and the seq one behind it.
  point->seq = std::min(point->seq, point->state->active->end_seq());
  return absl::OkStatus();
}

template <typename Value>
absl::Status DbImpl::Get(std::string_view key, Value* value, const ReadOptions& options) {
  if (absl::Status s = CheckKeySize(key.size()); !s.ok()) return s;
  Statistics::Shard& shard = statistics_.shard();
  const bool timed = shard.Count(&shard.gets) % Statistics::kSampling == 0;
  const uint64_t start = timed ? env_->NowNanos() : 0;
  absl::Status result;
  {
    EpochGuard guard(states_.epoch());
    ReadPoint point;
    if (absl::Status s = FindReadPoint(options, &point); !s.ok()) return s;
    result = Lookup(point, key, value);
  }
  if (result.ok()) shard.Count(&shard.gets_found);
  if (timed) shard.get_latency.Record(env_->NowNanos() - start);
  return result;
}

template absl::Status DbImpl::Get(std::string_view, std::string*, const ReadOptions&);
template absl::Status DbImpl::Get(std::string_view, PinnedValue*, const ReadOptions&);

std::vector<absl::Status> DbImpl::MultiGet(absl::Span<const std::string_view> keys,
                                           std::vector<std::string>* values,
                                           const ReadOptions& options) {
  values->resize(keys.size());
  std::vector<absl::Status> statuses(keys.size(), NotFound());
  EpochGuard guard(states_.epoch());
  ReadPoint point;
  if (absl::Status s = FindReadPoint(options, &point); !s.ok()) {
    std::fill(statuses.begin(), statuses.end(), s);
    return statuses;
  }
  // The view looks up what is NotFound; what is known to be deleted must not be.
  const absl::Status deleted(absl::StatusCode::kCancelled, "");
  for (size_t i = 0; i < keys.size(); ++i) {
    if (absl::Status s = CheckKeySize(keys[i].size()); !s.ok()) {
      statuses[i] = std::move(s);
    } else if (std::optional<absl::Status> known =
                   LookupInMemory(*point.state, point.seq, keys[i], &(*values)[i])) {
      statuses[i] = known->ok() ? absl::OkStatus() : deleted;
    }
  }
  point.state->tree.MultiGet(keys, absl::MakeSpan(*values), absl::MakeSpan(statuses));
  size_t found = 0;
  for (absl::Status& status : statuses) {
    if (absl::IsCancelled(status)) status = NotFound();
    found += status.ok() ? 1 : 0;
  }
  Statistics::Shard& shard = statistics_.shard();
  shard.Count(&shard.gets, keys.size());
  shard.Count(&shard.gets_found, found);
  return statuses;
}

std::unique_ptr<Iterator> DbImpl::NewIterator(const ReadOptions& options) {
  // Close takes the states away, waits for the guards, and only then looks who has pinned the
  // store.
  EpochGuard guard(states_.epoch());
  ReadPoint point;
  if (absl::Status s = FindReadPointToHold(options, &point); !s.ok()) {
    return std::make_unique<FailedIterator>(std::move(s));
  }
  Statistics::Shard& shard = statistics_.shard();
  shard.Count(&shard.iterators);
  return std::make_unique<DbIterator>(
      life_, store_, point.state->shared_from_this(), point.seq,
      MergingIterator::Bounds{options.lower_bound, options.upper_bound});
}

Snapshot DbImpl::GetSnapshot() {
  EpochGuard guard(states_.epoch());
  Snapshot snapshot;
  snapshot.life_ = life_;
  ReadPoint point;
  // One without a state says by whom it was refused.
  if (!FindReadPointToHold({}, &point).ok()) return snapshot;
  auto pin = std::make_shared<DbPin>(life_, nullptr, point.state->shared_from_this());
  snapshot.state_ = std::shared_ptr<const ReadState>(pin, pin->state());
  snapshot.seq_ = point.seq;
  return snapshot;
}

Stats DbImpl::GetStats() {
  Stats stats;
  statistics_.AddTo(&stats);
  stats.recovered_records = recovered_records_;
  stats.recovery_nanos = recovery_nanos_;
  stats.live_snapshots = life_->pins();
  const CallGate::Pass pass(&gate_);
  const std::shared_ptr<const ReadState> state = pass ? states_.Acquire() : nullptr;
  if (state == nullptr) return stats;
  stats.next_seq = log_.next_seq();
  stats.visible_seq = queue_.visible_seq();
  stats.durable_seq = log_.durable_seq();
  stats.checkpoint_seq = state->tree.next_seq();
  int64_t records = static_cast<int64_t>(state->tree.record_count());
  const auto add_memtable = [&](const Memtable& table) {
    stats.memtable_bytes += table.memory_bytes();
    stats.memtable_records += table.record_count();
    records += table.key_balance();
  };
  add_memtable(*state->active);
  for (const std::shared_ptr<Memtable>& table : state->frozen) add_memtable(*table);
  stats.frozen_memtables = state->frozen.size();
  stats.estimated_records = static_cast<uint64_t>(std::max<int64_t>(records, 0));
  stats.wal = log_.stats();
  stats.wal_recovery = log_.recovery();
  stats.page_store = store_->stats();
  return stats;
}

}  // namespace emdb
