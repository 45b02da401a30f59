// JsonValue: JSON (RFC 8259) to write results and to read them again. Objects keep the order in
// which members were added. Plain values; numbers are doubles.

#ifndef EMDB_TOOLS_BENCH_JSON_H_
#define EMDB_TOOLS_BENCH_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace emdb::bench {

class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Member = std::pair<std::string, JsonValue>;
  using Object = std::vector<Member>;

  JsonValue() = default;  // null
  static JsonValue Bool(bool value) { return Of<bool>(value); }
  static JsonValue Number(double value) { return Of<double>(value); }
  static JsonValue String(std::string_view value) { return Of<std::string>(value); }
  static JsonValue MakeArray() { return Of<Array>(); }
  static JsonValue MakeObject() { return Of<Object>(); }

  // `text` must be one value, at most 64 levels deep; InvalidArgument says where it is not.
  static absl::StatusOr<JsonValue> Parse(std::string_view text);
  // On one line.
  std::string ToString() const;

  // To an array or object.
  void Append(JsonValue value);
  void Add(std::string_view name, JsonValue value);
  void Add(std::string_view name, double value) { Add(name, Number(value)); }
  void Add(std::string_view name, std::string_view value) { Add(name, String(value)); }

  // What is not of the type asked for, or not there, reads as false, 0, "" or empty.
  bool AsBool() const;
  double AsNumber() const;
  uint64_t AsInteger() const;
  const std::string& AsString() const;
  const Array& AsArray() const;
  const Object& AsObject() const;
  const JsonValue& operator[](std::string_view name) const;

 private:
  using Value = std::variant<std::monostate, bool, double, std::string, Array, Object>;

  // In place: moving a variant makes g++ 12 warn of uninitialized members under the sanitizers.
  template <typename T, typename... Args>
  static JsonValue Of(Args&&... args) {
    JsonValue json;
    json.value_.emplace<T>(std::forward<Args>(args)...);
    return json;
  }

  void AppendTo(std::string* out) const;

  Value value_;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_JSON_H_
