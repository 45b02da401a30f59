#include "pagestore/write_behind.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/status.h"
#include "storage/thread.h"

namespace emdb {
namespace {

// Takes up to `most` pages from the front of *runs.
std::vector<PageRun> TakeFront(uint32_t most, absl::Span<PageRun>* runs) {
  std::vector<PageRun> taken;
  while (most > 0 && !runs->empty()) {
    PageRun& run = runs->front();
    const uint32_t count = std::min(most, run.count);
    taken.push_back({run.first, count});
    run.first += count;
    run.count -= count;
    most -= count;
    if (run.count == 0) runs->remove_prefix(1);
  }
  return taken;
}

}  // namespace

WriteBehind::~WriteBehind() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(&mutex_);
    is_stopping_ = true;
    work_.Signal();
  }
  thread_.join();
}

char* WriteBehind::buffer() {
  AlignedBuffer& buffer = buffers_[filling_];
  if (buffer.size() == 0) buffer = AlignedBuffer(buffer_bytes_);
  return buffer.data();
}

absl::Status WriteBehind::Write(absl::Span<const PageRun> runs) {
  Job job(runs.begin(), runs.end());
  if (!thread_.joinable()) {
    absl::StatusOr<std::thread> thread = StartThread("page writer", [this] { Run(); });
    if (!thread.ok()) return WriteHere(std::move(job));
    thread_ = *std::move(thread);
  }
  MutexLock lock(&mutex_);
  jobs_[filling_] = std::move(job);
  filling_ = (filling_ + 1) % kBuffers;
  ++jobs_left_;
  work_.Signal();
  while (jobs_left_ == kBuffers) done_.Wait(&mutex_);
  return error_;
}

// Without a thread nothing else is under way, and the same buffer can be filled again.
absl::Status WriteBehind::WriteHere(Job job) {
  MutexLock lock(&mutex_);
  if (error_.ok()) error_ = WriteBuffer(std::move(job), buffers_[filling_]);
  return error_;
}

absl::Status WriteBehind::WriteBuffer(Job job, const AlignedBuffer& buffer) {
  std::string_view pages(buffer.data(), buffer.size());
  absl::Span<PageRun> runs = absl::MakeSpan(job);
  while (disk_is_wanted_ != nullptr && !runs.empty() && disk_is_wanted_()) {
    const Job piece = TakeFront(static_cast<uint32_t>(kPieceBytes / file_->page_size()), &runs);
    EMDB_RETURN_IF_ERROR(file_->WriteRuns(piece, pages));
    for (const PageRun& run : piece) pages.remove_prefix(size_t{run.count} * file_->page_size());
  }
  return runs.empty() ? absl::OkStatus() : file_->WriteRuns(runs, pages);
}

absl::Status WriteBehind::Finish() {
  MutexLock lock(&mutex_);
  while (jobs_left_ > 0) done_.Wait(&mutex_);
  return error_;
}

void WriteBehind::Run() {
  size_t at = 0;
  while (true) {
    Job job;
    bool is_wanted = true;
    {
      MutexLock lock(&mutex_);
      while (jobs_left_ == 0 && !is_stopping_) work_.Wait(&mutex_);
      if (jobs_left_ == 0) return;
      job = std::move(jobs_[at]);
      is_wanted = error_.ok();
    }
    absl::Status status;
    if (is_wanted) status = WriteBuffer(std::move(job), buffers_[at]);
    at = (at + 1) % kBuffers;
    MutexLock lock(&mutex_);
    if (error_.ok()) error_ = std::move(status);
    --jobs_left_;
    done_.Signal();
  }
}

}  // namespace emdb
