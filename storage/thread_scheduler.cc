#include "storage/thread_scheduler.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <unordered_map>
#include <vector>

#include "storage/check.h"
#include "storage/splitmix.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)

namespace emdb {

ThreadScheduler::ThreadScheduler(uint64_t /*seed*/) {}
ThreadScheduler::~ThreadScheduler() = default;
bool ThreadScheduler::IsAvailable() { return false; }
ThreadScheduler::Counts ThreadScheduler::counts() const { return {}; }

}  // namespace emdb

#else

namespace emdb {
namespace {

constexpr uint64_t kNever = UINT64_MAX;
constexpr uint64_t kNanosPerSecond = 1'000'000'000;
constexpr uint64_t kNanosPerDecision = 1'000;
constexpr uint64_t kFirstNanos = 1'000'000 * kNanosPerSecond;
// More than any test makes: somebody loops.
constexpr uint64_t kMostDecisions = 200'000'000;
// One decision in so many ends the wait of a thread that waits for a time only, as if it had come.
constexpr uint64_t kDecisionsPerEarlyEnd = 500;

// The function of libc that the one of this file is in front of.
template <typename Function>
Function* RealFunction(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  EMDB_CHECK(found != nullptr);
  return reinterpret_cast<Function*>(found);
}

using SyscallFunction = long(long, ...);

long RealSyscall(long number, long a, long b, long c, long d, long e, long f) {
  static SyscallFunction* const real = RealFunction<SyscallFunction>("syscall");
  return real(number, a, b, c, d, e, f);
}

// A thread, which runs when it has the turn.
struct Task {
  explicit Task(uint64_t task_number) : number(task_number) {}

  void GiveTurn() {
    // Release: what the thread that had the turn did.
    has_turn.store(1, std::memory_order_release);
    RealSyscall(SYS_futex, reinterpret_cast<long>(&has_turn), FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  }
  void AwaitTurn() {
    // Acquire: see GiveTurn.
    while (has_turn.exchange(0, std::memory_order_acquire) == 0) {
      RealSyscall(SYS_futex, reinterpret_cast<long>(&has_turn), FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
    }
  }

  const uint64_t number;
  std::atomic<uint32_t> has_turn{0};
  pthread_t handle = {};
  int64_t priority = 0;
  bool is_waiting = false;
  const void* place = nullptr;  // what it waits for; null: the deadline only
  uint64_t deadline = kNever;
  bool timed_out = false;
  bool has_ended = false;
  bool is_joined = false;
  int rounds_of_destructors = 0;
};

struct ThreadLock {
  const Task* writer = nullptr;
  uint64_t readers = 0;
};

// All of it belongs to the thread that has the turn.
class Model {
 public:
  explicit Model(uint64_t seed)
      : random_(seed), uses_priorities_(seed % 2 == 1), mean_turn_(uint64_t{1} << (1 + Below(6))) {
    tasks_.push_back(std::make_unique<Task>(0));
    tasks_[0]->priority = static_cast<int64_t>(Below(1'000));
  }

  Task* first() { return tasks_[0].get(); }
  const ThreadScheduler::Counts& counts() const { return counts_; }
  uint64_t now() const { return now_; }
  bool AllEnded() const {
    return std::all_of(tasks_.begin() + 1, tasks_.end(),
                       [](const auto& task) { return task->has_ended; });
  }

  // ---- Turns.

  // Somebody goes on.
  void Decide(Task* self) { PassTurn(self, Choose(self)); }
  // Somebody else, if there is one.
  void Yield(Task* self) {
    self->priority = --lowest_;
    PassTime();
    std::vector<Task*> others = Ready();
    others.erase(std::remove(others.begin(), others.end(), self), others.end());
    PassTurn(self, others.empty() ? self : Note(self, others[Below(others.size())]));
  }
  // Until Wake(place) or the deadline; false: the deadline was first.
  bool Wait(Task* self, const void* place, uint64_t deadline) {
    self->is_waiting = true;
    self->place = place;
    self->deadline = deadline;
    self->timed_out = false;
    PassTurn(self, Choose(self));
    return !self->timed_out;
  }
  // Up to `count` of those that wait there; how many there were.
  uint64_t Wake(const void* place, uint64_t count) {
    std::vector<Task*> waiting;
    for (const auto& task : tasks_) {
      if (task->is_waiting && task->place == place) waiting.push_back(task.get());
    }
    uint64_t woken = 0;
    for (; woken < count && !waiting.empty(); ++woken) {
      const size_t i = Below(waiting.size());
      waiting[i]->is_waiting = false;
      waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(i));
    }
    return woken;
  }

  // ---- Threads.

  Task* Add() {
    tasks_.push_back(std::make_unique<Task>(tasks_.size()));
    tasks_.back()->priority = static_cast<int64_t>(Below(1'000));
    ++counts_.threads;
    return tasks_.back().get();
  }
  // The one that was added last could not be started.
  void TakeBack() {
    tasks_.pop_back();
    --counts_.threads;
  }
  // `self` has run to its end.
  void End(Task* self) {
    self->has_ended = true;
    Wake(self, UINT64_MAX);
    Choose(self)->GiveTurn();
  }
  void Join(Task* self, pthread_t handle) {
    const auto found = std::find_if(tasks_.begin() + 1, tasks_.end(), [handle](const auto& task) {
      // One that has been joined may have had the same handle.
      return !task->is_joined && pthread_equal(task->handle, handle);
    });
    EMDB_CHECK(found != tasks_.end());
    Task* const joined = found->get();  // others may add tasks meanwhile
    while (!joined->has_ended) Wait(self, joined, kNever);
    joined->is_joined = true;
  }

  // ---- Locks.

  bool TryLock(Task* self, const void* lock) {
    ThreadLock& state = locks_[lock];
    EMDB_CHECK(state.writer != self);  // or it waits for itself for ever
    if (state.writer != nullptr || state.readers > 0) return false;
    state.writer = self;
    return true;
  }
  void Lock(Task* self, const void* lock) {
    while (!TryLock(self, lock)) Wait(self, lock, kNever);
  }
  bool TryReadLock(const void* lock) {
    ThreadLock& state = locks_[lock];
    if (state.writer != nullptr) return false;
    ++state.readers;
    return true;
  }
  void ReadLock(Task* self, const void* lock) {
    while (!TryReadLock(lock)) Wait(self, lock, kNever);
  }
  void Unlock(Task* self, const void* lock) {
    ThreadLock& state = locks_[lock];
    if (state.writer != nullptr) {
      EMDB_CHECK(state.writer == self);
      state.writer = nullptr;
    } else {
      EMDB_CHECK(state.readers > 0);
      --state.readers;
    }
    if (state.readers == 0) locks_.erase(lock);
    Wake(lock, UINT64_MAX);
  }

 private:
  uint64_t Below(uint64_t n) { return SplitMix64(&random_) % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  std::vector<Task*> Ready() const {
    std::vector<Task*> ready;
    for (const auto& task : tasks_) {
      if (!task->is_waiting && !task->has_ended) ready.push_back(task.get());
    }
    return ready;
  }

  // The one whose deadline comes first; null: nobody has one.
  Task* FirstDeadline() const {
    Task* first = nullptr;
    for (const auto& task : tasks_) {
      if (!task->is_waiting || task->deadline == kNever) continue;
      if (first == nullptr || task->deadline < first->deadline) first = task.get();
    }
    return first;
  }

  void TimeOut(Task* task) {
    now_ = std::max(now_, task->deadline);
    task->is_waiting = false;
    task->timed_out = true;
  }

  void PassTime() {
    now_ += kNanosPerDecision;
    while (true) {
      Task* const first = FirstDeadline();
      if (first == nullptr) return;
      const bool comes_early = first->place == nullptr && OneIn(kDecisionsPerEarlyEnd);
      if (first->deadline > now_ && !comes_early) return;
      TimeOut(first);
    }
  }

  Task* Choose(Task* self) {
    PassTime();
    std::vector<Task*> ready = Ready();
    if (ready.empty()) {
      Task* const first = FirstDeadline();
      if (first == nullptr) Deadlock();
      TimeOut(first);
      ready.push_back(first);
    }
    return Note(self, uses_priorities_ ? MostImportant(self, ready) : AtRandom(self, ready));
  }

  Task* AtRandom(Task* self, const std::vector<Task*>& ready) {
    const bool can_go_on = !self->is_waiting && !self->has_ended;
    if (can_go_on && !OneIn(mean_turn_)) return self;
    return ready[Below(ready.size())];
  }

  Task* MostImportant(Task* self, const std::vector<Task*>& ready) {
    if (OneIn(mean_turn_)) self->priority = --lowest_;
    return *std::max_element(ready.begin(), ready.end(), [](const Task* a, const Task* b) {
      return a->priority < b->priority;
    });
  }

  Task* Note(const Task* self, Task* next) {
    ++counts_.decisions;
    EMDB_CHECK(counts_.decisions < kMostDecisions);
    if (next != self) ++counts_.switches;
    uint64_t mixed = counts_.order ^ (next->number + 1);
    counts_.order = SplitMix64(&mixed);
    return next;
  }

  static void PassTurn(Task* self, Task* next) {
    if (next == self) return;
    next->GiveTurn();
    self->AwaitTurn();
  }

  [[noreturn]] void Deadlock() const {
    std::fprintf(stderr, "all threads wait, for ever:\n");
    for (const auto& task : tasks_) {
      if (task->has_ended) continue;
      std::fprintf(stderr, "  thread %llu for %p\n", static_cast<unsigned long long>(task->number),
                   task->place);
    }
    std::abort();
  }

  uint64_t random_;
  const bool uses_priorities_;
  const uint64_t mean_turn_;
  int64_t lowest_ = 0;  // priority of all
  uint64_t now_ = kFirstNanos;
  ThreadScheduler::Counts counts_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::unordered_map<const void*, ThreadLock> locks_;
};

Model* model = nullptr;
thread_local Task* current = nullptr;  // null: this thread is none of the model's

uint64_t Nanos(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * kNanosPerSecond + static_cast<uint64_t>(time.tv_nsec);
}

int WaitForCondition(pthread_cond_t* condition, pthread_mutex_t* mutex, uint64_t deadline) {
  model->Unlock(current, mutex);
  const bool in_time = model->Wait(current, condition, deadline);
  model->Lock(current, mutex);
  return in_time ? 0 : ETIMEDOUT;
}

long Futex(uint32_t* word, long operation, uint32_t value, const timespec* timeout) {
  model->Decide(current);
  const long command = operation & FUTEX_CMD_MASK;
  if (command == FUTEX_WAKE) return static_cast<long>(model->Wake(word, value));
  EMDB_CHECK(command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET);
  // Relaxed: there is one thread at a time.
  if (std::atomic_ref<uint32_t>(*word).load(std::memory_order_relaxed) != value) {
    errno = EAGAIN;
    return -1;
  }
  uint64_t deadline = kNever;
  if (timeout != nullptr) deadline = Nanos(*timeout);
  if (timeout != nullptr && command == FUTEX_WAIT) deadline += model->now();
  if (model->Wait(current, word, deadline)) return 0;
  errno = ETIMEDOUT;
  return -1;
}

struct Start {
  Task* task;
  void* (*run)(void*);
  void* argument;
};

// A thread has ended when its last destructors of thread-local things have run, which take locks.
// Those of C++ come before those of keys, and a key whose value is set again gets another round.
void EndTask(void* value);

pthread_key_t EndKey() {
  static const pthread_key_t key = [] {
    pthread_key_t created = 0;
    EMDB_CHECK(pthread_key_create(&created, EndTask) == 0);
    return created;
  }();
  return key;
}

void EndTask(void* value) {
  Task* const task = static_cast<Task*>(value);
  if (++task->rounds_of_destructors < PTHREAD_DESTRUCTOR_ITERATIONS) {
    EMDB_CHECK(pthread_setspecific(EndKey(), task) == 0);
    return;
  }
  current = nullptr;
  model->End(task);
}

void* RunTask(void* argument) {
  const std::unique_ptr<const Start> start(static_cast<const Start*>(argument));
  start->task->AwaitTurn();
  current = start->task;
  EMDB_CHECK(pthread_setspecific(EndKey(), start->task) == 0);
  return start->run(start->argument);
}

}  // namespace

ThreadScheduler::ThreadScheduler(uint64_t seed) {
  EMDB_CHECK(model == nullptr);
  model = new Model(seed);
  current = model->first();
}

ThreadScheduler::~ThreadScheduler() {
  EMDB_CHECK(model->AllEnded());
  current = nullptr;
  delete model;
  model = nullptr;
}

bool ThreadScheduler::IsAvailable() { return true; }

ThreadScheduler::Counts ThreadScheduler::counts() const { return model->counts(); }

}  // namespace emdb

// In front of those of libc, by the rules of dynamic linking; for threads that the model does not
// know they are those of libc.

using emdb::current;
using emdb::model;
using emdb::RealFunction;

#define EMDB_CALL_REAL(name, ...)                                  \
  do {                                                             \
    static auto* const real = RealFunction<decltype(name)>(#name); \
    return real(__VA_ARGS__);                                      \
  } while (false)

extern "C" {

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's are reserved.

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_mutex_lock, mutex);
  model->Decide(current);
  model->Lock(current, mutex);
  return 0;
}

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_mutex_trylock, mutex);
  model->Decide(current);
  return model->TryLock(current, mutex) ? 0 : EBUSY;
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_mutex_unlock, mutex);
  model->Unlock(current, mutex);
  model->Decide(current);
  return 0;
}

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_rwlock_rdlock, lock);
  model->Decide(current);
  model->ReadLock(current, lock);
  return 0;
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t* lock) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_rwlock_tryrdlock, lock);
  model->Decide(current);
  return model->TryReadLock(lock) ? 0 : EBUSY;
}

int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_rwlock_wrlock, lock);
  model->Decide(current);
  model->Lock(current, lock);
  return 0;
}

int pthread_rwlock_trywrlock(pthread_rwlock_t* lock) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_rwlock_trywrlock, lock);
  model->Decide(current);
  return model->TryLock(current, lock) ? 0 : EBUSY;
}

int pthread_rwlock_unlock(pthread_rwlock_t* lock) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_rwlock_unlock, lock);
  model->Unlock(current, lock);
  model->Decide(current);
  return 0;
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  if (current == nullptr) EMDB_CALL_REAL(pthread_cond_wait, condition, mutex);
  return emdb::WaitForCondition(condition, mutex, emdb::kNever);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* deadline) {
  if (current == nullptr) EMDB_CALL_REAL(pthread_cond_timedwait, condition, mutex, deadline);
  return emdb::WaitForCondition(condition, mutex, emdb::Nanos(*deadline));
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* deadline) {
  if (current == nullptr) EMDB_CALL_REAL(pthread_cond_clockwait, condition, mutex, clock, deadline);
  return emdb::WaitForCondition(condition, mutex, emdb::Nanos(*deadline));
}

int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_cond_signal, condition);
  model->Wake(condition, 1);
  model->Decide(current);
  return 0;
}

int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  if (current == nullptr) EMDB_CALL_REAL(pthread_cond_broadcast, condition);
  model->Wake(condition, UINT64_MAX);
  model->Decide(current);
  return 0;
}

int pthread_create(pthread_t* handle, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) noexcept {
  static auto* const real = RealFunction<decltype(pthread_create)>("pthread_create");
  if (current == nullptr) return real(handle, attributes, run, argument);
  auto start = std::make_unique<emdb::Start>(emdb::Start{model->Add(), run, argument});
  emdb::Task* const task = start->task;
  const int error = real(&task->handle, attributes, emdb::RunTask, start.get());
  if (error != 0) {
    model->TakeBack();
    return error;
  }
  (void)start.release();  // RunTask has it
  *handle = task->handle;
  model->Decide(current);
  return 0;
}

int pthread_join(pthread_t handle, void** result) {
  if (current != nullptr) model->Join(current, handle);
  EMDB_CALL_REAL(pthread_join, handle, result);
}

int sched_yield() noexcept {
  if (current == nullptr) EMDB_CALL_REAL(sched_yield);
  model->Yield(current);
  return 0;
}

int nanosleep(const timespec* duration, timespec* left) {
  if (current == nullptr) EMDB_CALL_REAL(nanosleep, duration, left);
  model->Wait(current, nullptr, model->now() + emdb::Nanos(*duration));
  return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* duration, timespec* left) {
  if (current == nullptr) EMDB_CALL_REAL(clock_nanosleep, clock, flags, duration, left);
  const uint64_t from = (flags & TIMER_ABSTIME) != 0 ? 0 : model->now();
  model->Wait(current, nullptr, from + emdb::Nanos(*duration));
  return 0;
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const bool is_time = clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID;
  if (current == nullptr || !is_time) EMDB_CALL_REAL(clock_gettime, clock, time);
  model->Decide(current);
  time->tv_sec = static_cast<time_t>(model->now() / emdb::kNanosPerSecond);
  time->tv_nsec = static_cast<long>(model->now() % emdb::kNanosPerSecond);
  return 0;
}

long syscall(long number, ...) noexcept {
  va_list arguments;
  va_start(arguments, number);
  long a[6];
  for (long& argument : a) argument = va_arg(arguments, long);
  va_end(arguments);
  if (current == nullptr || number != SYS_futex) {
    return emdb::RealSyscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  return emdb::Futex(reinterpret_cast<uint32_t*>(a[0]), a[1], static_cast<uint32_t>(a[2]),
                     reinterpret_cast<const timespec*>(a[3]));
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name)

}  // extern "C"

#endif  // under a sanitizer or not
