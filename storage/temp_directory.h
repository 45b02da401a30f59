// TempDirectory: a new directory for a test, removed with all that is in it.

#ifndef EMDB_STORAGE_TEMP_DIRECTORY_H_
#define EMDB_STORAGE_TEMP_DIRECTORY_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "storage/check.h"

namespace emdb {

class TempDirectory {
 public:
  TempDirectory() : path_(testing::TempDir() + "emdb_XXXXXX") {
    EMDB_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~TempDirectory() {
    // What cannot be removed is left to whoever cleans the directory of temporary files.
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_TEMP_DIRECTORY_H_
