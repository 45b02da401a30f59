#include "storage/fault_disk.h"

#include <cerrno>

#include "storage/status.h"

namespace emdb {

uint64_t FaultDisk::State::Free() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : names.Newest()) used += inode->size();
  return used < capacity ? capacity - used : 0;
}

void FaultDisk::State::CutPower() {
  power_is_cut = true;
  // Threads may go on storing into their mappings.
  for (const VolatileNames::Inode& inode : names.Reachable()) inode->Freeze();
}

const FaultRule* FaultDisk::State::Admit(FileOp op, std::string_view path) {
  if (IsNumbered(op) && !power_is_cut && next_number >= power_cut_at) CutPower();
  for (FaultRule& rule : rules) {
    if (rule.matches != nullptr && !rule.matches(op, path)) continue;
    if (rule.skip > 0) {
      --rule.skip;
      return nullptr;
    }
    if (rule.count == 0) return nullptr;
    if (rule.count != UINT64_MAX) --rule.count;
    return &rule;
  }
  return nullptr;
}

absl::Status FaultDisk::Run(TraceEntry entry, Body body, FailedBody failed_body) {
  absl::Status status;
  Observer observer;
  {
    MutexLock lock(&mutex_);
    status = RunLocked(&entry, body, failed_body);
    observer = state_.observer;
  }
  // Under no lock, so that it can ask for images.
  if (observer != nullptr) observer(entry);
  return status;
}

absl::Status FaultDisk::RunLocked(TraceEntry* entry, Body body, FailedBody failed_body) {
  const FaultRule* const rule = state_.Admit(entry->op, entry->path);
  entry->number = state_.next_number;
  absl::Status status;
  if (state_.power_is_cut) {
    status = Annotate(IoError(EIO, FileOpName(entry->op), entry->path), "power is cut");
  } else if (rule != nullptr) {
    failed_body(*rule, &state_);
    status = IoError(rule->error_number, FileOpName(entry->op), entry->path);
  } else {
    status = body(&state_);
  }
  entry->ok = status.ok();
  if (IsNumbered(entry->op) && !state_.power_is_cut) ++state_.next_number;
  if (entry->op != FileOp::kRead) state_.trace.push_back(*entry);
  return status;
}

}  // namespace emdb
