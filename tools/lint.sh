#!/bin/bash
# Checks formatting (clang-format), C++ code (clang-tidy) and scripts (shellcheck).
# Changes nothing. Needs `tools/install_packages.sh develop`.
#
#   tools/lint.sh                      all tracked files
#   tools/lint.sh wal/wal.cc wal/*.h   these files, tracked or not
#
# clang-tidy takes some seconds a file. What it found clean is remembered, and passed over until the
# file, something it includes, or .clang-tidy changes.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What clang-tidy found nothing in, kept from run to run: files named by the digest of all it saw.
cache=${XDG_CACHE_HOME:-${HOME}/.cache}/emdb-lint
export cache

# Prints what clang-tidy says about file $1, and nothing if it finds nothing.
# shellcheck disable=SC2317  # xargs calls it.
tidy() {
  # Deeper, the analyzer takes four fifths of the time, in the standard library and in GoogleTest.
  local analysis=c++-stdlib-inlining=false
  [[ $1 != *_test.cc ]] || analysis=mode=shallow
  # A header on its own is C++ too, hence -xc++.
  local -r flags=(
    -xc++ -std=c++20 -I. -Wno-pragma-once-outside-header
    -Xclang -analyzer-config -Xclang "${analysis}"
  )
  local text digest output
  # With all that is included, comments and macros; no text if that does not work, and then
  # clang-tidy says why.
  text=$(clang-14 "${flags[@]}" -E -C -dD "$1" 2>/dev/null) || text=
  digest=$(
    { clang-tidy-14 --version && cat .clang-tidy && echo "$1 ${flags[*]} ${text}"; } | sha256sum
  )
  digest=${digest%% *}
  [[ -e ${cache}/${digest} ]] && return

  output=$(clang-tidy-14 --quiet "$1" -- "${flags[@]}" 2>&1) || {
    grep -v ' warnings\? generated\.$' <<<"${output}"
    return 1
  }
  touch "${cache}/${digest}"
}
export -f tidy

# Prints those of the files "$@" whose names end in one of the suffixes of $1.
with_suffix() {
  local -r pattern="\\.($1)$"
  shift
  printf '%s\n' "$@" | grep -E "${pattern}" || true
}

main() {
  local listed files sources tidied scripts
  if [[ $# -gt 0 ]]; then
    files=("$@")
  else
    # Not from a process substitution, which would hide that git failed.
    listed=$(git ls-files)
    if [[ -z ${listed} ]]; then
      echo "lint.sh: git knows no files here" >&2
      exit 1
    fi
    mapfile -t files <<<"${listed}"
  fi
  mapfile -t sources < <(with_suffix 'cc|h' "${files[@]}")
  mapfile -t scripts < <(
    with_suffix sh "${files[@]}"
    printf '%s\n' "${files[@]}" | grep -Fx .ci/run || true
  )

  # A header is checked with the .cc files that include it, unless it was named.
  tidied=("${sources[@]}")
  if [[ $# -eq 0 ]]; then
    mapfile -t tidied < <(with_suffix cc "${sources[@]}")
  fi

  local failed=0
  if [[ ${#sources[@]} -gt 0 ]]; then
    echo "clang-format: ${#sources[@]} files"
    clang-format-14 --dry-run -Werror "${sources[@]}" || failed=1
  fi
  if [[ ${#scripts[@]} -gt 0 ]]; then
    echo "shellcheck: ${#scripts[@]} files"
    shellcheck "${scripts[@]}" || failed=1
  fi
  if [[ ${#tidied[@]} -gt 0 ]]; then
    echo "clang-tidy: ${#tidied[@]} files"
    mkdir -p "${cache}"
    # shellcheck disable=SC2016  # The inner shell expands it.
    printf '%s\0' "${tidied[@]}" |
      xargs -0 -n 1 -P "$(nproc)" bash -c 'tidy "$1"' tidy || failed=1
  fi
  exit "${failed}"
}

main "$@"
