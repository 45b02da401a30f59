// ByteFormat: how keys and values, which are any bytes, are shown and typed.
//
//   text    UTF-8 as it is; backslash as \\, newline \n, return \r, tab \t, zero \0, every other
//   byte that is not
//           part of a printable character \xHH. Typed, also \" \' and backslash-space for the
//           character itself.
//   hex     two digits a byte, either case
//   base64  RFC 4648 with padding
//
// What Format gives, Parse takes back, for all bytes; a formatted string holds no tab and no
// newline.

#ifndef EMDB_TOOLS_CLI_BYTE_FORMAT_H_
#define EMDB_TOOLS_CLI_BYTE_FORMAT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace emdb::cli {

enum class ByteFormat { kText, kHex, kBase64 };

// `name` is one of "text", "hex", "base64".
ByteFormat ByteFormatFromName(std::string_view name);

void AppendFormatted(ByteFormat format, std::string_view bytes, std::string* out);
std::string FormatBytes(ByteFormat format, std::string_view bytes);

// InvalidArgument, saying what is wrong where, for text that is not of the format.
absl::StatusOr<std::string> ParseBytes(ByteFormat format, std::string_view text);

// The bytes of a string of two hex digits each; false for any other string. Appends to *out.
bool AppendFromHex(std::string_view digits, std::string* out);
void AppendHex(std::string_view bytes, std::string* out);
// The value of a hex digit, or -1.
int HexDigitValue(char digit);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_BYTE_FORMAT_H_
