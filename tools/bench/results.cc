#include "tools/bench/results.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

JsonValue PairsToJson(const std::vector<std::pair<std::string, std::string>>& pairs) {
  JsonValue json = JsonValue::MakeObject();
  for (const auto& [name, value] : pairs) json.Add(name, std::string_view(value));
  return json;
}

std::vector<std::pair<std::string, std::string>> PairsFromJson(const JsonValue& json) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : json.AsObject()) pairs.emplace_back(name, value.AsString());
  return pairs;
}

}  // namespace

JsonValue RunDescription::ToJson() const {
  JsonValue json = JsonValue::MakeObject();
  json.Add("type", "run");
  json.Add("date", std::string_view(date));
  json.Add("command", std::string_view(command));
  json.Add("profile", std::string_view(profile));
  json.Add("machine", PairsToJson(machine));
  JsonValue engines_json = JsonValue::MakeArray();
  for (const EngineDescription& engine : engines) {
    engines_json.Append(PairsToJson({{"name", engine.name},
                                     {"version", engine.version},
                                     {"setup", engine.setup},
                                     {"durability", engine.durability}}));
  }
  json.Add("engines", std::move(engines_json));
  json.Add("workloads", PairsToJson(workloads));
  return json;
}

RunDescription RunDescription::FromJson(const JsonValue& json) {
  RunDescription run;
  run.date = json["date"].AsString();
  run.command = json["command"].AsString();
  run.profile = json["profile"].AsString();
  run.machine = PairsFromJson(json["machine"]);
  for (const JsonValue& engine : json["engines"].AsArray()) {
    run.engines.push_back({.name = engine["name"].AsString(),
                           .version = engine["version"].AsString(),
                           .setup = engine["setup"].AsString(),
                           .durability = engine["durability"].AsString()});
  }
  run.workloads = PairsFromJson(json["workloads"]);
  return run;
}

std::string Results::ToJsonLines() const {
  std::string text = run.ToJson().ToString() + "\n";
  for (const Measurement& measurement : measurements) {
    text += measurement.ToJson().ToString() + "\n";
  }
  for (const Failure& failure : failures) text += failure.ToJson().ToString() + "\n";
  if (is_complete) {
    JsonValue end = JsonValue::MakeObject();
    end.Add("type", "end");
    text += end.ToString() + "\n";
  }
  return text;
}

absl::StatusOr<Results> Results::FromJsonLines(std::string_view text) {
  Results results;
  int line_number = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    if (end == std::string_view::npos) break;
    ++line_number;
    const absl::StatusOr<JsonValue> json = JsonValue::Parse(text.substr(start, end - start));
    if (!json.ok()) return Annotate(json.status(), absl::StrCat("line ", line_number));
    const std::string& type = (*json)["type"].AsString();
    if (type == "run") {
      results.run = RunDescription::FromJson(*json);
    } else if (type == "measurement") {
      results.measurements.push_back(Measurement::FromJson(*json));
    } else if (type == "failure") {
      results.failures.push_back(Failure::FromJson(*json));
    } else if (type == "end") {
      results.is_complete = true;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", line_number, ": unknown type \"", type, "\""));
    }
    start = end + 1;
  }
  return results;
}

absl::Status WriteFile(const std::string& path, std::string_view contents) {
  const std::string temporary = path + ".tmp";
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << contents;
  file.close();
  if (!file) return IoError(errno, "write", temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0) return IoError(errno, "rename", path);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return IoError(errno, "open", path);
  std::ostringstream contents;
  contents << file.rdbuf();
  if (contents.bad()) return IoError(errno, "read", path);
  return contents.str();
}

}  // namespace emdb::bench
