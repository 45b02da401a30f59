#include "tools/cli/tab_separated.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::cli {

absl::StatusOr<bool> TabSeparatedReader::Next(Record* record) {
  EMDB_ASSIGN_OR_RETURN(const bool found, lines_->Next());
  if (!found) return false;
  const std::string_view line = lines_->line();
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos) {
    return lines_->Error("expected a key, a tab and a value; found no tab");
  }
  if (line.find('\t', tab + 1) != std::string_view::npos) {
    return lines_->Error("expected one tab, found more: write a tab within a key or value as \\t");
  }
  absl::StatusOr<std::string> key = ParseBytes(format_.key, line.substr(0, tab));
  if (!key.ok()) return lines_->Error(absl::StrCat("key: ", key.status().message()));
  absl::StatusOr<std::string> value = ParseBytes(format_.value, line.substr(tab + 1));
  if (!value.ok()) return lines_->Error(absl::StrCat("value: ", value.status().message()));
  record->key = *std::move(key);
  record->value = *std::move(value);
  return true;
}

absl::Status TabSeparatedWriter::Write(std::string_view key, std::string_view value) {
  buffer_.clear();
  AppendFormatted(format_.key, key, &buffer_);
  if (!keys_only_) {
    buffer_.push_back('\t');
    AppendFormatted(format_.value, value, &buffer_);
  }
  buffer_.push_back('\n');
  return console_->Write(buffer_);
}

}  // namespace emdb::cli
