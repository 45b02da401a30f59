// Tree: a root and where its pages are to be had. Everything that reads or rewrites a tree takes
// one, and so works on any root.

#ifndef EMDB_PAGESTORE_TREE_H_
#define EMDB_PAGESTORE_TREE_H_

#include <cstdint>

#include "pagestore/page_cache.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "pagestore/slice.h"

namespace emdb {

struct Tree {
  const PageFile* file = nullptr;
  PageCache* cache = nullptr;
  PageRef root;
  uint32_t height = 0;  // levels; 0: no root, no records
  PageKind leaf_kind = PageKind::kLeaf;

  uint32_t root_level() const { return height - 1; }
};

// A slice of the tree's, as a tree.
inline Tree SliceTree(const Tree& tree, const SliceRef& slice) {
  return {tree.file, tree.cache, slice.root, kSliceHeight, PageKind::kSliceLeaf};
}

}  // namespace emdb

#endif  // EMDB_PAGESTORE_TREE_H_
