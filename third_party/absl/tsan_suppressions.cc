// The pool that seeds absl::BitGen is guarded by a lock of Abseil's own, which
// ThreadSanitizer can't see in archives that are not instrumented. This hook of
// its runtime, called by nothing else, keeps it from reporting that pool.
extern "C" const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() {
  return "race:absl::*::random_internal::*Randen\n";
}
