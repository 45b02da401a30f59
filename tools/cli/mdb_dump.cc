#include "tools/cli/mdb_dump.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/cli/byte_format.h"

namespace emdb::cli {
namespace {

bool IsPrintableAscii(char c) { return c >= 0x20 && c < 0x7f; }

// Decodes format=print; false at a backslash that starts no escape: none follows it, nor two hex
// digits of what a dumper would not have printed as it is.
bool AppendFromPrint(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const size_t plain = std::min(text.find('\\'), text.size());
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (text.starts_with("\\\\")) {
      out->push_back('\\');
      text.remove_prefix(2);
    } else {
      if (text.size() < 3 || !AppendFromHex(text.substr(1, 2), out)) return false;
      if (IsPrintableAscii(out->back()) && out->back() != '\\') return false;
      text.remove_prefix(3);
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<bool> MdbDumpReader::Next(Record* record) {
  if (done_) return false;
  if (!header_read_) {
    EMDB_RETURN_IF_ERROR(ReadHeader());
    header_read_ = true;
  }
  EMDB_ASSIGN_OR_RETURN(const bool found, ReadBytes("a key", &record->key));
  if (!found) {
    done_ = true;
    EMDB_RETURN_IF_ERROR(CheckEnd());
    return false;
  }
  EMDB_ASSIGN_OR_RETURN(const bool has_value, ReadBytes("the value of the key", &record->value));
  if (!has_value) return lines_->Error("the last key has no value: the file is damaged");
  return true;
}

absl::Status MdbDumpReader::ReadHeader() {
  bool first = true;
  while (true) {
    EMDB_ASSIGN_OR_RETURN(const bool found, lines_->Next());
    if (!found) return lines_->Error("the input ends before HEADER=END: it is cut short");
    const std::string_view line = lines_->line();
    if (first && line != "VERSION=3") {
      return lines_->Error(absl::StrCat("expected VERSION=3, found \"",
                                        FormatBytes(ByteFormat::kText, line.substr(0, 40)),
                                        "\": this is not the output of mdb_dump or db_dump"));
    }
    first = false;
    if (line == "HEADER=END") return absl::OkStatus();
    EMDB_RETURN_IF_ERROR(ReadHeaderLine(line));
  }
}

absl::Status MdbDumpReader::ReadHeaderLine(std::string_view line) {
  const size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    return lines_->Error(absl::StrCat("expected name=value or HEADER=END, found \"",
                                      FormatBytes(ByteFormat::kText, line.substr(0, 40)), "\""));
  }
  const std::string_view name = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 1);
  if (name == "format") {
    if (value != "bytevalue" && value != "print") {
      return lines_->Error(
          absl::StrCat("expected format=bytevalue or format=print, found ", ToAbsl(line)));
    }
    print_ = value == "print";
  } else if (name == "maxreaders") {
    is_of_lmdb_ = true;
  } else if (name == "type") {
    if (value != "btree" && value != "hash") {
      return lines_->Error(absl::StrCat("expected type=btree or type=hash, found ", ToAbsl(line),
                                        ": its records are numbered and have no keys"));
    }
  } else if ((name == "duplicates" || name == "dupsort") && value != "0") {
    return lines_->Error(
        absl::StrCat(ToAbsl(line),
                     ": keys have several values there, and one here; the last would "
                     "win. Make the keys differ first"));
  }
  // The other names (mapsize, db_pagesize, ...) describe how the database was stored, not what is
  // in it.
  return absl::OkStatus();
}

absl::StatusOr<bool> MdbDumpReader::ReadBytes(std::string_view what, std::string* bytes) {
  EMDB_ASSIGN_OR_RETURN(const bool found, lines_->Next());
  if (!found) {
    return lines_->Error(absl::StrCat("the input ends behind this line; expected ", ToAbsl(what),
                                      " or DATA=END: it is cut short"));
  }
  std::string_view line = lines_->line();
  if (line == "DATA=END") return false;
  if (!line.starts_with(' ')) {
    return lines_->Error(absl::StrCat("expected ", ToAbsl(what), " behind a space, or DATA=END"));
  }
  line.remove_prefix(1);
  bytes->clear();
  if (print_) {
    has_backslashes_ |= line.find('\\') != std::string_view::npos;
    if (AppendFromPrint(line, bytes)) return true;
    return lines_->Error(
        "a backslash without a second one or the two hex digits of a byte that is not printable "
        "(mdb_dump -p does not mark backslashes: dump without -p)");
  }
  if (AppendFromHex(line, bytes)) return true;
  return lines_->Error(absl::StrCat("expected ", ToAbsl(what), " as pairs of hex digits"));
}

std::string_view MdbDumpReader::note() const {
  if (!is_of_lmdb_ || !has_backslashes_) return {};
  return "the input has backslashes, which mdb_dump -p does not mark: they were read as escapes. "
         "If some of them belong to keys or values, dump without -p and load again";
}

absl::Status MdbDumpReader::CheckEnd() {
  while (true) {
    EMDB_ASSIGN_OR_RETURN(const bool found, lines_->Next());
    if (!found) return absl::OkStatus();
    if (lines_->line().empty()) continue;
    if (IsFirstLine(lines_->line())) {
      return lines_->Error(
          "a second database begins here, and a store holds one: dump them one by one (-s NAME)");
    }
    return lines_->Error("unexpected text behind DATA=END");
  }
}

absl::Status MdbDumpWriter::Begin() {
  std::string header =
      absl::StrCat("VERSION=3\nformat=", options_.print ? "print" : "bytevalue", "\ntype=btree\n");
  if (options_.mapsize_bytes > 0) {
    absl::StrAppend(&header, "mapsize=", options_.mapsize_bytes, "\n");
  }
  header.append("HEADER=END\n");
  return console_->Write(header);
}

absl::Status MdbDumpWriter::Write(std::string_view key, std::string_view value) {
  buffer_.clear();
  AppendLine(key);
  AppendLine(value);
  return console_->Write(buffer_);
}

absl::Status MdbDumpWriter::End() { return console_->Write("DATA=END\n"); }

void MdbDumpWriter::AppendLine(std::string_view bytes) {
  buffer_.push_back(' ');
  if (!options_.print) {
    AppendHex(bytes, &buffer_);
  } else {
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (IsPrintableAscii(bytes[i]) && bytes[i] != '\\') {
        buffer_.push_back(bytes[i]);
      } else {
        buffer_.push_back('\\');
        AppendHex(bytes.substr(i, 1), &buffer_);
      }
    }
  }
  buffer_.push_back('\n');
}

}  // namespace emdb::cli
