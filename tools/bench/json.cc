#include "tools/bench/json.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

constexpr int kMaxDepth = 64;

void AppendQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(out, "\\u%04x", c);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

void AppendNumber(double number, std::string* out) {
  // JSON has neither infinities nor NaN.
  if (!std::isfinite(number)) {
    out->append("null");
  } else if (number == std::floor(number) && std::fabs(number) < 0x1p53) {
    absl::StrAppendFormat(out, "%.0f", number);
  } else {
    absl::StrAppendFormat(out, "%.9g", number);
  }
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | (code >> 6)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xe0 | (code >> 12)));
    out->push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<JsonValue> ParseAll() {
    EMDB_ASSIGN_OR_RETURN(JsonValue value, ParseValue(0));
    SkipSpace();
    if (at_ != text_.size()) return Error("something behind the value");
    return value;
  }

 private:
  absl::Status Error(std::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("JSON, byte ", at_, ": ", ToAbsl(what)));
  }

  void SkipSpace() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
  }

  // Skips space, then `token` if it comes next.
  bool Consume(std::string_view token) {
    SkipSpace();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  absl::StatusOr<JsonValue> ParseValue(int depth) {
    if (depth > kMaxDepth) return Error("nested too deep");
    if (Consume("{")) return ParseObject(depth);
    if (Consume("[")) return ParseArray(depth);
    if (Consume("null")) return JsonValue();
    if (Consume("true")) return JsonValue::Bool(true);
    if (Consume("false")) return JsonValue::Bool(false);
    if (at_ < text_.size() && text_[at_] == '"') {
      EMDB_ASSIGN_OR_RETURN(const std::string text, ParseString());
      return JsonValue::String(text);
    }
    return ParseNumber();
  }

  absl::StatusOr<JsonValue> ParseObject(int depth) {
    JsonValue object = JsonValue::MakeObject();
    if (Consume("}")) return object;
    do {
      SkipSpace();
      EMDB_ASSIGN_OR_RETURN(const std::string name, ParseString());
      if (!Consume(":")) return Error("expected ':'");
      EMDB_ASSIGN_OR_RETURN(JsonValue value, ParseValue(depth + 1));
      object.Add(name, std::move(value));
    } while (Consume(","));
    if (!Consume("}")) return Error("expected '}'");
    return object;
  }

  absl::StatusOr<JsonValue> ParseArray(int depth) {
    JsonValue array = JsonValue::MakeArray();
    if (Consume("]")) return array;
    do {
      EMDB_ASSIGN_OR_RETURN(JsonValue value, ParseValue(depth + 1));
      array.Append(std::move(value));
    } while (Consume(","));
    if (!Consume("]")) return Error("expected ']'");
    return array;
  }

  absl::StatusOr<JsonValue> ParseNumber() {
    const size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
    double number;
    if (!absl::SimpleAtod(ToAbsl(text_.substr(at_, end - at_)), &number)) {
      return Error("expected a value");
    }
    at_ = end;
    return JsonValue::Number(number);
  }

  absl::StatusOr<std::string> ParseString() {
    if (at_ >= text_.size() || text_[at_] != '"') return Error("expected a string");
    std::string result;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return result;
      }
      if (text_[at_] != '\\') {
        result.push_back(text_[at_]);
        continue;
      }
      ++at_;
      EMDB_RETURN_IF_ERROR(ParseEscape(&result));
    }
    return Error("string without an end");
  }

  // At the character behind the backslash; leaves at_ at the last character of the escape.
  absl::Status ParseEscape(std::string* out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (at_ >= text_.size()) return Error("string without an end");
    const size_t known = kNames.find(text_[at_]);
    if (known != kNames.npos) {
      out->push_back(kMeanings[known]);
      return absl::OkStatus();
    }
    uint32_t code;
    if (text_[at_] != 'u' || text_.size() - at_ < 5 ||
        !absl::SimpleHexAtoi(ToAbsl(text_.substr(at_ + 1, 4)), &code)) {
      return Error("unknown escape");
    }
    AppendUtf8(code, out);
    at_ += 4;
    return absl::OkStatus();
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<JsonValue> JsonValue::Parse(std::string_view text) {
  return Parser(text).ParseAll();
}

std::string JsonValue::ToString() const {
  std::string out;
  AppendTo(&out);
  return out;
}

void JsonValue::AppendTo(std::string* out) const {
  if (const bool* boolean = std::get_if<bool>(&value_)) {
    out->append(*boolean ? "true" : "false");
  } else if (const double* number = std::get_if<double>(&value_)) {
    AppendNumber(*number, out);
  } else if (const std::string* text = std::get_if<std::string>(&value_)) {
    AppendQuoted(*text, out);
  } else if (const Array* array = std::get_if<Array>(&value_)) {
    std::string_view separator = "[";
    for (const JsonValue& value : *array) {
      out->append(separator);
      value.AppendTo(out);
      separator = ",";
    }
    out->append(array->empty() ? "[]" : "]");
  } else if (const Object* object = std::get_if<Object>(&value_)) {
    std::string_view separator = "{";
    for (const auto& [name, value] : *object) {
      out->append(separator);
      AppendQuoted(name, out);
      out->push_back(':');
      value.AppendTo(out);
      separator = ",";
    }
    out->append(object->empty() ? "{}" : "}");
  } else {
    out->append("null");
  }
}

void JsonValue::Append(JsonValue value) {
  if (Array* array = std::get_if<Array>(&value_)) array->push_back(std::move(value));
}

void JsonValue::Add(std::string_view name, JsonValue value) {
  if (Object* object = std::get_if<Object>(&value_)) object->emplace_back(name, std::move(value));
}

bool JsonValue::AsBool() const {
  const bool* boolean = std::get_if<bool>(&value_);
  return boolean != nullptr && *boolean;
}

double JsonValue::AsNumber() const {
  const double* number = std::get_if<double>(&value_);
  return number == nullptr ? 0 : *number;
}

uint64_t JsonValue::AsInteger() const {
  const double number = AsNumber();
  return number <= 0 ? 0 : static_cast<uint64_t>(std::min(number, 0x1p63));
}

const std::string& JsonValue::AsString() const {
  static const std::string kEmpty;
  const std::string* text = std::get_if<std::string>(&value_);
  return text == nullptr ? kEmpty : *text;
}

const JsonValue::Array& JsonValue::AsArray() const {
  static const Array kEmpty;
  const Array* array = std::get_if<Array>(&value_);
  return array == nullptr ? kEmpty : *array;
}

const JsonValue::Object& JsonValue::AsObject() const {
  static const Object kEmpty;
  const Object* object = std::get_if<Object>(&value_);
  return object == nullptr ? kEmpty : *object;
}

const JsonValue& JsonValue::operator[](std::string_view name) const {
  static const JsonValue kNull;
  for (const Member& member : AsObject()) {
    if (member.first == name) return member.second;
  }
  return kNull;
}

}  // namespace emdb::bench
