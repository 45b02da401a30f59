#include "tools/bench/workload.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "storage/status.h"

namespace emdb::bench {

uint64_t Sizing::Scaled(uint64_t count) const {
  constexpr uint64_t kLeast = 100;
  return std::max(kLeast, static_cast<uint64_t>(static_cast<double>(count) * scale));
}

absl::Status StageContext::Emit(absl::StatusOr<Measurement> measurement) {
  EMDB_RETURN_IF_ERROR(measurement.status());
  measurement->engine = engine_->name;
  channel_->Send(measurement->ToJson().ToString());
  return absl::OkStatus();
}

absl::Status StageContext::EmitValue(std::string_view phase, Unit unit, double value) {
  Measurement measurement;
  measurement.phase = phase;
  measurement.unit = unit;
  measurement.value = value;
  return Emit(std::move(measurement));
}

void StageContext::KillProcess() {
  kill(getpid(), SIGKILL);
  // The signal arrives before kill returns; this is for the compiler.
  _exit(1);
}

}  // namespace emdb::bench
