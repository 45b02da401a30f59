#include "kv/commit_model.h"

#include "storage/check.h"

namespace emdb {
namespace {

void Apply(const CommitModel::Changes& changes, Contents* contents) {
  for (const auto& [key, value] : changes) {
    if (value.has_value()) {
      (*contents)[key] = *value;
    } else {
      contents->erase(key);
    }
  }
}

}  // namespace

void CommitModel::Record(Changes changes, Outcome outcome) {
  for (const auto& [key, value] : changes) keys_.insert(key);
  if (outcome == Outcome::kUncertain) {
    ++uncertain_;
  } else {
    Apply(changes, &visible_);
  }
  commits_.push_back({std::move(changes), outcome});
  if (outcome == Outcome::kDurable) MarkDurable();
}

void CommitModel::MarkDurable() { durable_ = commits_.size(); }

Contents CommitModel::StateOf(size_t count, uint64_t left_out) const {
  Contents state = base_;
  for (size_t i = 0, uncertain = 0; i < count; ++i) {
    if (commits_[i].outcome == Outcome::kUncertain && ((left_out >> uncertain++) & 1) != 0) {
      continue;
    }
    Apply(commits_[i].changes, &state);
  }
  return state;
}

std::string CommitModel::Reopened(const Observation& found, Loss loss) {
  EMDB_CHECK(uncertain_ < 12);  // all combinations of them are tried
  const size_t fewest = loss == Loss::kNothing ? commits_.size() : durable_;
  for (size_t count = commits_.size() + 1; count-- > fewest;) {
    for (uint64_t left_out = 0; left_out < uint64_t{1} << uncertain_; ++left_out) {
      Contents state = StateOf(count, left_out);
      if (!Difference(found, state).empty()) continue;
      base_ = state;
      visible_ = std::move(state);
      commits_.clear();
      durable_ = 0;
      uncertain_ = 0;
      return "";
    }
  }
  return "no allowed state: of " + std::to_string(commits_.size()) + " commits, " +
         std::to_string(durable_) + " of them durable, with all of them " +
         Difference(found, visible_) + "; with the durable ones only " +
         Difference(found, StateOf(durable_, UINT64_MAX));
}

}  // namespace emdb
