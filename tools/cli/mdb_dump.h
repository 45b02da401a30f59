// The portable text format of Berkeley DB's db_dump and db_load and of LMDB's mdb_dump and
// mdb_load.
//
//   VERSION=3
//   format=bytevalue           or print
//   type=btree
//   mapsize=1048576            LMDB only: the most a database may grow to
//   maxreaders=126             LMDB only, and not written here
//   HEADER=END
//    6b6579                    one key, one value, a line each, behind a space
//    76616c7565
//   DATA=END
//
// "bytevalue" is two hex digits a byte; "print" is printable ASCII as it is and \HH for the rest.
// The backslash itself is written as \5c, not \\: mdb_load 0.9.24 reads \\ wrongly, all read \5c
// rightly. Its mdb_dump -p leaves backslashes as they are, which is ambiguous: what no program
// writes as an escape is refused here, and the rest noted.

#ifndef EMDB_TOOLS_CLI_MDB_DUMP_H_
#define EMDB_TOOLS_CLI_MDB_DUMP_H_

#include <cstdint>
#include <string>

#include "tools/cli/console.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/record_stream.h"

namespace emdb::cli {

// Reads one database. Refuses, naming the line: a version other than 3, types whose records have no
// keys, duplicate keys, a second database, and an input without its DATA=END.
class MdbDumpReader : public RecordReader {
 public:
  // `lines` is not owned.
  explicit MdbDumpReader(LineReader* lines) : lines_(lines) {}

  absl::StatusOr<bool> Next(Record* record) override;
  // That backslashes may be of the data, if LMDB wrote it with format=print.
  std::string_view note() const override;

  // True for the first line of such a file. One with a tab is a record, whose key may be anything.
  static bool IsFirstLine(std::string_view line) {
    return line.starts_with("VERSION=") && line.find('\t') == std::string_view::npos;
  }

 private:
  absl::Status ReadHeader();
  absl::Status ReadHeaderLine(std::string_view line);
  // Reads a line of data into *bytes; false at DATA=END.
  absl::StatusOr<bool> ReadBytes(std::string_view what, std::string* bytes);
  absl::Status CheckEnd();

  LineReader* const lines_;
  bool header_read_ = false;
  bool done_ = false;
  bool print_ = false;
  bool is_of_lmdb_ = false;
  bool has_backslashes_ = false;
};

struct MdbDumpOptions {
  bool print = false;          // format=print instead of bytevalue
  uint64_t mapsize_bytes = 0;  // 0: no such line, which db_load wants
};

class MdbDumpWriter : public RecordWriter {
 public:
  // `console` is not owned.
  MdbDumpWriter(const Console* console, const MdbDumpOptions& options)
      : console_(console), options_(options) {}

  absl::Status Begin() override;
  absl::Status Write(std::string_view key, std::string_view value) override;
  absl::Status End() override;

 private:
  void AppendLine(std::string_view bytes);

  const Console* const console_;
  const MdbDumpOptions options_;
  std::string buffer_;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_MDB_DUMP_H_
