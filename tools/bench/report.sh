#!/bin/bash
# Runs a profile of the benchmark and writes results.jsonl, report.md, report.html
# and summary.svg. Unattended; ^C leaves reports of what was measured so far.
#
#   tools/bench/report.sh smoke                      1 minute: does everything work?
#   tools/bench/report.sh standard                   20 minutes, on a machine that does nothing else
#   tools/bench/report.sh standard --publish         the same, to be checked in
#   tools/bench/report.sh full --out=/data/results   hours; any of bench's flags
#
# Without --out the results go to tools/bench/results/PROFILE, which git ignores.
# --publish puts them into tools/bench/results/MACHINE-DATE instead and, if the run
# was complete, its picture into tools/bench/results/summary.svg, which README.md shows. It is for
# all of `standard`: it takes no other profile and no other flags.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly results=${PWD}/tools/bench/results

# "amd-epyc-2-cores", from the processor's name without marks and clock rates.
machine_name() {
  local model
  model=$(grep -m 1 '^model name' /proc/cpuinfo | sed 's/^[^:]*: //' || true)
  printf '%s %s cores' "${model:-$(uname -m)}" "$(nproc)" |
    sed -E 's/\((R|TM)\)|@.*GHz|CPU|Processor|[0-9]+-Core//gI' |
    tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-'
}

profile=${1:-}
if [[ -z ${profile} || ${profile} == -* ]]; then
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
shift

out=${results}/${profile}
publish=false
flags=()
for argument in "$@"; do
  case "${argument}" in
    --publish) publish=true ;;
    --out=/*) out=${argument#--out=} ;;
    --out=*) out=${PWD}/${argument#--out=} ;;
    *) flags+=("${argument}") ;;
  esac
done
if ${publish} && [[ ${profile} != standard || $# -ne 1 ]]; then
  echo "report.sh: --publish is for all of standard: tools/bench/report.sh standard --publish" >&2
  exit 2
fi
if ${publish}; then out=${results}/$(machine_name)-$(date -u +%Y-%m-%d); fi

tools/install_packages.sh
bazel build --config=opt //tools/bench
echo "Results go to ${out}"
# Not `bazel run`, which would take ^C for itself. Nor does this script end by it: the benchmark does,
# and says so by its exit status.
trap : INT
status=0
"$(bazel info --config=opt bazel-bin 2>/dev/null)/tools/bench/bench" \
  --profile="${profile}" --out="${out}" "${flags[@]}" || status=$?
if ${publish} && [[ ${status} -eq 0 ]]; then cp "${out}/summary.svg" "${results}/summary.svg"; fi
exit "${status}"
