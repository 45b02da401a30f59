#include "wal/log_files.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr std::string_view kBufferSuffix = ".buffer";
constexpr std::string_view kSpareInfix = ".spare.";
constexpr size_t kSeqDigits = 20;

// The number that `digits` is the decimal form of, and nothing else.
std::optional<uint64_t> ParseNumber(std::string_view digits) {
  uint64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

std::optional<uint64_t> ParseSealedSuffix(std::string_view suffix) {
  if (suffix.size() != 1 + kSeqDigits || suffix[0] != '.') return std::nullopt;
  return ParseNumber(suffix.substr(1));
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogFiles>> LogFiles::Open(Env* env, std::string path) {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Directory> directory,
                        env->OpenDirectory(DirectoryOf(path)));
  return std::unique_ptr<LogFiles>(new LogFiles(env, std::move(path), std::move(directory)));
}

LogFiles::LogFiles(Env* env, std::string path, std::unique_ptr<Directory> directory)
    : env_(env), path_(std::move(path)), directory_(std::move(directory)) {}

std::string LogFiles::PathFor(std::string_view store_path) {
  const std::string_view name = FileNameOf(store_path);
  if (name.empty() || name == "." || name == "..") {
    const bool needs_slash = !name.empty();
    return absl::StrCat(ToAbsl(store_path), needs_slash ? "/" : "", "emdb.v4.wal");
  }
  return absl::StrCat(ToAbsl(store_path), ".v4.wal");
}

std::string LogFiles::SealedPath(uint64_t first_seq) const {
  const std::string digits = absl::StrCat(first_seq);
  return absl::StrCat(path_, ".", std::string(kSeqDigits - digits.size(), '0'), digits);
}

std::string LogFiles::BufferPath() const { return absl::StrCat(path_, ToAbsl(kBufferSuffix)); }

std::string LogFiles::NewSparePath() {
  // Only has to differ from call to call.
  const uint64_t n = next_spare_.fetch_add(1, std::memory_order_relaxed);
  return absl::StrCat(path_, ToAbsl(kSpareInfix), n);
}

absl::StatusOr<LogFiles::Listing> LogFiles::List() const {
  EMDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, directory_->List());
  const std::string_view own = FileNameOf(path_);
  Listing listing;
  for (const std::string& name : names) {
    if (!std::string_view(name).starts_with(own)) continue;
    const std::string_view suffix = std::string_view(name).substr(own.size());
    if (suffix.empty()) {
      listing.has_active = true;
    } else if (suffix == kBufferSuffix) {
      listing.has_buffer = true;
    } else if (suffix.starts_with(kSpareInfix) && ParseNumber(suffix.substr(kSpareInfix.size()))) {
      listing.spares.push_back(absl::StrCat(path_, ToAbsl(suffix)));
    } else if (const std::optional<uint64_t> first_seq = ParseSealedSuffix(suffix)) {
      listing.sealed.push_back(*first_seq);
    }
  }
  std::sort(listing.sealed.begin(), listing.sealed.end());
  return listing;
}

absl::Status LogFiles::Remove(std::string_view path) {
  const absl::Status status = env_->Remove(path);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status LogFiles::SyncDirectory() {
  MutexLock lock(&sync_mutex_);
  if (sync_failure_.ok()) sync_failure_ = directory_->Sync();
  return sync_failure_;
}

}  // namespace emdb
