#!/bin/bash
# Shows emdb at work on real data: this machine's own Debian package index.
# Installs what is missing, builds, and then
#
#   1. stores the index (package name -> stanza) in durable batches, killing the
#      writer with SIGKILL three times on the way; after each kill it reopens the
#      store and compares every acknowledged record with its source;
#   2. checkpoints, and verifies every page and log record;
#   3. looks a package up, scans a prefix, counts, prints the statistics;
#   4. does the same work with RocksDB, side by side.
#
#   tools/quickstart.sh          in a directory below ${TMPDIR:-/var/tmp} that is removed at the end
#   tools/quickstart.sh --keep   and is kept
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

keep=false
directory=

say() { printf '\n== %s\n' "$*"; }

# Shows a command as one would type it, then runs it.
show() {
  printf '\n  $ emdb %s\n' "${*//${directory}\//}"
  "${emdb}" "$@" 2>&1 | awk '{ print "    " $0 }'
}

finish() {
  local status=$?
  if [[ -n ${directory} ]]; then
    if ${keep}; then
      printf '\nThe store is %s\n' "${directory}/packages.emdb"
    else
      rm -rf "${directory}"
    fi
  fi
  if [[ ${status} -eq 0 ]]; then
    printf '\nPASS\n'
  else
    printf '\nFAIL (exit status %d)\n' "${status}" >&2
  fi
}

# Writes the package index of this machine to file $1.
write_index() {
  apt-cache dumpavail >"$1" 2>/dev/null || true
  # Without apt's lists there are still the packages that are installed.
  if [[ $(grep -c '^Package: ' "$1" || true) -lt 1000 ]]; then
    cp /var/lib/dpkg/status "$1"
  fi
}

main() {
  case "$*" in
    '') ;;
    --keep) keep=true ;;
    *)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      [[ $* == --help ]] && exit 0
      exit 2
      ;;
  esac
  trap finish EXIT

  say "Installing what is missing"
  tools/install_packages.sh

  say "Building"
  bazel build --config=opt //tools:emdb //tools/quickstart </dev/null
  # Found through Bazel: the links it leaves may belong to another configuration.
  local bin
  bin=$(bazel info --config=opt bazel-bin 2>/dev/null)
  readonly emdb=${bin}/tools/emdb quickstart=${bin}/tools/quickstart/quickstart

  # Not /tmp, which may be in memory, where "durable" means nothing.
  directory=$(mktemp -d "${TMPDIR:-/var/tmp}/emdb-quickstart.XXXXXX")
  local -r index=${directory}/index store=${directory}/packages.emdb
  write_index "${index}"
  echo "The data is in ${directory} ($(stat -f -c %T "${directory}"))"

  say "1. Loading the package index, with the writer killed on the way"
  "${quickstart}" kill "${index}" "${store}"

  say "2. Checkpoint and verification"
  show checkpoint "${store}"
  show verify "${store}"

  say "3. Looking around"
  local name
  name=$(grep -x -m 1 -e 'Package: bash' -e 'Package: dpkg' "${index}")
  show get "${store}" "${name#Package: }" --raw
  show scan "${store}" --prefix=libc --keys-only --limit=5
  show count "${store}"
  show stats "${store}"

  say "4. Side by side with RocksDB: the same records, each write durable, every value compared"
  "${quickstart}" compare "${index}" "${directory}"
}

main "$@"
