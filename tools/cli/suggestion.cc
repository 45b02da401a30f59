#include "tools/cli/suggestion.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace emdb::cli {
namespace {

constexpr size_t kMaxEdits = 2;

// The only one of `known` that starts with `word`, or null.
const std::string* FindByPrefix(std::string_view word, absl::Span<const std::string> known) {
  const std::string* found = nullptr;
  for (const std::string& candidate : known) {
    if (!candidate.starts_with(word)) continue;
    if (found != nullptr) return nullptr;
    found = &candidate;
  }
  return found;
}

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  // rows[i % 3][j]: the distance of the first i bytes of a to the first j of b.
  std::vector<std::vector<size_t>> rows(3, std::vector<size_t>(b.size() + 1));
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::vector<size_t>& row = rows[i % 3];
    const std::vector<size_t>& above = rows[(i - 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
}

std::string DidYouMean(std::string_view word, absl::Span<const std::string> known) {
  if (word.empty()) return "";
  const std::string* best = nullptr;
  size_t best_edits = kMaxEdits + 1;
  for (const std::string& candidate : known) {
    const size_t edits = EditDistance(word, candidate);
    if (edits < best_edits && edits * 2 < candidate.size()) {
      best = &candidate;
      best_edits = edits;
    }
  }
  if (best == nullptr) best = FindByPrefix(word, known);
  return best == nullptr ? "" : absl::StrCat("; did you mean ", *best, "?");
}

}  // namespace emdb::cli
