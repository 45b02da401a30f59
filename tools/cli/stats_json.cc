#include "tools/cli/stats_json.h"

#include <cstdint>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::cli {
namespace {

// An object whose names need no escapes.
class JsonObject {
 public:
  JsonObject& Add(std::string_view name, uint64_t number) {
    return AddText(name, absl::StrCat(number));
  }
  JsonObject& Add(std::string_view name, const JsonObject& object) {
    return AddText(name, object.ToString());
  }
  JsonObject& AddBool(std::string_view name, bool value) {
    return AddText(name, value ? "true" : "false");
  }
  std::string ToString() const { return absl::StrCat("{", members_, "}"); }

 private:
  JsonObject& AddText(std::string_view name, std::string_view text) {
    absl::StrAppend(&members_, members_.empty() ? "\"" : ",\"", ToAbsl(name), "\":", ToAbsl(text));
    return *this;
  }

  std::string members_;
};

JsonObject HistogramJson(const LatencyHistogram& histogram) {
  return JsonObject()
      .Add("count", histogram.count)
      .Add("mean_nanos", histogram.mean_nanos())
      .Add("p50_nanos", histogram.PercentileNanos(0.5))
      .Add("p99_nanos", histogram.PercentileNanos(0.99))
      .Add("p999_nanos", histogram.PercentileNanos(0.999))
      .Add("max_nanos", histogram.max_nanos);
}

JsonObject WalJson(const WalStats& wal) {
  return JsonObject()
      .Add("records_appended", wal.records_appended)
      .Add("bytes_appended", wal.bytes_appended)
      .Add("bytes_written", wal.bytes_written)
      .Add("syncs", wal.syncs)
      .Add("groups", wal.groups)
      .Add("records_synced", wal.records_synced)
      .Add("sync_latency", HistogramJson(wal.sync_latency))
      .Add("append_waits", wal.append_waits)
      .Add("segments_created", wal.segments_created)
      .Add("segments_recycled", wal.segments_recycled)
      .Add("segments_live", wal.segments_live);
}

JsonObject RecoveryJson(const WalRecovery& recovery) {
  return JsonObject()
      .Add("first_seq", recovery.first_seq)
      .Add("records", recovery.records)
      .Add("records_from_buffer", recovery.records_from_buffer)
      .Add("segments", recovery.segments)
      .Add("bytes_cut", recovery.bytes_cut)
      .AddBool("was_clean", recovery.was_clean);
}

JsonObject PagesJson(const PageStoreStats& pages) {
  return JsonObject()
      .Add("generation", pages.generation)
      .Add("next_seq", pages.next_seq)
      .Add("records", pages.records)
      .Add("slice_records", pages.slice_records)
      .Add("slice_pages", pages.slice_pages)
      .Add("page_size_bytes", pages.page_size_bytes)
      .Add("height", pages.height)
      .Add("file_pages", pages.file_pages)
      .Add("live_pages", pages.live_pages)
      .Add("free_pages", pages.free_pages)
      .Add("pending_pages", pages.pending_pages)
      .Add("cache_bytes", pages.cache_bytes)
      .Add("cache_capacity_bytes", pages.cache_capacity_bytes)
      .Add("cache_hits", pages.cache_hits)
      .Add("cache_misses", pages.cache_misses)
      .Add("cache_evictions", pages.cache_evictions)
      .Add("checkpoints", pages.checkpoints)
      .Add("pages_written", pages.pages_written)
      .Add("bytes_written", pages.bytes_written)
      .Add("bytes_read", pages.bytes_read)
      .Add("syncs", pages.syncs);
}

}  // namespace

std::string StatsToJson(const Stats& stats) {
  return JsonObject()
      .Add("puts", stats.puts)
      .Add("deletes", stats.deletes)
      .Add("gets", stats.gets)
      .Add("gets_found", stats.gets_found)
      .Add("iterators", stats.iterators)
      .Add("get_latency", HistogramJson(stats.get_latency))
      .Add("write_latency", HistogramJson(stats.write_latency))
      .Add("commit_latency", HistogramJson(stats.commit_latency))
      .Add("next_seq", stats.next_seq)
      .Add("visible_seq", stats.visible_seq)
      .Add("durable_seq", stats.durable_seq)
      .Add("checkpoint_seq", stats.checkpoint_seq)
      .Add("memtable_bytes", stats.memtable_bytes)
      .Add("memtable_records", stats.memtable_records)
      .Add("frozen_memtables", stats.frozen_memtables)
      .Add("live_snapshots", stats.live_snapshots)
      .Add("estimated_records", stats.estimated_records)
      .Add("checkpoints", stats.checkpoints)
      .Add("checkpoint_duration", HistogramJson(stats.checkpoint_duration))
      .Add("checkpoint_failures", stats.checkpoint_failures)
      .Add("write_stalls", HistogramJson(stats.write_stalls))
      .Add("recovered_records", stats.recovered_records)
      .Add("recovery_nanos", stats.recovery_nanos)
      .Add("wal", WalJson(stats.wal))
      .Add("wal_recovery", RecoveryJson(stats.wal_recovery))
      .Add("page_store", PagesJson(stats.page_store))
      .ToString();
}

}  // namespace emdb::cli
