#include "kv/order_monitor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "pagestore/reached_pages.h"
#include "storage/forwarding_env.h"
#include "storage/status.h"
#include "wal/segment_format.h"
#include "wal/wal.h"

namespace emdb {

class MonitoredStore final : public ForwardingFile {
 public:
  MonitoredStore(std::unique_ptr<File> base, OrderMonitor* monitor)
      : ForwardingFile(std::move(base)), monitor_(monitor) {}

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    monitor_->BeforeWrite(offset, data);
    absl::Status status = ForwardingFile::WriteAt(offset, data);
    monitor_->AfterWrite(offset, data, status.ok());
    return status;
  }
  absl::Status SyncData() override {
    const uint64_t began_at = monitor_->BeforeSync();
    absl::Status status = ForwardingFile::SyncData();
    if (status.ok()) monitor_->AfterSync(began_at);
    return status;
  }
  absl::Status Truncate(uint64_t size) override {
    monitor_->BeforeTruncate(size);
    return ForwardingFile::Truncate(size);
  }

 private:
  OrderMonitor* const monitor_;
};

class MonitoredEnv final : public ForwardingEnv {
 public:
  MonitoredEnv(Env* base, OrderMonitor* monitor) : ForwardingEnv(base), monitor_(monitor) {}

  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    const bool is_store = options.write && path == monitor_->store_path_;
    if (is_store) monitor_->BeforeOpen();
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, ForwardingEnv::OpenFile(path, options));
    if (is_store) file = std::make_unique<MonitoredStore>(std::move(file), monitor_);
    return file;
  }
  absl::Status Rename(std::string_view from, std::string_view to) override {
    monitor_->BeforeRename(from, to);
    return ForwardingEnv::Rename(from, to);
  }
  absl::Status Remove(std::string_view path) override {
    monitor_->BeforeRename(path, "");
    return ForwardingEnv::Remove(path);
  }

 private:
  OrderMonitor* const monitor_;
};

namespace {

constexpr std::array<size_t, 2> kCopies = {0, kHeaderCopyOffset};

// The newest header among the whole copies in `slots`: both slots or one, from the first byte.
std::optional<StoreHeader> NewestHeader(std::string_view slots) {
  std::optional<StoreHeader> newest;
  // Slots begin at multiples of the smallest page size.
  for (size_t slot = 0; slot < slots.size(); slot += kMinPageSize) {
    for (const size_t copy : kCopies) {
      if (slot + copy + kStoreHeaderSize > slots.size()) continue;
      StoreHeader header;
      if (!DecodeStoreHeader(slots.data() + slot + copy, &header).ok()) continue;
      if (!newest || header.generation > newest->generation) newest = header;
    }
  }
  return newest;
}

// All headers in the slots of the file, by generation.
std::map<uint64_t, StoreHeader> HeadersIn(const DiskImage& image, const std::string& path) {
  std::map<uint64_t, StoreHeader> headers;
  const auto file = image.files.find(path);
  if (file == image.files.end()) return headers;
  const std::string slots = file->second.Read(0, kHeaderSlots * size_t{kMaxPageSize});
  for (size_t at = 0; at + kStoreHeaderSize <= slots.size(); at += kHeaderCopyOffset) {
    StoreHeader header;
    if (!DecodeStoreHeader(slots.data() + at, &header).ok()) continue;
    if (at < kHeaderSlots * size_t{header.page_size}) headers[header.generation] = header;
  }
  return headers;
}

absl::StatusOr<OrderMonitor::Pages> PagesOf(const DiskImage& image, const std::string& path,
                                            const StoreHeader& header) {
  FaultEnv copy(image);
  EMDB_ASSIGN_OR_RETURN(std::vector<bool> pages, ReachedPages(&copy, path, header));
  return std::make_shared<const std::vector<bool>>(std::move(pages));
}

std::optional<SegmentHeader> SegmentIn(const DiskImage& image, std::string_view path) {
  const auto file = image.files.find(std::string(path));
  if (file == image.files.end()) return std::nullopt;
  SegmentHeader header;
  const std::string block = file->second.Read(0, kSegmentBlockBytes);
  if (block.size() < kSegmentBlockBytes) return std::nullopt;
  if (!DecodeSegmentHeader(block, path, &header).ok()) return std::nullopt;
  return header;
}

// The first seq of a sealed segment, which its name says.
std::optional<uint64_t> SealedSeq(std::string_view path, std::string_view log_path) {
  constexpr size_t kDigits = 20;
  if (path.size() != log_path.size() + 1 + kDigits || !path.starts_with(log_path)) {
    return std::nullopt;
  }
  const char* const end = path.data() + path.size();
  uint64_t seq = 0;
  const auto [stop, error] = std::from_chars(end - kDigits, end, seq);
  if (error != std::errc() || stop != end) return std::nullopt;
  return seq;
}

}  // namespace

OrderMonitor::OrderMonitor(FaultEnv* disk, std::string store_path)
    : disk_(disk),
      store_path_(std::move(store_path)),
      log_path_(Wal::PathFor(store_path_)),
      env_(std::make_unique<MonitoredEnv>(disk, this)) {
  const MutexLock lock(&mutex_);
  const DiskImage image = disk_->FullImage();
  const std::map<uint64_t, StoreHeader> headers = HeadersIn(image, store_path_);
  if (headers.empty()) return;
  const StoreHeader& newest = headers.rbegin()->second;
  page_size_ = newest.page_size;
  const absl::StatusOr<Pages> pages = PagesOf(image, store_path_, newest);
  if (pages.ok()) {
    generations_.push_back({newest, *pages, 0});
  } else {
    Fail("at the start: " + pages.status().ToString());
  }
}

OrderMonitor::~OrderMonitor() = default;

std::string OrderMonitor::failure() const {
  const MutexLock lock(&mutex_);
  return failure_;
}

uint64_t OrderMonitor::headers_checked() const {
  const MutexLock lock(&mutex_);
  return headers_checked_;
}

uint64_t OrderMonitor::segments_checked() const {
  const MutexLock lock(&mutex_);
  return segments_checked_;
}

OrderMonitor::Pages OrderMonitor::PinDurable() {
  const MutexLock lock(&mutex_);
  std::erase_if(pins_, [](const auto& pin) { return pin.expired(); });
  if (generations_.empty()) return nullptr;
  // A copy: the monitor itself holds the original.
  std::vector<bool> reached = *generations_.front().pages;
  for (const Generation& other : generations_) {
    reached.resize(std::min(reached.size(), other.pages->size()));
    for (size_t id = 0; id < reached.size(); ++id) reached[id] = reached[id] && (*other.pages)[id];
  }
  Pages pages = std::make_shared<const std::vector<bool>>(std::move(reached));
  pins_.push_back(pages);
  return pages;
}

void OrderMonitor::Fail(std::string what) {
  if (failure_.empty()) failure_ = std::move(what);
}

// ---- The store.

bool OrderMonitor::IsHeaderWrite(uint64_t offset) const {
  return offset < std::max<uint64_t>(1, uint64_t{kHeaderSlots} * page_size_);
}

void OrderMonitor::NotePages(uint64_t offset, size_t size) {
  const uint64_t end = (offset + size + page_size_ - 1) / page_size_;
  if (page_ticks_.size() < end) page_ticks_.resize(end);
  std::fill(page_ticks_.begin() + static_cast<ptrdiff_t>(offset / page_size_),
            page_ticks_.begin() + static_cast<ptrdiff_t>(end), tick_);
}

void OrderMonitor::BeforeWrite(uint64_t offset, std::string_view data) {
  const MutexLock lock(&mutex_);
  ++tick_;
  if (IsHeaderWrite(offset)) {
    const std::optional<StoreHeader> header = NewestHeader(data);
    if (!header) return Fail("a header slot is overwritten with what is no header");
    page_size_ = header->page_size;
    return CheckHeader(*header);
  }
  CheckNotReached(offset / page_size_, (offset + data.size() + page_size_ - 1) / page_size_,
                  "overwritten");
  NotePages(offset, data.size());
}

void OrderMonitor::AfterWrite(uint64_t offset, std::string_view data, bool ok) {
  const MutexLock lock(&mutex_);
  ++tick_;
  if (!IsHeaderWrite(offset)) return NotePages(offset, data.size());
  const std::optional<StoreHeader> header = NewestHeader(data);
  if (!header) return;
  const DiskImage image = disk_->FullImage();
  // Of a write that failed, a copy may be there all the same.
  if (!ok && !HeadersIn(image, store_path_).contains(header->generation)) return;
  const absl::StatusOr<Pages> pages = PagesOf(image, store_path_, *header);
  if (!pages.ok()) return;  // CheckHeader has said so
  generations_.push_back({*header, *pages, tick_});
}

void OrderMonitor::CheckHeader(const StoreHeader& header) {
  ++headers_checked_;
  const std::string name = "the header of generation " + std::to_string(header.generation);
  const absl::StatusOr<Pages> pages = PagesOf(disk_->FullImage(), store_path_, header);
  if (!pages.ok()) {
    return Fail(name + " is written, and reaches what is not there: " + pages.status().ToString());
  }
  for (size_t id = 0; id < (*pages)->size() && id < page_ticks_.size(); ++id) {
    if (!(**pages)[id] || page_ticks_[id] <= synced_tick_) continue;
    return Fail(name + " is written, and page " + std::to_string(id) +
                ", which it reaches, has not been synced");
  }
}

void OrderMonitor::CheckNotReached(uint64_t first_page, uint64_t end_page, std::string_view what) {
  const auto check = [&](const std::vector<bool>& pages,
                         const std::string& by) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (uint64_t id = first_page; id < std::min<uint64_t>(end_page, pages.size()); ++id) {
      if (!pages[id]) continue;
      return Fail("page " + std::to_string(id) + " is " + std::string(what) + ", and reached by " +
                  by);
    }
  };
  for (const Generation& generation : generations_) {
    check(*generation.pages, "generation " + std::to_string(generation.header.generation));
  }
  for (const auto& pin : pins_) {
    if (const Pages pages = pin.lock(); pages != nullptr) check(*pages, "a pinned generation");
  }
}

void OrderMonitor::BeforeTruncate(uint64_t size) {
  const MutexLock lock(&mutex_);
  if (page_size_ == 0) return;
  CheckNotReached((size + page_size_ - 1) / page_size_, UINT64_MAX, "cut off");
}

uint64_t OrderMonitor::BeforeSync() {
  const MutexLock lock(&mutex_);
  return tick_;
}

void OrderMonitor::AfterSync(uint64_t began_at) {
  const MutexLock lock(&mutex_);
  synced_tick_ = std::max(synced_tick_, began_at);
  // The last one that was written before is durable; from there on it counts.
  const auto durable = std::find_if(
      generations_.rbegin(), generations_.rend(),
      [synced = synced_tick_](const Generation& written) { return written.written_at <= synced; });
  if (durable != generations_.rend()) {
    generations_.erase(generations_.begin(), std::prev(durable.base()));
  }
}

void OrderMonitor::BeforeOpen() {
  const MutexLock lock(&mutex_);
  if (generations_.size() < 2) return;
  const std::map<uint64_t, StoreHeader> headers = HeadersIn(disk_->FullImage(), store_path_);
  generations_.erase(std::remove_if(generations_.begin() + 1, generations_.end(),
                                    [&](const Generation& written) {
                                      const auto found = headers.find(written.header.generation);
                                      return found == headers.end() ||
                                             found->second != written.header;
                                    }),
                     generations_.end());
}

// ---- The log.

void OrderMonitor::BeforeRename(std::string_view from, std::string_view to) {
  const MutexLock lock(&mutex_);
  const DiskImage image = disk_->FullImage();
  if (!image.files.contains(std::string(from))) return;
  const std::optional<uint64_t> sealed = SealedSeq(from, log_path_);
  if (from == log_path_) {
    if (!SealedSeq(to, log_path_)) Fail("the active log segment goes, and is not sealed");
  } else if (sealed) {
    // It ends where the next one begins.
    uint64_t end_seq = UINT64_MAX;
    for (const auto& [path, bytes] : image.files) {
      const std::optional<uint64_t> seq = SealedSeq(path, log_path_);
      if (seq && *seq > *sealed) end_seq = std::min(end_seq, *seq);
    }
    const std::optional<SegmentHeader> active = SegmentIn(image, log_path_);
    if (active) end_seq = std::min(end_seq, active->first_seq);
    CheckSegmentGoes(from, end_seq);
  } else if (to == log_path_) {
    const std::optional<SegmentHeader> replaced = SegmentIn(image, log_path_);
    const std::optional<SegmentHeader> next = SegmentIn(image, from);
    if (!next) return Fail("what becomes the active log segment is none");
    // One without records may be replaced at any time.
    if (replaced && replaced->first_seq != next->first_seq) {
      CheckSegmentGoes(log_path_, next->first_seq);
    }
  }
}

void OrderMonitor::CheckSegmentGoes(std::string_view path, uint64_t end_seq) {
  ++segments_checked_;
  const uint64_t next_seq = generations_.empty() ? 0 : generations_.front().header.next_seq;
  if (next_seq >= end_seq) return;
  Fail(std::string(path) + " goes, which holds records below seq " + std::to_string(end_seq) +
       ", and the durable header has only what is below " + std::to_string(next_seq));
}

}  // namespace emdb
