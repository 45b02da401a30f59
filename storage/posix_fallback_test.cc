// What is done where the kernel or the file system lacks something: each case runs in a child
// process in which the system call in question fails, by a seccomp filter.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "storage/aligned_buffer.h"
#include "storage/env.h"
#include "storage/epoch.h"
#include "storage/posix_env.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

constexpr OpenOptions kCreate = {.write = true, .create = true};

// From here on `call` fails with `error_number` in this process. False where filters are not
// allowed.
bool MakeSystemCallFail(uint32_t call, uint16_t error_number) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error_number),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

constexpr int kNoFilters = 99;

// Runs `body` in a child without `call`; it returns 0 when all is well, and otherwise where it was
// not.
void ExpectWorksWithout(uint32_t call, uint16_t error_number, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(MakeSystemCallFail(call, error_number) ? body() : kNoFilters);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == kNoFilters) GTEST_SKIP() << "seccomp filters are not allowed";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

std::string Contents(const File& file) {
  std::string contents(static_cast<size_t>(file.Size().value()), '?');
  return ReadFully(file, 0, contents.size(), contents.data()).ok() ? contents : "unreadable";
}

TEST(PosixFallbackTest, ReserveWithoutFallocateWritesZerosBehindTheEndOnly) {
  const TempDirectory directory;
  constexpr uint64_t kSize = (3 << 20) + 4096;
  ExpectWorksWithout(SYS_fallocate, EOPNOTSUPP, [&] {
    const std::unique_ptr<File> file = *PosixEnv()->OpenFile(directory.Path("f"), kCreate);
    if (!file->WriteAt(0, "abc").ok()) return 1;
    if (!file->Reserve(0, kSize).ok()) return 2;
    if (Contents(*file) != "abc" + std::string(kSize - 3, '\0')) return 3;
    if (!file->WriteAt(4096, "def").ok() || !file->Reserve(0, 8192).ok()) return 4;
    if (Contents(*file).substr(4096, 4) != std::string("def\0", 4)) return 5;
    return file->Size().value() == kSize ? 0 : 6;
  });
}

TEST(PosixFallbackTest, ReserveWithoutFallocateWorksForDirectFiles) {
  const TempDirectory directory;
  OpenOptions direct = kCreate;
  direct.direct = true;
  if (!PosixEnv()->OpenFile(directory.Path("f"), direct).ok()) GTEST_SKIP() << "no O_DIRECT here";
  ExpectWorksWithout(SYS_fallocate, EOPNOTSUPP, [&] {
    const std::unique_ptr<File> file = *PosixEnv()->OpenFile(directory.Path("f"), direct);
    if (!file->Truncate(100).ok()) return 1;
    if (!file->Reserve(0, 3 * 4096).ok()) return 2;
    return file->Size().value() == 3 * 4096 ? 0 : 3;
  });
}

TEST(PosixFallbackTest, ARingWithoutFallocateHasItsSpaceToo) {
  const TempDirectory directory;
  ExpectWorksWithout(SYS_fallocate, EOPNOTSUPP, [&] {
    const absl::StatusOr<std::unique_ptr<RingMapping>> ring =
        PosixEnv()->MapRing(directory.Path("r"), 1 << 16);
    if (!ring.ok()) return 1;
    (*ring)->data()[0] = 'r';
    return (*ring)->data()[1 << 16] == 'r' ? 0 : 2;
  });
}

// What MultiWrite and MultiRead do without a queue for it; with direct I/O, as the page store uses
// it.
int UseManyPieces(const std::string& path) {
  OpenOptions direct = kCreate;
  direct.direct = true;
  absl::StatusOr<std::unique_ptr<File>> file = PosixEnv()->OpenFile(path, direct);
  if (!file.ok()) file = PosixEnv()->OpenFile(path, kCreate);
  constexpr size_t kPieces = 300;
  const AlignedBuffer pieces(kPieces * kDirectAlignment);
  std::vector<WriteRequest> requests;
  for (size_t i = 0; i < kPieces; ++i) {
    char* const piece = pieces.data() + i * kDirectAlignment;
    std::memset(piece, static_cast<int>('a' + i % 26), kDirectAlignment);
    requests.push_back({i * kDirectAlignment, std::string_view(piece, kDirectAlignment)});
  }
  for (int round = 0; round < 2; ++round) {
    if (!(*file)->Truncate(0).ok()) return 1;
    if (!(*file)->MultiWrite(requests).ok()) return 2;
    const AlignedBuffer found(pieces.size());
    std::vector<ReadRequest> reads;
    for (const WriteRequest& request : requests) {
      reads.push_back({request.offset, request.data.size(), found.data() + request.offset});
    }
    if (!(*file)->MultiRead(reads).ok()) return 3;
    if (std::memcmp(found.data(), pieces.data(), found.size()) != 0) return 4;
  }
  return 0;
}

TEST(PosixFallbackTest, ManyPiecesNeedNoQueue) {
  const TempDirectory directory;
  ExpectWorksWithout(SYS_io_uring_setup, ENOSYS,
                     [&] { return UseManyPieces(directory.Path("f")); });
}

TEST(PosixFallbackTest, NorOneThatTakesThem) {
  const TempDirectory directory;
  ExpectWorksWithout(SYS_io_uring_enter, EPERM, [&] { return UseManyPieces(directory.Path("f")); });
}

TEST(PosixFallbackTest, EpochsWithoutMembarrierAreSafe) {
  ExpectWorksWithout(SYS_membarrier, ENOSYS, [] {
    struct Canary {
      std::atomic<int> word{1};
    };
    Epoch epoch;
    std::atomic<Canary*> current{new Canary};
    std::atomic<bool> done{false};
    std::atomic<int> dead_seen{0};
    std::vector<std::thread> readers;
    readers.reserve(2);
    for (int i = 0; i < 2; ++i) {
      readers.emplace_back([&] {
        while (!done.load()) {
          EpochGuard guard(&epoch);
          if (current.load(std::memory_order_acquire)->word.load() != 1) ++dead_seen;
        }
      });
    }
    int destroyed = 0;
    for (int i = 0; i < 5000; ++i) {
      Canary* const old = current.exchange(new Canary, std::memory_order_acq_rel);
      epoch.Retire([old, &destroyed] {
        old->word.store(0);
        delete old;
        ++destroyed;
      });
    }
    done.store(true);
    for (std::thread& reader : readers) reader.join();
    epoch.Synchronize();
    delete current.load();
    if (dead_seen.load() != 0) return 1;
    return destroyed == 5000 ? 0 : 2;
  });
}

}  // namespace
}  // namespace emdb
