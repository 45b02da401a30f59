#!/bin/bash
# Installs the Debian packages of tools/packages.txt that are missing. Does and
# says nothing when none is.
#
#   tools/install_packages.sh            what building and testing needs
#   tools/install_packages.sh develop    and what linting, clang and fuzzing need
set -euo pipefail

packages_file="$(dirname "${BASH_SOURCE[0]}")/packages.txt"
readonly packages_file

die() {
  echo "install_packages.sh: $*" >&2
  exit 1
}

# Prints the packages of the given sections of packages.txt.
list_packages() {
  awk -v wanted=" $* " '
    /^#/ || NF == 0 { next }
    /^\[.*\]$/ { in_wanted = index(wanted, " " substr($0, 2, length($0) - 2) " "); next }
    in_wanted { print $1 }
  ' "${packages_file}"
}

# Prints those of the given packages that are not installed.
list_missing() {
  local installed
  # dpkg-query fails when it does not know one of the packages; that one is missing.
  # shellcheck disable=SC2016  # ${...} are dpkg-query's, not the shell's.
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"${installed}")
}

as_root() {
  if [[ ${EUID} -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing needs root: run as root or install sudo"
  fi
}

main() {
  case "$*" in
    '' | develop) ;;
    *) die "usage: tools/install_packages.sh [develop]" ;;
  esac

  local packages missing
  mapfile -t packages < <(list_packages build "$@")
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this is not a Debian system; install the equivalents of: ${packages[*]}"
  fi

  mapfile -t missing < <(list_missing "${packages[@]}")
  if [[ ${#missing[@]} -eq 0 ]]; then
    return
  fi

  echo "Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get -qq update
  as_root apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${missing[@]}" \
    </dev/null >/dev/null
}

main "$@"
