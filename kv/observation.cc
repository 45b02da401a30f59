#include "kv/observation.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace emdb {
namespace {

std::string Quoted(std::string_view bytes) {
  constexpr size_t kShown = 40;
  std::string text = "'" + std::string(bytes.substr(0, kShown)) + "'";
  if (bytes.size() > kShown) text += "... (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

class Observer {
 public:
  Observer(const WaysOfReading& ways, const std::set<std::string>& keys)
      : ways_(ways), keys_(keys) {}

  Observation Run() {
    Scan(true);
    Scan(false);
    GetEach();
    GetAllAtOnce();
    return std::move(observation_);
  }

 private:
  void NoteError(const absl::Status& status) {
    if (observation_.error.ok()) observation_.error = status;
  }

  void NotePresent(std::string_view key, std::string_view value, const char* way) {
    const auto [entry, is_new] = observation_.present.emplace(key, value);
    if (entry->second != value || observation_.absent.contains(entry->first)) {
      Contradict(std::string(way) + " sees " + Quoted(key) + " as " + Quoted(value) +
                 ", which was seen otherwise before");
    }
  }

  void NoteAbsent(const std::string& key, const char* way) {
    observation_.absent.insert(key);
    if (observation_.present.contains(key)) {
      Contradict(std::string(way) + " does not see " + Quoted(key) + ", which was seen before");
    }
  }

  void Contradict(std::string what) {
    if (observation_.contradiction.empty()) observation_.contradiction = std::move(what);
  }

  // The asked-for keys strictly between two keys; nullptr: from the start or to the end.
  void NoteAbsentBetween(const std::string* low, const std::string* high, const char* way) {
    auto key = low == nullptr ? keys_.begin() : keys_.upper_bound(*low);
    for (; key != keys_.end() && (high == nullptr || *key < *high); ++key) NoteAbsent(*key, way);
  }

  void Scan(bool forward) {
    const char* const way = forward ? "a forward scan" : "a backward scan";
    const std::unique_ptr<Iterator> iterator = ways_.new_iterator();
    forward ? iterator->SeekToFirst() : iterator->SeekToLast();
    std::string last;
    bool is_first = true;
    while (iterator->Valid()) {
      const std::string key(iterator->key());
      if (!is_first && (forward ? key <= last : key >= last)) {
        Contradict(std::string(way) + " goes from " + Quoted(last) + " to " + Quoted(key));
        return;  // it might go round for ever
      }
      const std::string value(iterator->value());
      if (!iterator->status().ok()) break;  // a value that could not be read
      const std::string* const before = is_first ? nullptr : &last;
      NoteAbsentBetween(forward ? before : &key, forward ? &key : before, way);
      NotePresent(key, value, way);
      last = key;
      is_first = false;
      forward ? iterator->Next() : iterator->Prev();
    }
    NoteError(iterator->status());
    if (!iterator->status().ok()) return;
    const std::string* const end = is_first ? nullptr : &last;
    NoteAbsentBetween(forward ? end : nullptr, forward ? nullptr : end, way);
  }

  void Note(const std::string& key, const absl::Status& status, std::string_view value,
            const char* way) {
    if (status.ok()) {
      NotePresent(key, value, way);
    } else if (absl::IsNotFound(status)) {
      NoteAbsent(key, way);
    } else {
      NoteError(status);
    }
  }

  std::set<std::string> AllKeys() const {
    std::set<std::string> all = keys_;
    for (const auto& [key, value] : observation_.present) all.insert(key);
    return all;
  }

  void GetEach() {
    std::string value;
    for (const std::string& key : AllKeys()) {
      const absl::Status status = ways_.get(key, &value);
      Note(key, status, value, "a get");
    }
  }

  void GetAllAtOnce() {
    const std::set<std::string> all = AllKeys();
    const std::vector<std::string_view> keys(all.begin(), all.end());
    std::vector<std::string> values;
    const std::vector<absl::Status> statuses = ways_.multi_get(keys, &values);
    if (statuses.size() != keys.size() || values.size() != keys.size()) {
      Contradict("a multi-get returns as many answers as it likes");
      return;
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      Note(std::string(keys[i]), statuses[i], values[i], "a multi-get");
    }
  }

  const WaysOfReading& ways_;
  const std::set<std::string>& keys_;
  Observation observation_;
};

}  // namespace

Observation Observe(const Db& db, const std::set<std::string>& keys) {
  const WaysOfReading ways = {
      .new_iterator = [&db] { return db.NewIterator(); },
      .get = [&db](std::string_view key, std::string* value) { return db.Get(key, value); },
      .multi_get = [&db](absl::Span<const std::string_view> all,
                         std::vector<std::string>* values) { return db.MultiGet(all, values); }};
  return Observe(ways, keys);
}

Observation Observe(const WaysOfReading& ways, const std::set<std::string>& keys) {
  return Observer(ways, keys).Run();
}

std::string Difference(const Observation& observation, const Contents& contents) {
  if (!observation.contradiction.empty()) return observation.contradiction;
  for (const auto& [key, value] : observation.present) {
    const auto expected = contents.find(key);
    if (expected == contents.end()) return Quoted(key) + " should not be there";
    if (expected->second != value) {
      return Quoted(key) + " is " + Quoted(value) + ", not " + Quoted(expected->second);
    }
  }
  for (const std::string& key : observation.absent) {
    if (contents.contains(key)) return Quoted(key) + " is missing";
  }
  if (!observation.error.ok()) return "";
  for (const auto& [key, value] : contents) {
    if (!observation.present.contains(key)) return Quoted(key) + " was never shown";
  }
  return "";
}

}  // namespace emdb
