// get, put, delete: single records.

#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/cli/byte_format.h"
#include "tools/cli/command.h"
#include "tools/cli/key_range.h"

namespace emdb::cli {
namespace {

absl::StatusOr<std::string> ParseKey(ByteFormat format, std::string_view word) {
  absl::StatusOr<std::string> key = ParseBytes(format, word);
  if (!key.ok()) return Annotate(key.status(), "KEY");
  if (key->empty() || key->size() > Db::kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("KEY: expected 1 to ", Db::kMaxKeyBytes, " bytes, found ", key->size()));
  }
  return key;
}

absl::Status RunGet(const CommandContext& context) {
  const RecordFormat format = RecordFormatFrom(context.arguments, /*both=*/true);
  const bool raw = context.arguments.IsOn("raw");
  std::vector<std::string> keys;
  for (const std::string& word : context.words) {
    EMDB_ASSIGN_OR_RETURN(keys.emplace_back(), ParseKey(format.key, word));
  }
  EMDB_ASSIGN_OR_RETURN(const Db* const db, context.store.Open());
  std::string missing;
  std::string value;
  for (size_t i = 0; i < keys.size(); ++i) {
    const absl::Status status = db->Get(keys[i], &value);
    // Of a key it has no message; with one it is of a file.
    if (absl::IsNotFound(status) && status.message().empty()) {
      absl::StrAppend(&missing, missing.empty() ? "" : ", ", context.words[i]);
      continue;
    }
    EMDB_RETURN_IF_ERROR(AsFileError(status));
    EMDB_RETURN_IF_ERROR(
        context.console.Write(raw ? value : FormatBytes(format.value, value) + "\n"));
  }
  if (!missing.empty()) return absl::NotFoundError(absl::StrCat("no such key: ", missing));
  return absl::OkStatus();
}

// All of standard input, which may be any bytes.
absl::StatusOr<std::string> ReadAllInput(std::FILE* in) {
  std::string data;
  char piece[1 << 16];
  while (const size_t size = std::fread(piece, 1, sizeof(piece), in)) {
    data.append(piece, size);
    if (data.size() > Db::kMaxValueBytes) {
      return absl::InvalidArgumentError("the value is larger than 1 GiB, the largest allowed");
    }
  }
  if (std::ferror(in) != 0) return IoError(errno, "read", "standard input");
  return data;
}

absl::Status RunPut(const CommandContext& context) {
  const RecordFormat format = RecordFormatFrom(context.arguments, /*both=*/true);
  EMDB_ASSIGN_OR_RETURN(const std::string key, ParseKey(format.key, context.words[0]));
  absl::StatusOr<std::string> value;
  if (context.words.size() > 1) {
    value = ParseBytes(format.value, context.words[1]);
    if (!value.ok()) return Annotate(value.status(), "VALUE");
  } else if (context.in_shell) {
    return absl::InvalidArgumentError("missing VALUE: in the shell it stands behind the key");
  } else {
    EMDB_ASSIGN_OR_RETURN(value, ReadAllInput(context.console.in));
  }
  EMDB_ASSIGN_OR_RETURN(Db* const db, context.store.Open());
  return db->Put(key, *value, {.sync = true});
}

absl::Status RunDelete(const CommandContext& context) {
  const RecordFormat format = RecordFormatFrom(context.arguments, /*both=*/true);
  WriteBatch batch;
  for (const std::string& word : context.words) {
    EMDB_ASSIGN_OR_RETURN(const std::string key, ParseKey(format.key, word));
    batch.Delete(key);
  }
  EMDB_ASSIGN_OR_RETURN(Db* const db, context.store.Open());
  return db->Write(batch, {.sync = true});
}

}  // namespace

std::vector<Command> RecordCommands() {
  Syntax get = {
      .name = "get",
      .summary = "Print the values of keys",
      .details = "One line a value, in the order of the keys. Exit code 1 if one is missing.",
      .positionals = {{.name = "KEY",
                       .help = "a key to look up",
                       .count = Positional::Count::kAtLeastOne}},
      .options = FormatOptions(/*both=*/true),
      .examples = {"emdb get app.emdb user:17", "emdb get app.emdb logo.png --raw > logo.png"}};
  get.options.push_back({.name = "raw", .help = "the bytes of the value as they are, no newline"});

  Syntax put = {
      .name = "put",
      .summary = "Store a value under a key",
      .details =
          "Replaces the value that the key has. On exit code 0 it is durable: no power cut can "
          "take "
          "it back. The store is made if it is missing. A closed standard input is an error, not "
          "an "
          "empty value.",
      .positionals = {{.name = "KEY", .help = "1 to 4,096 bytes"},
                      {.name = "VALUE",
                       .help =
                           "0 bytes to 1 GiB; without it, the bytes of standard input as they are",
                       .count = Positional::Count::kOptional}},
      .options = FormatOptions(/*both=*/true),
      .examples = {"emdb put app.emdb user:17 'Ada Lovelace'",
                   "emdb put app.emdb logo.png < logo.png"}};

  Syntax remove = {.name = "delete",
                   .summary = "Remove keys",
                   .details =
                       "All of them or, after a crash, none. Durable on exit code 0. A key that is "
                       "not there is no "
                       "error.",
                   .positionals = {{.name = "KEY",
                                    .help = "a key to remove",
                                    .count = Positional::Count::kAtLeastOne}},
                   .options = FormatOptions(/*both=*/true),
                   .examples = {"emdb delete app.emdb user:17 user:18"}};

  return {{.syntax = get, .store_use = StoreUse::kRead, .run = RunGet, .looks_keys_up = true},
          {.syntax = put, .store_use = StoreUse::kCreate, .run = RunPut},
          {.syntax = remove, .store_use = StoreUse::kWrite, .run = RunDelete}};
}

}  // namespace emdb::cli
