// CommitQueue: who does the log's I/O, and who rides along. It decides; it touches neither files
// nor bytes.
//
// At any time at most one thread owns the I/O. Threads that wait for durability form groups: the
// open group is served by the next sync, the one before by the sync that is running. The rules:
//  - Nobody at work: the arriver leads, at once. A lone writer never waits for company.
//  - A sync at work: wait for the next one.
//  - After a sync that served several, or during which others arrived, the queue lingers: the next
//    sync starts when as many have arrived as that, and the last of them leads it, so that no
//    thread is woken for it; or when a short time has passed, by the flusher. Otherwise the threads
//    split into halves that take turns, and each waits for two syncs. When lingering does not pay
//    several times in a row it is left off for a while.
//  - A callback that waits counts as a thread that cannot lead: the flusher does it in its place,
//    at once where a thread would lead. Its company comes back one by one, when the callbacks
//    before have run: the queue lingers from then on, at most as long as a sync takes.
//
// Each group sleeps on one futex word and is woken at once, when it is served: nobody wakes twice.
//
// One sync at a time, because two at a time would be for two groups of half the size: measured on a
// virtual disk, one after the other it does 6,500 syncs a second and two at a time 11,000, so with
// 8 threads 4 * 11,000 commits instead of 8 * 6,500. (By fdatasync, RWF_DSYNC or O_DIRECT |
// O_DSYNC, there the median of a lone commit is the same to 1%.)
//
// Not thread safe: the log's mutex guards it, but for Words, on which threads sleep without the
// mutex.

#ifndef EMDB_WAL_COMMIT_QUEUE_H_
#define EMDB_WAL_COMMIT_QUEUE_H_

#include <array>
#include <atomic>
#include <cstdint>

namespace emdb {

class CommitQueue {
 public:
  // Numbers of groups wrap around; they are compared by difference.
  using Group = uint32_t;

  // Where groups sleep. A group is done when its word holds its number or a later one.
  class Words {
   public:
    Words();
    // Returns when `group` is done.
    void Await(Group group) const;
    // Marks `group` as done. In order of group: under the log's mutex.
    void SetDone(Group group);
    // Wakes those who sleep on `group`, which is done. Without the mutex, which they may want.
    void Wake(Group group);

   private:
    std::array<std::atomic<uint32_t>, 4> words_;
    std::atomic<uint32_t>& WordOf(Group group) { return words_[group % words_.size()]; }
  };

  struct Ticket {
    bool leads = false;  // the caller owns the I/O now, and is served by the sync it does
    Group group = 0;
  };

  // A thread wants what was appended until now to be durable.
  Ticket Join();
  // A callback wants what was appended until now to be durable.
  void JoinCallback();
  // A thread wants what the running sync covers.
  Ticket JoinRunning();

  // Takes the I/O for other work; nobody owns it.
  void Own();
  // The owner starts a sync, which serves all that joined until now. Returns their group.
  Group StartSync();

  struct Served {
    bool group_done = false;  // Words::SetDone is due for `group`
    Group group = 0;
    bool has_sleepers = false;
  };
  // The owner is done, and owns the I/O no more. `sync_nanos` is how long its sync took, 0 if there
  // was none.
  Served Finish(uint64_t now_nanos, uint64_t sync_nanos);
  // The callbacks that Finish left to be called have been.
  void CallbacksRan(uint64_t now_nanos);
  // All is over: the open group is to be woken too.
  Served Abort();

  bool owned() const { return owner_ == Owner::kSomebody; }
  // Threads and callbacks.
  uint32_t waiters() const { return open_waiters_; }
  // Threads that sleep until the running sync is done.
  uint32_t sleepers() const;

  // When the flusher should serve the open group: kNever if somebody else will, or nobody waits.
  static constexpr uint64_t kNever = UINT64_MAX;
  uint64_t ServeAtNanos() const;
  // The time has come, and the company did not.
  void LingerTimedOut();

 private:
  enum class Owner { kNobody, kSomebody, kLingering };

  static constexpr uint64_t kMaxLingerNanos = 50'000;
  static constexpr uint64_t kMaxCallbackLingerNanos = 100'000;
  static constexpr uint32_t kMissesUntilOff = 4;
  static constexpr uint32_t kSyncsOff = 64;
  static constexpr uint32_t kNoTarget = UINT32_MAX;

  struct Waiters {
    uint32_t all = 0;
    uint32_t callbacks = 0;
  };
  void DecideNext(const Waiters& served, uint64_t now_nanos);
  // The flusher is to serve the open group at `nanos`, whoever comes.
  void ServeAt(uint64_t nanos);
  bool CompanyIsBack() const { return owner_ == Owner::kLingering && open_waiters_ >= target_; }

  Owner owner_ = Owner::kNobody;
  Group open_group_ = 1;
  uint32_t open_waiters_ = 0;
  uint32_t open_callbacks_ = 0;  // of the waiters
  bool syncing_ = false;
  bool leader_waits_ = false;  // the owner is one of those that are served
  Waiters running_;
  uint32_t late_sleepers_ = 0;  // joined the running group
  uint32_t target_ = 0;         // of waiters, while lingering
  uint64_t linger_until_ = 0;
  uint64_t linger_nanos_ = 0;
  uint32_t misses_ = 0;
  uint32_t syncs_off_ = 0;
  uint64_t mean_sync_nanos_ = 0;
};

}  // namespace emdb

#endif  // EMDB_WAL_COMMIT_QUEUE_H_
