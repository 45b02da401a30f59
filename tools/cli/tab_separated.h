// Tab-separated records: the key, a tab, the value, a newline; both in a ByteFormat, none of which
// leaves a tab or a newline in them. What `scan` prints, `load --format=tsv` reads.

#ifndef EMDB_TOOLS_CLI_TAB_SEPARATED_H_
#define EMDB_TOOLS_CLI_TAB_SEPARATED_H_

#include <string>
#include <string_view>

#include "tools/cli/byte_format.h"
#include "tools/cli/console.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/record_stream.h"

namespace emdb::cli {

struct RecordFormat {
  ByteFormat key = ByteFormat::kText;
  ByteFormat value = ByteFormat::kText;
};

// A line without a tab, or with two, is malformed; so is an empty one.
class TabSeparatedReader : public RecordReader {
 public:
  // `lines` is not owned.
  TabSeparatedReader(LineReader* lines, RecordFormat format) : lines_(lines), format_(format) {}

  absl::StatusOr<bool> Next(Record* record) override;

 private:
  LineReader* const lines_;
  const RecordFormat format_;
};

class TabSeparatedWriter : public RecordWriter {
 public:
  // `console` is not owned. With `keys_only` a line is a key.
  TabSeparatedWriter(const Console* console, RecordFormat format, bool keys_only = false)
      : console_(console), format_(format), keys_only_(keys_only) {}

  absl::Status Begin() override { return absl::OkStatus(); }
  absl::Status Write(std::string_view key, std::string_view value) override;
  absl::Status End() override { return absl::OkStatus(); }

 private:
  const Console* const console_;
  const RecordFormat format_;
  const bool keys_only_;
  std::string buffer_;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_TAB_SEPARATED_H_
