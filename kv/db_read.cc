// The reading half of DbImpl.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/batch_format.h"
#include "kv/db_impl.h"
#include "kv/merging_iterator.h"

namespace emdb {
namespace {

// NotFound without a message: it allocates nothing.
absl::Status NotFound() { return absl::Status(absl::StatusCode::kNotFound, ""); }

absl::Status CheckKey(std::string_view key) {
  if (!key.empty() && key.size() <= batch_format::kMaxKeyBytes) [[likely]]
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "a key has ", key.size(), " bytes; keys have 1 to ", batch_format::kMaxKeyBytes));
}

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
                                                   std::string_view key, std::string* value) const {
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

absl::Status DbImpl::Lookup(const ReadState& state, uint64_t seq, std::string_view key,
                            std::string* value) const {
  if (std::optional<absl::Status> known = LookupInMemory(state, seq, key, value))
    return *std::move(known);
  return state.tree.Get(key, value);
}

absl::Status DbImpl::Get(std::string_view key, std::string* value, const ReadOptions& options) {
  if (absl::Status s = CheckKey(key); !s.ok()) return s;
  Statistics::Shard& shard = statistics_.shard();
  const bool timed = shard.gets.Add() % Statistics::kSampling == 0;
  const uint64_t start = timed ? env_->NowNanos() : 0;
  absl::Status result;
  {
    EpochGuard guard(states_.epoch());
    // The state first, the seq after it: see read_state.h.
    const ReadState* state = states_.current();
    if (state == nullptr) return Closed();
    uint64_t seq = queue_.visible_seq();
    if (options.snapshot != nullptr) {
      state = options.snapshot->state_.get();
      seq = options.snapshot->seq_;
    }
    result = Lookup(*state, seq, key, value);
  }
  if (result.ok()) shard.gets_found.Add();
  if (timed) shard.get_latency.Record(env_->NowNanos() - start);
  return result;
}

std::vector<absl::Status> DbImpl::MultiGet(absl::Span<const std::string_view> keys,
                                           std::vector<std::string>* values,
                                           const ReadOptions& options) {
  values->resize(keys.size());
  std::vector<absl::Status> statuses(keys.size(), NotFound());
  EpochGuard guard(states_.epoch());
  const ReadState* state = states_.current();
  if (state == nullptr) {
    std::fill(statuses.begin(), statuses.end(), Closed());
    return statuses;
  }
  uint64_t seq = queue_.visible_seq();
  if (options.snapshot != nullptr) {
    state = options.snapshot->state_.get();
    seq = options.snapshot->seq_;
  }
  // The view looks up what is NotFound; what is known to be deleted must not be.
  const absl::Status deleted(absl::StatusCode::kCancelled, "");
  for (size_t i = 0; i < keys.size(); ++i) {
    if (absl::Status s = CheckKey(keys[i]); !s.ok()) {
      statuses[i] = std::move(s);
    } else if (std::optional<absl::Status> known =
                   LookupInMemory(*state, seq, keys[i], &(*values)[i])) {
      statuses[i] = known->ok() ? absl::OkStatus() : deleted;
    }
  }
  state->tree.MultiGet(keys, absl::MakeSpan(*values), absl::MakeSpan(statuses));
  size_t found = 0;
  for (absl::Status& status : statuses) {
    if (absl::IsCancelled(status)) status = NotFound();
    found += status.ok() ? 1 : 0;
  }
  Statistics::Shard& shard = statistics_.shard();
  shard.gets.Add(keys.size());
  shard.gets_found.Add(found);
  return statuses;
}

DbImpl::Pin::Pin(std::shared_ptr<const ReadState> held, std::atomic<uint64_t>* counter)
    : state(std::move(held)), count(counter) {
  count->fetch_add(1, std::memory_order_relaxed);
}

// Release: what was read through the pin is over before Close sees the count.
DbImpl::Pin::~Pin() { count->fetch_sub(1, std::memory_order_release); }

DbImpl::PinnedState DbImpl::PinState(const ReadOptions& options) {
  PinnedState pinned;
  std::shared_ptr<const ReadState> state;
  if (options.snapshot != nullptr) {
    state = options.snapshot->state_;
    pinned.seq = options.snapshot->seq_;
  } else {
    state = states_.Acquire();
    if (state == nullptr) return pinned;
    // A memtable that was frozen since holds nothing behind its end, which is then what is shown.
    pinned.seq = queue_.visible_seq();
    pinned.seq = std::min(pinned.seq, state->active->end_seq());
  }
  auto pin = std::make_shared<Pin>(std::move(state), &live_pins_);
  const ReadState* const raw = pin->state.get();
  pinned.state = std::shared_ptr<const ReadState>(std::move(pin), raw);
  return pinned;
}

std::unique_ptr<Iterator> DbImpl::NewIterator(const ReadOptions& options) {
  const CallGate::Pass pass(&gate_);
  PinnedState pinned;
  if (pass) pinned = PinState(options);
  if (pinned.state == nullptr) return std::make_unique<FailedIterator>(Closed());
  statistics_.shard().iterators.Add();
  MergingIterator::Bounds bounds{std::string(options.lower_bound),
                                 std::string(options.upper_bound)};
  std::unique_ptr<Cursor> cursor = pinned.state->tree.NewCursor();
  return std::make_unique<MergingIterator>(std::move(pinned.state), std::move(cursor), pinned.seq,
                                           std::move(bounds));
}

Snapshot DbImpl::GetSnapshot() {
  const CallGate::Pass pass(&gate_);
  Snapshot snapshot;
  if (!pass) return snapshot;
  PinnedState pinned = PinState({});
  snapshot.state_ = std::move(pinned.state);
  snapshot.seq_ = pinned.seq;
  return snapshot;
}

Stats DbImpl::GetStats() {
  Stats stats;
  statistics_.AddTo(&stats);
  stats.recovered_records = recovered_records_;
  stats.recovery_nanos = recovery_nanos_;
  stats.live_snapshots = live_pins_.load(std::memory_order_relaxed);
  const CallGate::Pass pass(&gate_);
  const std::shared_ptr<const ReadState> state = pass ? states_.Acquire() : nullptr;
  if (state == nullptr) return stats;
  stats.next_seq = log_.next_seq();
  stats.visible_seq = queue_.visible_seq();
  stats.durable_seq = log_.durable_seq();
  stats.checkpoint_seq = state->tree.next_seq();
  uint64_t added = state->tree.record_count();
  uint64_t removed = 0;
  const auto add_memtable = [&](const Memtable& table) {
    stats.memtable_bytes += table.memory_bytes();
    stats.memtable_records += table.record_count();
    removed += table.deletion_count();
    added += table.record_count() - table.deletion_count();
  };
  add_memtable(*state->active);
  for (const std::shared_ptr<Memtable>& table : state->frozen) add_memtable(*table);
  stats.frozen_memtables = state->frozen.size();
  stats.estimated_records = added - std::min(added, removed);
  stats.wal = log_.stats();
  stats.wal_recovery = log_.recovery();
  stats.page_store = store_->stats();
  return stats;
}

}  // namespace emdb
