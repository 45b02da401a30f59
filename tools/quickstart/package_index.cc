#include "tools/quickstart/package_index.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/owned_file.h"

namespace emdb::quickstart {
namespace {

constexpr std::string_view kNameField = "Package: ";

// The value of the field "Package", empty if there is none.
std::string_view FindName(std::string_view stanza) {
  size_t at = 0;
  while (at < stanza.size()) {
    const size_t end = std::min(stanza.find('\n', at), stanza.size());
    const std::string_view line = stanza.substr(at, end - at);
    if (line.starts_with(kNameField)) return line.substr(kNameField.size());
    at = end + 1;
  }
  return {};
}

}  // namespace

absl::StatusOr<PackageIndex> PackageIndex::Read(const std::string& path) {
  const OwnedFile file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) return IoError(errno, "open", path);
  std::string text;
  std::string piece(1 << 20, '\0');
  while (const size_t size = std::fread(piece.data(), 1, piece.size(), file.get())) {
    text.append(piece, 0, size);
  }
  if (std::ferror(file.get()) != 0) return IoError(errno, "read", path);
  absl::StatusOr<PackageIndex> index = Parse(std::move(text));
  if (!index.ok()) return Annotate(index.status(), path);
  return index;
}

absl::StatusOr<PackageIndex> PackageIndex::Parse(std::string text) {
  PackageIndex index;
  // Short strings live inside the object: give the text its place before pointing into it.
  index.text_ = std::move(text);
  index.text_.reserve(index.text_.size() + 64);
  const std::string_view all = index.text_;
  std::unordered_set<std::string_view> seen;
  size_t at = 0;
  while (at < all.size()) {
    const size_t end = std::min(all.find("\n\n", at), all.size());
    const std::string_view stanza = all.substr(at, end - at);
    if (!stanza.empty() && stanza != "\n") {
      const std::string_view name = FindName(stanza);
      if (name.empty()) {
        return absl::DataLossError(absl::StrCat("the stanza at byte ", at, " has no line \"",
                                                ToAbsl(kNameField), "...\""));
      }
      ++index.stanza_count_;
      if (seen.insert(name).second) index.packages_.push_back({.name = name, .stanza = stanza});
    }
    at = end + 2;
  }
  if (index.packages_.empty()) {
    return absl::FailedPreconditionError("no package stanzas; run `apt-get update` first");
  }
  return index;
}

uint64_t PackageIndex::size_bytes() const {
  uint64_t size = 0;
  for (const Package& package : packages_) size += package.name.size() + package.stanza.size();
  return size;
}

}  // namespace emdb::quickstart
