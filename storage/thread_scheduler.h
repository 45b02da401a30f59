// ThreadScheduler: while one exists, the threads of this process run one at a time, and a seed
// decides at each lock, unlock, wait, wake, yield, sleep, start, end and reading of the clock which
// of them goes on. The same seed gives the same order each time, so that a failure that depends on
// threads can be repeated. For tests.
//
// How: a program that links this library has its own pthread_mutex_*, pthread_rwlock_*,
// pthread_cond_*, pthread_create, pthread_join, sched_yield, nanosleep, clock_gettime and
// syscall(SYS_futex), in front of those of libc. Without a ThreadScheduler they pass the call on;
// with one they keep locks and waits in a model, where nobody ever waits but for his turn. Time is
// the model's, too: it goes on by a microsecond at each decision, and to the end of the first wait
// when all threads wait.
//
// What it does not decide: loads and stores between two such calls are never interleaved, so it
// finds mistakes in what is locked and awaited, and not in lock-free code (the tests of which run
// under real threads and ThreadSanitizer). A loop that waits for another thread must yield, sleep
// or read the clock. The addresses of memory are not part of the order, but a container that is
// ordered by them is: without address-space randomisation, as in children of one process, a seed
// repeats that, too.
//
// Half of the seeds take turns at random, with some mean length of a turn; the others give threads
// priorities, and make the one that runs the least important one at random moments, which finds
// orders that need one thread to be very late. Source: S. Burckhardt, P. Kothari, M. Musuvathi, S.
// Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010.

#ifndef EMDB_STORAGE_THREAD_SCHEDULER_H_
#define EMDB_STORAGE_THREAD_SCHEDULER_H_

#include <cstdint>

namespace emdb {

class ThreadScheduler {
 public:
  struct Counts {
    uint64_t decisions = 0;
    uint64_t switches = 0;  // decisions for another thread than the one that was running
    uint64_t threads = 0;   // that were started
    uint64_t order = 0;     // a hash of all decisions
  };

  // The calling thread is the first one, and holds no lock. One scheduler at a time.
  explicit ThreadScheduler(uint64_t seed);
  // All other threads have been joined, by the thread that made it.
  ~ThreadScheduler();
  ThreadScheduler(const ThreadScheduler&) = delete;
  ThreadScheduler& operator=(const ThreadScheduler&) = delete;

  // False under a sanitizer, which has functions of its own in front of libc's: then threads run as
  // ever, and the counts stay 0.
  static bool IsAvailable();

  Counts counts() const;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_THREAD_SCHEDULER_H_
