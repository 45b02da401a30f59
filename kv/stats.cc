#include "kv/stats.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/status.h"

namespace emdb {
namespace {

std::string Duration(uint64_t nanos) {
  if (nanos < 10'000) return absl::StrFormat("%d ns", nanos);
  if (nanos < 10'000'000) return absl::StrFormat("%.1f us", static_cast<double>(nanos) / 1e3);
  if (nanos < 10'000'000'000) return absl::StrFormat("%.1f ms", static_cast<double>(nanos) / 1e6);
  return absl::StrFormat("%.1f s", static_cast<double>(nanos) / 1e9);
}

void Line(std::string* out, std::string_view name, uint64_t value) {
  absl::StrAppendFormat(out, "%-28s %d\n", ToAbsl(name), value);
}

void Line(std::string* out, std::string_view name, const LatencyHistogram& histogram) {
  if (histogram.count == 0) {
    absl::StrAppendFormat(out, "%-28s none\n", ToAbsl(name));
    return;
  }
  absl::StrAppendFormat(out, "%-28s mean %s, p50 < %s, p99 < %s, max %s (%d timed)\n", ToAbsl(name),
                        Duration(histogram.mean_nanos()), Duration(histogram.PercentileNanos(0.5)),
                        Duration(histogram.PercentileNanos(0.99)), Duration(histogram.max_nanos),
                        histogram.count);
}

void AppendWal(const WalStats& wal, const WalRecovery& recovery, std::string* out) {
  Line(out, "log records appended", wal.records_appended);
  Line(out, "log bytes appended", wal.bytes_appended);
  Line(out, "log bytes written", wal.bytes_written);
  Line(out, "log syncs", wal.syncs);
  Line(out, "log groups", wal.groups);
  Line(out, "log records synced", wal.records_synced);
  Line(out, "log sync latency", wal.sync_latency);
  Line(out, "log appends that waited", wal.append_waits);
  Line(out, "log segments", wal.segments_live);
  Line(out, "log segments created", wal.segments_created);
  Line(out, "log segments recycled", wal.segments_recycled);
  Line(out, "log records found at open", recovery.records);
  Line(out, "  in the append buffer only", recovery.records_from_buffer);
  Line(out, "log first seq at open", recovery.first_seq);
  Line(out, "log segments found at open", recovery.segments);
  Line(out, "log bytes cut at open", recovery.bytes_cut);
  Line(out, "log had been closed", recovery.was_clean ? 1 : 0);
}

void AppendPageStore(const PageStoreStats& store, std::string* out) {
  Line(out, "generation", store.generation);
  Line(out, "records in pages", store.records);
  Line(out, "changes in slices", store.slice_records);
  Line(out, "page size", store.page_size_bytes);
  Line(out, "tree height", store.height);
  Line(out, "pages in the file", store.file_pages);
  Line(out, "pages live", store.live_pages);
  Line(out, "  of slices", store.slice_pages);
  Line(out, "pages free", store.free_pages);
  Line(out, "pages pending", store.pending_pages);
  Line(out, "cache bytes", store.cache_bytes);
  Line(out, "cache capacity", store.cache_capacity_bytes);
  Line(out, "cache hits (estimate)", store.cache_hits);
  Line(out, "cache misses", store.cache_misses);
  Line(out, "cache evictions", store.cache_evictions);
  Line(out, "page store checkpoints", store.checkpoints);
  Line(out, "pages written", store.pages_written);
  Line(out, "page bytes written", store.bytes_written);
  Line(out, "page bytes read", store.bytes_read);
  Line(out, "page syncs", store.syncs);
}

}  // namespace

std::string Stats::ToString() const {
  std::string out;
  Line(&out, "puts", puts);
  Line(&out, "deletes", deletes);
  Line(&out, "gets", gets);
  Line(&out, "gets that found", gets_found);
  Line(&out, "iterators", iterators);
  Line(&out, "get latency", get_latency);
  Line(&out, "write latency", write_latency);
  Line(&out, "commit latency", commit_latency);
  Line(&out, "next seq", next_seq);
  Line(&out, "visible seq", visible_seq);
  Line(&out, "durable seq", durable_seq);
  Line(&out, "checkpoint seq", checkpoint_seq);
  Line(&out, "memtable bytes", memtable_bytes);
  Line(&out, "memtable records", memtable_records);
  Line(&out, "frozen memtables", frozen_memtables);
  Line(&out, "live snapshots", live_snapshots);
  Line(&out, "records (estimate)", estimated_records);
  Line(&out, "checkpoints", checkpoints);
  Line(&out, "checkpoint duration", checkpoint_duration);
  Line(&out, "checkpoint failures", checkpoint_failures);
  Line(&out, "write stalls", write_stalls);
  Line(&out, "records recovered", recovered_records);
  Line(&out, "recovery nanoseconds", recovery_nanos);
  AppendWal(wal, wal_recovery, &out);
  AppendPageStore(page_store, &out);
  return out;
}

}  // namespace emdb
