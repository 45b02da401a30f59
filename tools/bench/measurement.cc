#include "tools/bench/measurement.h"

namespace emdb::bench {
namespace {

JsonValue LatencyToJson(const LatencySummary& latency) {
  JsonValue json = JsonValue::MakeObject();
  json.Add("count", static_cast<double>(latency.count));
  json.Add("p50_ns", static_cast<double>(latency.p50_ns));
  json.Add("p90_ns", static_cast<double>(latency.p90_ns));
  json.Add("p99_ns", static_cast<double>(latency.p99_ns));
  json.Add("p999_ns", static_cast<double>(latency.p999_ns));
  json.Add("p9999_ns", static_cast<double>(latency.p9999_ns));
  json.Add("max_ns", static_cast<double>(latency.max_ns));
  return json;
}

LatencySummary LatencyFromJson(const JsonValue& json) {
  return {.count = json["count"].AsInteger(),
          .p50_ns = json["p50_ns"].AsInteger(),
          .p90_ns = json["p90_ns"].AsInteger(),
          .p99_ns = json["p99_ns"].AsInteger(),
          .p999_ns = json["p999_ns"].AsInteger(),
          .p9999_ns = json["p9999_ns"].AsInteger(),
          .max_ns = json["max_ns"].AsInteger()};
}

Unit UnitFromName(std::string_view name) {
  for (const Unit unit : {Unit::kSeconds, Unit::kBytes, Unit::kRatio}) {
    if (name == UnitName(unit)) return unit;
  }
  return Unit::kPerSecond;
}

}  // namespace

std::string_view UnitName(Unit unit) {
  switch (unit) {
    case Unit::kPerSecond:
      return "op/s";
    case Unit::kSeconds:
      return "s";
    case Unit::kBytes:
      return "bytes";
    case Unit::kRatio:
      return "x";
  }
  return "";
}

void Measurement::Extend(const Measurement& more) {
  seconds += more.seconds;
  cpu_seconds += more.cpu_seconds;
  syncs += more.syncs;
  bytes_read += more.bytes_read;
  value = static_cast<double>(operations) / seconds;
}

JsonValue Measurement::ToJson() const {
  JsonValue json = JsonValue::MakeObject();
  json.Add("type", "measurement");
  json.Add("workload", workload);
  json.Add("phase", phase);
  json.Add("engine", engine);
  json.Add("repetition", repetition);
  json.Add("unit", UnitName(unit));
  json.Add("value", value);
  json.Add("operations", static_cast<double>(operations));
  json.Add("seconds", seconds);
  json.Add("cpu_seconds", cpu_seconds);
  json.Add("syncs", static_cast<double>(syncs));
  json.Add("bytes_read", static_cast<double>(bytes_read));
  json.Add("minor_faults", static_cast<double>(minor_faults));
  json.Add("major_faults", static_cast<double>(major_faults));
  json.Add("probe_p50_ns", static_cast<double>(probe_p50_ns));
  if (latency.count > 0) json.Add("latency", LatencyToJson(latency));
  if (!series.empty()) {
    JsonValue operations_json = JsonValue::MakeArray();
    JsonValue p999_json = JsonValue::MakeArray();
    for (const SecondOfSeries& second : series) {
      operations_json.Append(JsonValue::Number(static_cast<double>(second.operations)));
      p999_json.Append(JsonValue::Number(static_cast<double>(second.p999_ns)));
    }
    json.Add("series_operations", std::move(operations_json));
    json.Add("series_p999_ns", std::move(p999_json));
  }
  return json;
}

Measurement Measurement::FromJson(const JsonValue& json) {
  Measurement result;
  result.workload = json["workload"].AsString();
  result.phase = json["phase"].AsString();
  result.engine = json["engine"].AsString();
  result.repetition = static_cast<int>(json["repetition"].AsInteger());
  result.unit = UnitFromName(json["unit"].AsString());
  result.value = json["value"].AsNumber();
  result.operations = json["operations"].AsInteger();
  result.seconds = json["seconds"].AsNumber();
  result.cpu_seconds = json["cpu_seconds"].AsNumber();
  result.syncs = json["syncs"].AsInteger();
  result.bytes_read = json["bytes_read"].AsInteger();
  result.minor_faults = json["minor_faults"].AsInteger();
  result.major_faults = json["major_faults"].AsInteger();
  result.probe_p50_ns = json["probe_p50_ns"].AsInteger();
  result.latency = LatencyFromJson(json["latency"]);
  const JsonValue::Array& operations = json["series_operations"].AsArray();
  const JsonValue::Array& p999 = json["series_p999_ns"].AsArray();
  for (size_t i = 0; i < operations.size() && i < p999.size(); ++i) {
    result.series.push_back({operations[i].AsInteger(), p999[i].AsInteger()});
  }
  return result;
}

JsonValue Failure::ToJson() const {
  JsonValue json = JsonValue::MakeObject();
  json.Add("type", "failure");
  json.Add("workload", workload);
  json.Add("engine", engine);
  json.Add("repetition", repetition);
  json.Add("message", message);
  json.Add("is_skip", JsonValue::Bool(is_skip));
  return json;
}

Failure Failure::FromJson(const JsonValue& json) {
  return {.workload = json["workload"].AsString(),
          .engine = json["engine"].AsString(),
          .repetition = static_cast<int>(json["repetition"].AsInteger()),
          .message = json["message"].AsString(),
          .is_skip = json["is_skip"].AsBool()};
}

}  // namespace emdb::bench
