# What `fetch` and `build` share. Written for bash 3.2 and the BSD tools of macOS as well as for Linux.

native_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
packages_file="$native_dir/packages.txt"

say() { printf 'native: %s\n' "$*"; }
die() { printf 'native: %s\n' "$*" >&2; exit 1; }

# need TOOL HOW-TO-INSTALL-ON-LINUX HOW-TO-INSTALL-ON-MAC
need() {
  command -v "$1" > /dev/null 2>&1 && return 0
  if [ "$(uname -s)" = Darwin ]; then die "$1 is missing; install it: $3"; else die "$1 is missing; install it: $2"; fi
}

cache_dir() {
  if [ -n "${DARKBLOOM_AGENT_CACHE:-}" ]; then
    printf '%s\n' "$DARKBLOOM_AGENT_CACHE"
  elif [ "$(uname -s)" = Darwin ]; then
    printf '%s\n' "$HOME/Library/Caches/darkbloom-agent"
  else
    printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/darkbloom-agent"
  fi
}

host_platform() {
  case "$(uname -s)/$(uname -m)" in
    Linux/x86_64) echo linux-x64 ;;
    Linux/aarch64 | Linux/arm64) echo linux-arm64 ;;
    Darwin/arm64) echo mac-arm64 ;;
    *) die "no llama.cpp build for $(uname -s) on $(uname -m); supported: linux-x64, linux-arm64, mac-arm64" ;;
  esac
}

release_tag() { awk '$1 == "release" { print $2 }' "$packages_file"; }
release_commits() { awk '$1 == "commit" { print $2 }' "$packages_file"; }

# sha FILES... of the given width in bits, one bare hash a line
sha() {
  local bits="$1"
  shift
  if command -v "sha${bits}sum" > /dev/null 2>&1; then
    "sha${bits}sum" "$@" | awk '{ print $1 }'
  else
    shasum -a "$bits" "$@" | awk '{ print $1 }'
  fi
}
