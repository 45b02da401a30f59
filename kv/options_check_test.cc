#include "kv/options_check.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(OptionsCheckTest, DefaultsAreFine) { EXPECT_TRUE(CheckOptions(Options()).ok()); }

TEST(OptionsCheckTest, WhatIsOutOfRangeIsNamed) {
  const std::vector<std::pair<std::string, std::function<void(Options*)>>> cases = {
      {"memtable_size", [](Options* o) { o->memtable_size = 65535; }},
      {"memtable_size", [](Options* o) { o->memtable_size = (size_t{16} << 30) + 1; }},
      {"cache_size", [](Options* o) { o->cache_size = 1; }},
      {"cache_size", [](Options* o) { o->cache_size = (size_t{1} << 40) + 1; }},
      {"page_size", [](Options* o) { o->page_size = 4096; }},
      {"page_size", [](Options* o) { o->page_size = 10000; }},
      {"wal_segment_size", [](Options* o) { o->wal_segment_size = 1024; }},
      {"wal_segment_size", [](Options* o) { o->wal_segment_size = (uint64_t{1} << 30) + 1; }},
      {"flush_policy", [](Options* o) { o->flush_policy = FlushPolicy::Group(-absl::Seconds(1)); }},
      {"flush_policy", [](Options* o) { o->flush_policy = FlushPolicy::Group(absl::Hours(2)); }},
      {"read_only", [](Options* o) { o->read_only = o->error_if_exists = true; }},
  };
  for (const auto& [name, spoil] : cases) {
    Options options;
    spoil(&options);
    const absl::Status status = CheckOptions(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_NE(std::string(status.message()).find(name), std::string::npos) << status;
  }
}

TEST(OptionsCheckTest, TheEndsOfTheRangesAreAllowed) {
  Options options;
  options.memtable_size = size_t{64} << 10;
  options.cache_size = size_t{1} << 20;
  options.page_size = 65536;
  options.wal_segment_size = uint64_t{64} << 10;
  options.flush_policy = FlushPolicy::Group(absl::ZeroDuration());
  EXPECT_TRUE(CheckOptions(options).ok());
  options.flush_policy = FlushPolicy::Group(absl::Hours(1));
  EXPECT_TRUE(CheckOptions(options).ok());
}

}  // namespace
}  // namespace emdb
