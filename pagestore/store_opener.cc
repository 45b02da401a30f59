#include "pagestore/store_opener.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "pagestore/frame_arena.h"
#include "pagestore/header_slots.h"
#include "pagestore/page_file.h"
#include "storage/env.h"
#include "storage/status.h"
#include "storage/store_id.h"

namespace emdb {
namespace {

constexpr size_t kMinCacheSize = size_t{1} << 20;

absl::Status CheckOptions(const PageStoreOptions& options) {
  if (!IsValidPageSize(options.page_size_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("page_size_bytes is ", options.page_size_bytes,
                                                   ", expected 8192, 16384, 32768 or 65536"));
  }
  if (options.cache_size_bytes < kMinCacheSize) {
    return absl::InvalidArgumentError(absl::StrCat("cache_size_bytes is ", options.cache_size_bytes,
                                                   ", expected at least ", kMinCacheSize));
  }
  return FrameArena::CheckRoom(options.cache_size_bytes);
}

StoreHeader FirstHeader(const PageStoreOptions& options) {
  StoreHeader header;
  header.page_size = options.page_size_bytes;
  header.generation = kFirstGeneration;
  header.next_seq = options.first_seq;
  if (options.store_id) {
    header.store_id = *options.store_id;
  } else {
    options.env->FillRandom(reinterpret_cast<char*>(header.store_id.data()),
                            header.store_id.size());
  }
  return header;
}

absl::Status SyncDirectoryOf(Env* env, std::string_view path) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Directory> directory,
                        env->OpenDirectory(DirectoryOf(path)));
  return directory->Sync();
}

absl::StatusOr<std::unique_ptr<File>> OpenOrCreate(std::string_view path,
                                                   const PageStoreOptions& options) {
  OpenOptions open;
  open.write = !options.read_only;
  open.create = open.write && options.create_if_missing;
  absl::StatusOr<std::unique_ptr<File>> file = OpenStoreFile(options.env, path, open);
  if (absl::IsNotFound(file.status())) return Annotate(file.status(), "no such store");
  return file;
}

absl::Status CheckIdentity(std::string_view path, const StoreHeader& header,
                           const PageStoreOptions& options) {
  if (!options.store_id || *options.store_id == header.store_id) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      ToAbsl(path), " is the store ", StoreIdToString(header.store_id), ", expected ",
      StoreIdToString(*options.store_id), ": bring the files that belong together back together"));
}

}  // namespace

absl::StatusOr<OpenedStore> OpenStore(std::string_view path, const PageStoreOptions& options) {
  EMDB_RETURN_IF_ERROR(CheckOptions(options));
  OpenedStore store;
  EMDB_ASSIGN_OR_RETURN(store.file, OpenOrCreate(path, options));
  const absl::StatusOr<FoundHeader> found = ReadNewestHeader(*store.file);
  const bool missing = absl::IsNotFound(found.status());
  if (missing && (options.read_only || !options.create_if_missing)) {
    return absl::NotFoundError(absl::StrCat("no such store: ", ToAbsl(path), " is empty"));
  }
  if (!missing && !found.ok()) return found.status();
  store.header = missing ? FirstHeader(options) : found->newest;
  store.fallback_next_seq = missing ? store.header.next_seq : found->fallback_next_seq;
  EMDB_RETURN_IF_ERROR(CheckIdentity(path, store.header, options));
  if (missing) {
    EMDB_RETURN_IF_ERROR(ConfirmHeader(options.env, store.file.get(), store.header));
    store.is_new = true;
  }
  return store;
}

absl::Status ConfirmHeader(Env* env, File* file, const StoreHeader& header) {
  // Written again, because after a sync that failed the next one may say OK and do nothing; and a
  // power cut or damage may have left only one of the copies.
  EMDB_RETURN_IF_ERROR(WriteHeader(file, header));
  EMDB_RETURN_IF_ERROR(file->SyncData());
  // A later generation was only written by one who had synced the directory.
  return header.generation == kFirstGeneration ? SyncDirectoryOf(env, file->path())
                                               : absl::OkStatus();
}

}  // namespace emdb
