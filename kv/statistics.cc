#include "kv/statistics.h"

#include <algorithm>

#include "storage/thread_ordinal.h"

namespace emdb {

Statistics::Shard& Statistics::shard() { return shards_[std::min(ThreadOrdinal(), kOwnedShards)]; }

void Statistics::AddTo(Stats* out) const {
  for (size_t i = 0; i <= kOwnedShards; ++i) {
    const Shard& shard = shards_[i];
    out->puts += shard.puts.Get();
    out->deletes += shard.deletes.Get();
    out->gets += shard.gets.Get();
    out->gets_found += shard.gets_found.Get();
    out->iterators += shard.iterators.Get();
    shard.get_latency.AddTo(&out->get_latency);
    shard.write_latency.AddTo(&out->write_latency);
  }
  commit_latency_.AddTo(&out->commit_latency);
  checkpoint_duration.AddTo(&out->checkpoint_duration);
  write_stalls.AddTo(&out->write_stalls);
  out->checkpoints += checkpoints.Get();
  out->checkpoint_failures += checkpoint_failures.Get();
}

}  // namespace emdb
