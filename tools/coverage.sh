#!/bin/bash
# Which lines and branches of wal, pagestore and kv their tests reach: runs them, and prints a table
# by file and by folder. Fails if a test does.
#
#   tools/coverage.sh                      all tests that are not manual
#   tools/coverage.sh //wal:wal_test       what these tests reach
#   tools/coverage.sh --jobs=1 //kv/...    any of bazel's options
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

targets=(//wal/... //pagestore/... //kv/...)
for argument in "$@"; do
  if [[ ${argument} != -* ]]; then
    targets=() # The caller names them.
  fi
done

root=$(bazel info execution_root 2>/dev/null)
objects=$(bazel info --config=coverage bazel-bin 2>/dev/null)
if [[ -d ${objects} ]]; then
  find "${objects}" -name '*.gcda' -delete # Of an earlier run; they would be added to.
fi
status=0
# The programs write their counts beside the objects, which were compiled in /proc/self/cwd, and not
# into the directories that they run in.
bazel test --config=coverage --test_env=GCOV_PREFIX="${root}" --test_env=GCOV_PREFIX_STRIP=3 \
  --keep_going "$@" "${targets[@]}" </dev/null || status=$?
python3 tools/coverage_table.py "${objects}" wal pagestore kv
exit "${status}"
