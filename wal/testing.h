// What the log's tests share: records that can be told from one another, and short ways to open and
// read a log.

#ifndef EMDB_WAL_TESTING_H_
#define EMDB_WAL_TESTING_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/env.h"
#include "wal/wal.h"

#define ASSERT_OK(expr) ASSERT_EQ((expr), absl::OkStatus())
#define EXPECT_OK(expr) EXPECT_EQ((expr), absl::OkStatus())

namespace emdb {

// The record that tests append as number `n`: its number, and bytes that depend on it, up to
// `max_bytes` in all.
inline std::string TestRecord(uint64_t n, size_t max_bytes = 300) {
  std::string record = absl::StrCat("record ", n, " ");
  const size_t size = record.size() + n * 2654435761u % max_bytes;
  while (record.size() < size) record += static_cast<char>('a' + (n + record.size()) % 26);
  return record;
}

// The smallest log there can be, on `env`, so that little work fills segments and buffer.
inline WalOptions SmallLog(Env* env, FlushPolicy policy = FlushPolicy::Manual()) {
  WalOptions options;
  options.flush_policy = policy;
  options.segment_size_bytes = 64 << 10;
  options.append_buffer_size_bytes = 64 << 10;
  options.env = env;
  return options;
}

inline std::unique_ptr<Wal> OpenLog(const std::string& path, const WalOptions& options) {
  absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(path, options);
  EXPECT_OK(wal.status());
  return wal.ok() ? *std::move(wal) : nullptr;
}

// All records from `from_seq`, by seq.
inline std::map<uint64_t, std::string> ReadLog(Wal* wal, uint64_t from_seq) {
  std::map<uint64_t, std::string> records;
  EXPECT_OK(wal->Replay(from_seq, [&](uint64_t seq, std::string_view record) {
    EXPECT_TRUE(records.emplace(seq, record).second) << seq;
    return absl::OkStatus();
  }));
  return records;
}
inline std::map<uint64_t, std::string> ReadLog(Wal* wal) { return ReadLog(wal, wal->first_seq()); }

// Appends TestRecord(n) for all n in [begin, end), which is to be the seq each gets.
inline void AppendRecords(Wal* wal, uint64_t begin, uint64_t end) {
  for (uint64_t n = begin; n < end; ++n) {
    const absl::StatusOr<uint64_t> seq = wal->Append(TestRecord(n));
    ASSERT_OK(seq.status());
    ASSERT_EQ(*seq, n);
  }
}

// Checks that the log holds TestRecord(n) for all n in [begin, end), and nothing else.
inline void ExpectRecords(Wal* wal, uint64_t begin, uint64_t end) {
  const std::map<uint64_t, std::string> records = ReadLog(wal);
  EXPECT_EQ(records.size(), end - begin);
  for (uint64_t n = begin; n < end; ++n) {
    const auto found = records.find(n);
    ASSERT_NE(found, records.end()) << n;
    ASSERT_EQ(found->second, TestRecord(n)) << n;
  }
  EXPECT_EQ(wal->next_seq(), end);
}

}  // namespace emdb

#endif  // EMDB_WAL_TESTING_H_
