#!/bin/bash
# Runs a profile of the benchmark and writes results.jsonl, report.md, report.html
# and summary.svg. Unattended; ^C leaves reports of what was measured so far.
#
#   tools/bench/report.sh smoke                      1 minute: does everything work?
#   tools/bench/report.sh standard                   20 minutes: what is published
#   tools/bench/report.sh full --out=/data/results   hours; any of bench's flags
#
# Without --out the results go to tools/bench/results/PROFILE.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

profile=${1:-}
if [[ -z ${profile} || ${profile} == -* ]]; then
  sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
shift

out=${PWD}/tools/bench/results/${profile}
flags=()
for argument in "$@"; do
  case "${argument}" in
    --out=/*) out=${argument#--out=} ;;
    --out=*) out=${PWD}/${argument#--out=} ;;
    *) flags+=("${argument}") ;;
  esac
done

tools/install_packages.sh
bazel build --config=opt //tools/bench
echo "Results go to ${out}"
# Not `bazel run`: ^C must reach the benchmark alone.
exec bazel-bin/tools/bench/bench --profile="${profile}" --out="${out}" "${flags[@]}"
