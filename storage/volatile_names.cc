#include "storage/volatile_names.h"

#include <algorithm>
#include <utility>

#include "storage/env.h"

namespace emdb {

VolatileNames::Inode VolatileNames::Find(std::string_view path) const {
  const auto found = current_.find(std::string(path));
  return found == current_.end() ? nullptr : found->second;
}

VolatileNames::Inode VolatileNames::Create(std::string_view path) {
  Inode inode = std::make_shared<VolatileFile>();
  Make({inode, "", std::string(path)});
  return inode;
}

void VolatileNames::Remove(std::string_view path) { Make({Find(path), std::string(path), ""}); }

void VolatileNames::Rename(std::string_view from, std::string_view to) {
  Make({Find(from), std::string(from), std::string(to)});
}

std::vector<std::string> VolatileNames::List(std::string_view directory) const {
  std::vector<std::string> names;
  for (const auto& [path, inode] : current_) {
    if (DirectoryOf(path) == directory) names.emplace_back(FileNameOf(path));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void VolatileNames::Sync(std::string_view directory) {
  std::erase_if(unsynced_, [&](const Change& change) {
    if (!IsIn(change, directory)) return false;
    Apply(change, &durable_);
    return true;
  });
}

void VolatileNames::DropUnsynced(std::string_view directory) {
  std::erase_if(unsynced_, [&](const Change& change) { return IsIn(change, directory); });
}

VolatileNames::Table VolatileNames::AfterPowerCut(CrashChooser* chooser) const {
  Table table = durable_;
  for (const Change& change : unsynced_) {
    if (chooser->Choose(2) == 1) Apply(change, &table);
  }
  return table;
}

std::vector<VolatileNames::Inode> VolatileNames::Reachable() const {
  std::vector<Inode> inodes;
  for (const auto& [path, inode] : current_) inodes.push_back(inode);
  for (const auto& [path, inode] : durable_) inodes.push_back(inode);
  for (const Change& change : unsynced_) inodes.push_back(change.inode);
  return inodes;
}

// A rename stays within its directory.
bool VolatileNames::IsIn(const Change& change, std::string_view directory) {
  return DirectoryOf(change.from.empty() ? change.to : change.from) == directory;
}

void VolatileNames::Apply(const Change& change, Table* table) {
  // The name may stand for something else where an earlier change was lost: then that keeps it.
  const auto from = table->find(change.from);
  if (from != table->end() && from->second == change.inode) table->erase(from);
  if (!change.to.empty()) (*table)[change.to] = change.inode;
}

void VolatileNames::Make(Change change) {
  Apply(change, &current_);
  unsynced_.push_back(std::move(change));
}

}  // namespace emdb
