// Readers beside a writer, for the race detector and for the eye of the model: every View shows one
// whole generation.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "pagestore/page_store.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr int kRecords = 4000;
constexpr int kGenerations = 25;

std::string Key(int i) { return absl::StrFormat("key%06d", i); }

// All records of a generation have its number as their value; a large value among them too.
Changes GenerationOf(int number) {
  Changes changes;
  for (int i = 0; i < kRecords; i += 1 + number % 3) {
    changes[Key(i)] = absl::StrFormat("%d:%s", number, std::string(100, 'v'));
  }
  changes["large"] = absl::StrFormat("%d:%s", number, std::string(20000, 'L'));
  return changes;
}

class Readers {
 public:
  explicit Readers(PageStore* store) : store_(store) {
    threads_.emplace_back([this] { Repeat(&Readers::Scan); });
    threads_.emplace_back([this] { Repeat(&Readers::Get); });
    threads_.emplace_back([this] { Repeat(&Readers::MultiGet); });
  }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  uint64_t failures() const { return failures_; }
  uint64_t rounds() const { return rounds_; }

 private:
  void Repeat(void (Readers::*read)(const View&)) {
    do {
      (this->*read)(store_->GetView());
      ++rounds_;
    } while (!stop_);
  }
  void Expect(bool condition) {
    if (!condition) ++failures_;
  }
  void Scan(const View& view) {
    const absl::StatusOr<Model> model = ReadForward(view);
    Expect(model.ok() && model->size() == view.record_count());
    Expect(model.ok() && model->at("large").rfind(std::to_string(view.next_seq()) + ":", 0) == 0);
  }
  void Get(const View& view) {
    std::string value;
    for (int i = 0; i < kRecords; i += 7) Expect(view.Get(Key(i), &value).ok());
    Expect(view.Get("large", &value).ok());
    Expect(value.rfind(std::to_string(view.next_seq()) + ":", 0) == 0);
  }
  void MultiGet(const View& view) {
    std::vector<std::string> keys;
    for (int i = 0; i < kRecords; i += 9) keys.push_back(Key(i));
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    std::vector<std::string> values(keys.size());
    std::vector<absl::Status> statuses(keys.size(), absl::NotFoundError(""));
    view.MultiGet(views, absl::MakeSpan(values), absl::MakeSpan(statuses));
    for (const absl::Status& status : statuses) Expect(status.ok());
  }

  PageStore* const store_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
  std::atomic<uint64_t> rounds_{0};
  std::vector<std::thread> threads_;
};

TEST(PageStoreThreadTest, ReadersSeeWholeGenerationsDuringCheckpoints) {
  FaultEnv env;
  PageStoreOptions options = SmallStoreOptions(&env);
  // Smaller than the tree: pages come and go under the readers.
  options.cache_size_bytes = size_t{1} << 20;
  auto store = PageStore::Open("dir/threads.emdb", options);
  ASSERT_TRUE(store.ok()) << store.status();
  Changes first = GenerationOf(3);
  for (int i = 0; i < kRecords; ++i) first.try_emplace(Key(i), "first");
  first["large"] = "1:";
  ASSERT_TRUE(Apply(store->get(), 1, first).ok());
  Readers readers(store->get());
  for (int number = 2; number <= kGenerations; ++number) {
    const absl::Status status =
        Apply(store->get(), static_cast<uint64_t>(number), GenerationOf(number));
    ASSERT_TRUE(status.ok()) << status;
    if (number % 10 == 0) {
      ASSERT_TRUE((*store)->Compact().ok());
    }
    (*store)->stats();
  }
  readers.Stop();
  EXPECT_EQ(readers.failures(), 0u);
  EXPECT_GT(readers.rounds(), 0u);
  const absl::Status verified = (*store)->Verify();
  EXPECT_TRUE(verified.ok()) << verified;
}

}  // namespace
}  // namespace emdb
