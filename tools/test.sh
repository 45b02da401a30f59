#!/bin/bash
# Installs what is missing, builds everything, runs the tests, and ends with the
# line "N passed, N failed", counted in GoogleTest cases. Fails unless all passed.
#
#   tools/test.sh                         all tests
#   tools/test.sh //wal:wal_test          one target
#   tools/test.sh --config=tsan           all tests, any of bazel's options
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/install_packages.sh

targets=(//...)
for argument in "$@"; do
  if [[ ${argument} != -* ]]; then
    targets=() # The caller names them.
  fi
done

events=$(mktemp)
trap 'rm -f "${events}"' EXIT

# Bazel runs as many actions and tests at once as there are cores, and fewer when
# memory is short; nothing has to be said about it. Colors and cursor movement are
# left to what Bazel finds out about the terminal.
bazel_status=0
bazel test --keep_going --build_event_json_file="${events}" "$@" "${targets[@]}" \
  </dev/null || bazel_status=$?

python3 tools/count_tests.py "${events}" "${bazel_status}"
