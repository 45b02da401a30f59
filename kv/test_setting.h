// TestSetting: a number that one run of a test can be given from outside, by an environment
// variable (`bazel test --test_env=EMDB_SEED=7 ...`), and is printed with the name of the variable,
// so that a run can be repeated.
//
// TestAmount: one that says how much a test does. Under ThreadSanitizer, which makes these tests
// some thirty times slower, the default is a twenty-fifth: the repetitions look for cases, not for
// races, and those that do look for races take TestSetting.

#ifndef EMDB_KV_TEST_SETTING_H_
#define EMDB_KV_TEST_SETTING_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace emdb {

inline uint64_t TestSetting(const char* variable, uint64_t default_value) {
  const char* const text = std::getenv(variable);
  const uint64_t value = text == nullptr ? default_value : std::strtoull(text, nullptr, 10);
  std::printf("%s=%llu\n", variable, static_cast<unsigned long long>(value));
  return value;
}

#if defined(__SANITIZE_THREAD__)
inline constexpr uint64_t kTestAmountDivisor = 25;
#else
inline constexpr uint64_t kTestAmountDivisor = 1;
#endif

inline uint64_t TestAmount(const char* variable, uint64_t default_value) {
  return TestSetting(variable, default_value / kTestAmountDivisor);
}

}  // namespace emdb

#endif  // EMDB_KV_TEST_SETTING_H_
