#include "tools/cli/progress.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/status.h"

namespace emdb::cli {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kFirstAfterNanos = 500 * kMillisecond;
constexpr uint64_t kRedrawNanos = 100 * kMillisecond;
constexpr uint64_t kLineEveryNanos = 3000 * kMillisecond;
constexpr size_t kBarCells = 30;
// The clock is read once in so many updates.
constexpr uint64_t kUpdatesPerClockRead = 64;

std::string Bar(double fraction) {
  const auto full = static_cast<size_t>(fraction * kBarCells);
  return absl::StrCat("[", std::string(full, '#'), std::string(kBarCells - full, '.'), "]");
}

}  // namespace

Progress::Progress(const Console* console, Options options)
    : console_(console),
      options_(std::move(options)),
      start_nanos_(console->env->NowNanos()),
      next_nanos_(start_nanos_ + (console->err_is_terminal ? kFirstAfterNanos : kLineEveryNanos)) {}

Progress::~Progress() {
  if (bar_drawn_) std::fputs("\r\x1b[K", console_->err);
}

void Progress::Update(uint64_t done, uint64_t total) {
  if (options_.quiet || updates_++ % kUpdatesPerClockRead != 0) return;
  const uint64_t now = console_->env->NowNanos();
  if (now < next_nanos_) return;
  next_nanos_ = now + (console_->err_is_terminal ? kRedrawNanos : kLineEveryNanos);
  Show(done, total, now);
}

void Progress::Show(uint64_t done, uint64_t total, uint64_t now_nanos) {
  const bool is_bytes = options_.unit == "bytes";
  const auto amount = [is_bytes](uint64_t n) { return is_bytes ? ByteSize(n) : WithCommas(n); };
  const std::string unit = is_bytes ? "" : absl::StrCat(" ", options_.unit);
  const double seconds = static_cast<double>(now_nanos - start_nanos_) * 1e-9;
  const double rate = static_cast<double>(done) / std::max(seconds, 1e-9);
  std::string line = absl::StrCat(options_.label, ": ");
  if (total > 0) {
    const double fraction = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const double seconds_left = (1 - fraction) * static_cast<double>(total) / std::max(rate, 1e-9);
    if (console_->err_is_terminal) absl::StrAppend(&line, Bar(fraction), " ");
    absl::StrAppendFormat(&line, "%.0f%%, %s of %s%s, %.0f s left", fraction * 100, amount(done),
                          amount(total), unit, std::min(seconds_left, 1e6));
  } else {
    absl::StrAppendFormat(&line, "%s%s, %s a second", amount(done), unit,
                          amount(static_cast<uint64_t>(rate)));
  }
  if (console_->err_is_terminal) {
    std::fprintf(console_->err, "\r%s\x1b[K", line.c_str());
    std::fflush(console_->err);
    bar_drawn_ = true;
  } else {
    console_->Note(line);
  }
}

std::string WithCommas(uint64_t number) {
  std::string digits = absl::StrCat(number);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string ByteSize(uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " bytes");
  double size = static_cast<double>(bytes);
  size_t unit = 0;
  while (size >= 1024 && unit + 1 < std::size(kUnits)) {
    size /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", size, kUnits[unit]);
}

}  // namespace emdb::cli
