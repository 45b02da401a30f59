#include "pagestore/reached_pages.h"

#include <memory>

#include "pagestore/free_map.h"
#include "pagestore/node.h"
#include "pagestore/page_file.h"
#include "pagestore/slice.h"
#include "storage/aligned_buffer.h"
#include "storage/status.h"

namespace emdb {
namespace {

class Walk {
 public:
  Walk(const PageFile& file, const StoreHeader& header)
      : file_(file), header_(header), reached_(header.file_pages) {}

  absl::StatusOr<std::vector<bool>> Run() {
    if (header_.height > 0) EMDB_RETURN_IF_ERROR(VisitNode(header_.root, header_.height - 1));
    if (header_.map_root.exists()) EMDB_RETURN_IF_ERROR(VisitMap());
    return std::move(reached_);
  }

 private:
  absl::Status Reach(PageRun run) {
    if (run.end() > header_.file_pages) {
      return file_.Corruption(run.first, "a reference to a page behind the end of the file");
    }
    for (uint64_t id = run.first; id < run.end(); ++id) reached_[id] = true;
    return absl::OkStatus();
  }

  absl::Status VisitNode(PageRef ref, uint32_t level) {
    EMDB_RETURN_IF_ERROR(Reach({ref.id, 1}));
    const AlignedBuffer page(file_.page_size());
    EMDB_RETURN_IF_ERROR(file_.ReadNode(ref, level, page.data()));
    if (level == 0) return VisitLeaf(LeafView(page.data()));
    const SliceList slices(page.data());
    for (uint32_t i = 0; i < slices.size(); ++i) {
      EMDB_RETURN_IF_ERROR(VisitNode(slices.at(i).root, kSliceHeight - 1));
    }
    const InnerView node(page.data());
    for (uint32_t i = 0; i < node.child_count(); ++i) {
      EMDB_RETURN_IF_ERROR(VisitNode(node.child(i), level - 1));
    }
    return absl::OkStatus();
  }

  absl::Status VisitLeaf(const LeafView& leaf) {
    for (uint32_t i = 0; i < leaf.count(); ++i) {
      const LeafView::Cell cell = leaf.cell(i);
      if (cell.kind != CellKind::kExtent) continue;
      const ExtentRef extent = DecodeExtentRef(cell.payload.data());
      EMDB_RETURN_IF_ERROR(Reach({extent.first, extent.pages(file_.page_size())}));
    }
    return absl::OkStatus();
  }

  absl::Status VisitMap() {
    EMDB_ASSIGN_OR_RETURN(const FreeMap map, ReadFreeMap(file_, header_));
    for (const std::vector<MapEntry>& level : map.levels) {
      for (const MapEntry& entry : level) {
        if (entry.ref.exists()) EMDB_RETURN_IF_ERROR(Reach({entry.ref.id, 1}));
      }
    }
    uint32_t position = 0;
    for (const MapEntry& entry : map.levels[0]) {
      // Read, so that one that is not there is noticed.
      EMDB_RETURN_IF_ERROR(ReadBitmap(file_, entry, position++).status());
    }
    return absl::OkStatus();
  }

  const PageFile& file_;
  const StoreHeader& header_;
  std::vector<bool> reached_;
};

}  // namespace

absl::StatusOr<std::vector<bool>> ReachedPages(Env* env, const std::string& path,
                                               const StoreHeader& header) {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> opened, OpenStoreFile(env, path, OpenOptions{}));
  const PageFile file(std::move(opened), header.page_size, header.store_id);
  return Walk(file, header).Run();
}

}  // namespace emdb
