#include "tools/quickstart/kill_proof.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/db.h"
#include "storage/status.h"

namespace emdb::quickstart {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

absl::Status WriteCount(int pipe_end, uint64_t count) {
  // Eight bytes are far below PIPE_BUF: they arrive whole or not at all.
  const ssize_t written = ::write(pipe_end, &count, sizeof(count));
  return written == sizeof(count) ? absl::OkStatus() : IoError(errno, "write", "the pipe");
}

// The next count, or `last` at the end, when the writer has died.
absl::StatusOr<uint64_t> ReadCount(int pipe_end, uint64_t last, bool* ended) {
  uint64_t count = 0;
  ssize_t size = 0;
  do {
    size = ::read(pipe_end, &count, sizeof(count));
  } while (size < 0 && errno == EINTR);
  if (size < 0) return IoError(errno, "read", "the pipe");
  *ended = size != sizeof(count);
  return *ended ? last : count;
}

// Reads acknowledgements, kills the writer at `kill_at` of them, and returns the last one it gave.
absl::StatusOr<uint64_t> KillWriterAt(pid_t writer, int pipe_end, uint64_t kill_at) {
  uint64_t acknowledged = 0;
  bool killed = false;
  for (bool ended = false; !ended;) {
    EMDB_ASSIGN_OR_RETURN(acknowledged, ReadCount(pipe_end, acknowledged, &ended));
    if (!killed && acknowledged >= kill_at) {
      if (::kill(writer, SIGKILL) != 0) return IoError(errno, "kill", "the writer");
      // What it acknowledged in the meantime counts too: read on to the end.
      killed = true;
    }
  }
  return acknowledged;
}

absl::Status ExpectKilled(pid_t writer) {
  int wait_status = 0;
  if (::waitpid(writer, &wait_status, 0) != writer) return IoError(errno, "waitpid", "the writer");
  if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL) return absl::OkStatus();
  return absl::InternalError("the writer ended by itself; its error stands above");
}

// Whether package `i` is stored as it is in the source; DataLoss if it is stored differently.
absl::StatusOr<bool> IsStored(const Db& db, const Package& package) {
  std::string value;
  const absl::Status status = db.Get(package.name, &value);
  if (absl::IsNotFound(status)) return false;
  EMDB_RETURN_IF_ERROR(status);
  if (value == package.stanza) return true;
  return absl::DataLossError(
      absl::StrCat(ToAbsl(package.name), " is stored with other bytes than its source"));
}

}  // namespace

absl::Status KillProof::Store(Db* db, uint64_t first, uint64_t end,
                              absl::FunctionRef<absl::Status(uint64_t count)> acknowledge) const {
  const std::vector<Package>& packages = index_->packages();
  WriteBatch batch;
  for (uint64_t i = first; i < end; ++i) {
    batch.Put(packages[i].name, packages[i].stanza);
    if ((i + 1) % kBatchPackages != 0 && i + 1 != end) continue;
    EMDB_RETURN_IF_ERROR(db->Write(batch, {.sync = true}));
    EMDB_RETURN_IF_ERROR(acknowledge(i + 1));
    batch.Clear();
  }
  return absl::OkStatus();
}

void KillProof::RunWriter(uint64_t end, int pipe_end) const {
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open({}, path_);
  absl::Status status = db.status();
  if (status.ok()) {
    status = Store(db->get(), stored_, end,
                   [pipe_end](uint64_t count) { return WriteCount(pipe_end, count); });
  }
  while (status.ok()) ::pause();
  std::fprintf(stderr, "writer: %s\n", status.ToString().c_str());
  ::_exit(1);
}

absl::StatusOr<KillProof::Round> KillProof::KillAndCheck() {
  Round round;
  round.first = stored_;
  // The writer gets at most half of what is left, in whole batches, so that later ones have
  // something to do. It is killed behind a random place in the first nine tenths of that.
  const uint64_t share =
      (index_->packages().size() - stored_) / 2 / kBatchPackages * kBatchPackages;
  if (share == 0)
    return absl::FailedPreconditionError(
        "too few packages are left to be killed in the middle of them");
  const uint64_t kill_at = stored_ + 1 + random_() % (share * 9 / 10);
  int ends[2];
  if (::pipe(ends) != 0) return IoError(errno, "pipe", "to the writer");
  const pid_t writer = ::fork();
  if (writer < 0) return IoError(errno, "fork", "the writer");
  if (writer == 0) {
    ::close(ends[0]);
    RunWriter(stored_ + share, ends[1]);
  }
  ::close(ends[1]);
  const absl::StatusOr<uint64_t> acknowledged = KillWriterAt(writer, ends[0], kill_at);
  ::close(ends[0]);
  EMDB_RETURN_IF_ERROR(ExpectKilled(writer));
  EMDB_RETURN_IF_ERROR(acknowledged.status());
  round.acknowledged = *acknowledged;
  EMDB_RETURN_IF_ERROR(CheckStore(&round));
  stored_ = round.recovered;
  return round;
}

absl::Status KillProof::CheckStore(Round* round) {
  const Clock::time_point start = Clock::now();
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                        Db::Open({.create_if_missing = false}, path_));
  round->open_seconds = SecondsSince(start);
  round->log_records_redone = db->GetStats().recovered_records;

  const std::vector<Package>& packages = index_->packages();
  for (bool stored = true; stored && round->recovered < packages.size();) {
    EMDB_ASSIGN_OR_RETURN(stored, IsStored(*db, packages[round->recovered]));
    if (stored) ++round->recovered;
  }
  if (round->recovered < round->acknowledged) {
    return absl::DataLossError(
        absl::StrCat(ToAbsl(packages[round->recovered].name), " was acknowledged and is missing"));
  }
  if (round->recovered % kBatchPackages != 0 && round->recovered != packages.size()) {
    return absl::DataLossError(
        absl::StrCat("a batch is there in part: it ends behind package ", round->recovered));
  }
  // Nothing may be there that is not among these.
  uint64_t count = 0;
  {
    const std::unique_ptr<Iterator> it = db->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
    EMDB_RETURN_IF_ERROR(it->status());
  }
  if (count != round->recovered) {
    return absl::DataLossError(
        absl::StrCat("the store holds ", count, " records, expected ", round->recovered));
  }
  return db->Close();
}

absl::StatusOr<Stats> KillProof::Finish() {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db, Db::Open({}, path_));
  EMDB_RETURN_IF_ERROR(Store(db.get(), stored_, index_->packages().size(),
                             [](uint64_t) { return absl::OkStatus(); }));
  const Stats stats = db->GetStats();
  EMDB_RETURN_IF_ERROR(db->Close());
  Round all;
  all.acknowledged = index_->packages().size();
  EMDB_RETURN_IF_ERROR(CheckStore(&all));
  stored_ = all.recovered;
  return stats;
}

}  // namespace emdb::quickstart
