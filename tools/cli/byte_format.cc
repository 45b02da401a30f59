#include "tools/cli/byte_format.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/check.h"
#include "storage/status.h"

namespace emdb::cli {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Line and paragraph separators, the byte order mark, and all that turns text around: marks,
// embeddings, overrides and isolates.
bool ConfusesTerminals(uint32_t code_point) {
  return code_point == 0x061c || code_point == 0x200e || code_point == 0x200f ||
         (code_point >= 0x2028 && code_point <= 0x202e) ||
         (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0xfeff;
}

// The length of the printable UTF-8 character that `bytes` starts with; 0 if it starts with none.
// Overlong forms, surrogates and control characters are none.
size_t PrintableLength(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return 0;
  uint32_t code_point = lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(bytes[i])) return 0;
    code_point = code_point << 6 | (static_cast<unsigned char>(bytes[i]) & 0x3fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0xa0, 0x800, 0x10000};
  if (code_point < kSmallest[length] || code_point > 0x10ffff) return 0;
  if (code_point >= 0xd800 && code_point <= 0xdfff) return 0;
  if (ConfusesTerminals(code_point)) return 0;
  return length;
}

void AppendText(std::string_view bytes, std::string* out) {
  size_t i = 0;
  while (i < bytes.size()) {
    const char c = bytes[i];
    if (c == '\\') {
      out->append("\\\\");
    } else if (const size_t length = PrintableLength(bytes.substr(i)); length > 0) {
      out->append(bytes, i, length);
      i += length;
      continue;
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '\r') {
      out->append("\\r");
    } else if (c == '\t') {
      out->append("\\t");
    } else if (c == '\0') {
      out->append("\\0");
    } else {
      out->append("\\x");
      AppendHex(bytes.substr(i, 1), out);
    }
    ++i;
  }
}

// The byte that backslash and `c` stand for, or -1.
int EscapedByte(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case '0':
      return '\0';
    case '\\':
    case '"':
    case '\'':
    case ' ':
      return c;
    default:
      return -1;
  }
}

absl::StatusOr<std::string> ParseText(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  size_t i = 0;
  while (i < text.size()) {
    if (text[i] != '\\') {
      bytes.push_back(text[i++]);
      continue;
    }
    const std::string_view rest = text.substr(i + 1);
    if (rest.starts_with('x') && rest.size() >= 3 && AppendFromHex(rest.substr(1, 2), &bytes)) {
      i += 4;
    } else if (const int byte = rest.empty() ? -1 : EscapedByte(rest[0]); byte >= 0) {
      bytes.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown escape ", ToAbsl(text.substr(i, 2)), " at byte ", i,
                       ": expected \\\\ \\n \\r \\t \\0 or \\xHH; write a backslash as \\\\"));
    }
  }
  return bytes;
}

absl::StatusOr<std::string> ParseHex(std::string_view text) {
  std::string bytes;
  if (AppendFromHex(text, &bytes)) return bytes;
  if (text.size() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("hex needs two digits a byte, found ", text.size(), " characters"));
  }
  size_t bad = 0;
  while (HexDigitValue(text[bad]) >= 0) ++bad;
  return absl::InvalidArgumentError(absl::StrCat(
      "not a hex digit at byte ", bad, ": ", FormatBytes(ByteFormat::kText, text.substr(bad, 1))));
}

}  // namespace

ByteFormat ByteFormatFromName(std::string_view name) {
  if (name == "hex") return ByteFormat::kHex;
  if (name == "base64") return ByteFormat::kBase64;
  EMDB_CHECK(name == "text");
  return ByteFormat::kText;
}

void AppendFormatted(ByteFormat format, std::string_view bytes, std::string* out) {
  switch (format) {
    case ByteFormat::kText:
      return AppendText(bytes, out);
    case ByteFormat::kHex:
      return AppendHex(bytes, out);
    case ByteFormat::kBase64:
      absl::StrAppend(out, absl::Base64Escape(ToAbsl(bytes)));
  }
}

std::string FormatBytes(ByteFormat format, std::string_view bytes) {
  std::string out;
  AppendFormatted(format, bytes, &out);
  return out;
}

absl::StatusOr<std::string> ParseBytes(ByteFormat format, std::string_view text) {
  if (format == ByteFormat::kText) return ParseText(text);
  if (format == ByteFormat::kHex) return ParseHex(text);
  std::string bytes;
  if (!absl::Base64Unescape(ToAbsl(text), &bytes)) {
    return absl::InvalidArgumentError("not base64: expected A-Z a-z 0-9 + / with = at the end");
  }
  return bytes;
}

bool AppendFromHex(std::string_view digits, std::string* out) {
  if (digits.size() % 2 != 0) return false;
  const size_t old_size = out->size();
  out->resize(old_size + digits.size() / 2);
  for (size_t i = 0; i < digits.size(); i += 2) {
    const int high = HexDigitValue(digits[i]);
    const int low = HexDigitValue(digits[i + 1]);
    if (high < 0 || low < 0) {
      out->resize(old_size);
      return false;
    }
    (*out)[old_size + i / 2] = static_cast<char>(high << 4 | low);
  }
  return true;
}

void AppendHex(std::string_view bytes, std::string* out) {
  for (const char c : bytes) {
    out->push_back(kHexDigits[static_cast<unsigned char>(c) >> 4]);
    out->push_back(kHexDigits[static_cast<unsigned char>(c) & 15]);
  }
}

int HexDigitValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace emdb::cli
