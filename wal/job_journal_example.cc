// The log as the journal of a job queue: a job is accepted when it is durable, and done when that
// is; after a crash every accepted job that was not done is found again. Run it twice:
//
//   bazel run //wal:job_journal_example -- /tmp/jobs.wal
//
// Each run takes up what the one before left, accepts three jobs, does all but the last one, and
// leaves.

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "wal/wal.h"

namespace emdb {
namespace {

// A queue whose state is what its journal says. A job's number is the seq of the entry that
// accepted it.
class JobQueue {
 public:
  static absl::StatusOr<std::unique_ptr<JobQueue>> Open(const std::string& path) {
    WalOptions options;
    options.flush_policy = FlushPolicy::Manual();
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Wal> journal, Wal::Open(path, options));
    std::unique_ptr<JobQueue> queue(new JobQueue(std::move(journal)));
    EMDB_RETURN_IF_ERROR(queue->Recover());
    return queue;
  }

  // On return a crash can no longer take the job away.
  absl::StatusOr<uint64_t> Accept(std::string_view job) {
    EMDB_ASSIGN_OR_RETURN(const uint64_t number, journal_->Append(absl::StrCat("+", ToAbsl(job))));
    EMDB_RETURN_IF_ERROR(journal_->WaitForSeq(number));
    open_jobs_.emplace(number, job);
    return number;
  }

  // Not synced: the worst that a power cut can do is to have the job done once more.
  absl::Status MarkDone(uint64_t number) {
    EMDB_RETURN_IF_ERROR(journal_->Append(absl::StrCat("-", number)).status());
    open_jobs_.erase(number);
    return absl::OkStatus();
  }

  // Copies what is open to a new segment and drops everything before it.
  absl::Status Compact() {
    EMDB_ASSIGN_OR_RETURN(const uint64_t first, journal_->Rotate());
    std::map<uint64_t, std::string> jobs;
    for (const auto& [number, job] : open_jobs_) {
      EMDB_ASSIGN_OR_RETURN(const uint64_t renumbered, journal_->Append(absl::StrCat("+", job)));
      jobs.emplace(renumbered, job);
    }
    // Before what they are copies of goes.
    EMDB_RETURN_IF_ERROR(journal_->Flush());
    open_jobs_ = std::move(jobs);
    return journal_->TruncateBefore(first);
  }

  absl::Status Close() { return journal_->Close(); }
  const std::map<uint64_t, std::string>& open_jobs() const { return open_jobs_; }

 private:
  explicit JobQueue(std::unique_ptr<Wal> journal) : journal_(std::move(journal)) {}

  absl::Status Recover() {
    return journal_->Replay(journal_->first_seq(), [this](uint64_t seq, std::string_view entry) {
      if (entry.starts_with('+')) {
        open_jobs_.emplace(seq, entry.substr(1));
      } else if (entry.starts_with('-')) {
        open_jobs_.erase(std::stoull(std::string(entry.substr(1))));
      } else {
        return absl::DataLossError(absl::StrCat("entry ", seq, " is none of this program's"));
      }
      return absl::OkStatus();
    });
  }

  const std::unique_ptr<Wal> journal_;
  std::map<uint64_t, std::string> open_jobs_;
};

absl::Status Run(const std::string& path) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<JobQueue> queue, JobQueue::Open(path));
  for (const auto& [number, job] : queue->open_jobs()) {
    std::printf("left from before: %llu %s\n", static_cast<unsigned long long>(number),
                job.c_str());
  }
  for (const char* job : {"wash", "dry", "fold"}) {
    EMDB_ASSIGN_OR_RETURN(const uint64_t number, queue->Accept(job));
    std::printf("accepted: %llu %s\n", static_cast<unsigned long long>(number), job);
  }
  while (queue->open_jobs().size() > 1) {
    const auto [number, job] = *queue->open_jobs().begin();
    std::printf("done: %llu %s\n", static_cast<unsigned long long>(number), job.c_str());
    EMDB_RETURN_IF_ERROR(queue->MarkDone(number));
  }
  EMDB_RETURN_IF_ERROR(queue->Compact());
  return queue->Close();
}

}  // namespace
}  // namespace emdb

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s JOURNAL\n", argv[0]);
    return 2;
  }
  const absl::Status status = emdb::Run(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
