#include "kv/read_state.h"

#include <utility>

namespace emdb {

std::shared_ptr<const ReadState> ReadStates::Acquire() const {
  EpochGuard guard(&epoch_);
  const ReadState* const state = current();
  return state != nullptr ? state->shared_from_this() : nullptr;
}

void ReadStates::Update(absl::FunctionRef<void(ReadState*)> change) {
  MutexLock lock(&mutex_);
  auto next =
      owner_ != nullptr ? std::make_shared<ReadState>(*owner_) : std::make_shared<ReadState>();
  change(next.get());
  Publish(std::move(next));
}

void ReadStates::Publish(std::shared_ptr<const ReadState> next) {
  // Release: a reader that finds the state finds what it is made of.
  current_.store(next.get(), std::memory_order_release);
  owner_.swap(next);
  // The reference goes away when no reader is left that could have loaded the plain pointer.
  epoch_.Retire([old = std::move(next)]() mutable { old.reset(); });
}

void ReadStates::Close() {
  {
    MutexLock lock(&mutex_);
    if (owner_ == nullptr) return;
    Publish(nullptr);
  }
  WaitForReaders();
}

}  // namespace emdb
