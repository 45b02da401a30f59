// VolatileNames: the directory entries of a simulated disk: what is durable, what is not yet, and
// what a power cut may make of it. The model is that of fault_env.h, points 1, 3 and 5.

#ifndef EMDB_STORAGE_VOLATILE_NAMES_H_
#define EMDB_STORAGE_VOLATILE_NAMES_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/crash_chooser.h"
#include "storage/volatile_file.h"

namespace emdb {

// Thread-compatible.
class VolatileNames {
 public:
  using Inode = std::shared_ptr<VolatileFile>;
  using Table = std::map<std::string, Inode>;  // by path

  VolatileNames() = default;
  explicit VolatileNames(const Table& durable) : current_(durable), durable_(durable) {}

  // Null if there is no such file.
  Inode Find(std::string_view path) const;
  // `path` is not there yet.
  Inode Create(std::string_view path);
  // `path` and `from` are there; `from` and `to` differ.
  void Remove(std::string_view path);
  void Rename(std::string_view from, std::string_view to);
  // The names in `directory`, sorted.
  std::vector<std::string> List(std::string_view directory) const;

  // The entries of `directory` are durable.
  void Sync(std::string_view directory);
  // What is not durable in `directory` is never going to be, and is still seen.
  void DropUnsynced(std::string_view directory);

  const Table& Newest() const { return current_; }
  const Table& Synced() const { return durable_; }
  Table AfterPowerCut(CrashChooser* chooser) const;
  // All that AfterPowerCut, Newest or Synced can name; some more than once.
  std::vector<Inode> Reachable() const;

 private:
  // `inode` loses the name `from` and gets the name `to`; an empty name stands for none.
  struct Change {
    Inode inode;
    std::string from;
    std::string to;
  };

  static bool IsIn(const Change& change, std::string_view directory);
  static void Apply(const Change& change, Table* table);
  void Make(Change change);

  Table current_;
  Table durable_;
  std::vector<Change> unsynced_;  // in order
};

}  // namespace emdb

#endif  // EMDB_STORAGE_VOLATILE_NAMES_H_
