# Lines that the scripts in this folder share. Source it; it does nothing by itself.

set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${SWIFTWATER_JOBS:-2}
python=$checkout/.venv/bin/python

say() { printf '%s\n' "$*"; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# Prints the comment at the top of the script when the first argument asks for it.
answer_help() {
  case "${1:-}" in
    -h | --help)
      sed -n '2,/^[^#]/{/^#/!q;s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
  esac
}

# Runs apt-get as root, or through sudo, or says what a person has to install.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Installing: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
      fail "these packages are missing and this user cannot install them: ${missing[*]} (sudo apt-get install ${missing[*]})"
    as_root=(sudo -n)
  fi
  ${as_root[@]+"${as_root[@]}"} apt-get update -qq || say "apt-get update failed; trying with the lists that are here"
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}"
}

# What compiling needs. The compiler itself is not in Debian.
install_build_needs() {
  command -v swift >/dev/null || fail "there is no swift on the PATH: Swift 6.2 or newer is needed, see https://www.swift.org/install/linux/"
  local libraries
  mapfile -t libraries < <(sed -n 's/.*library(.*apt: "\([^"]*\)").*/\1/p' "$checkout/Package.swift")
  [ ${#libraries[@]} -gt 0 ] || fail "Package.swift names no libraries"
  install_packages "${libraries[@]}"
}

# What Kubernetes clusters on this machine are made of, besides Kubernetes' own programs.
install_kubernetes_needs() {
  install_packages etcd-server containerd runc containernetworking-plugins iptables iproute2 conntrack ethtool socat \
    openssl curl python3 dnsmasq-base
  command -v kubectl >/dev/null || install_packages kubernetes-client
}

# A Python of 3.10 or newer that can make virtual environments.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11 python3.10; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

# The clients that tests talk to the broker with, in .venv; installed again only when the list changes.
install_python_clients() {
  local wanted=$checkout/Tests/InteropTests/requirements.txt stamp=$checkout/.venv/installed.txt base
  if [ -x "$python" ] && cmp -s "$wanted" "$stamp" && "$python" -c '' 2>/dev/null; then return 0; fi
  if ! base=$(find_python); then
    install_packages python3 python3-venv
    base=$(find_python) || fail "no Python of 3.10 or newer with the venv module was found"
  fi
  say "Making .venv with $("$base" --version)"
  "$base" -m venv --clear "$checkout/.venv"
  "$checkout/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" ||
    fail "pip could not install what $wanted lists"
  cp "$wanted" "$stamp"
}

# Prints the binary to run: SWIFTWATER_BIN, or the one of the given configuration (release, debug), built now.
broker_binary() {
  local configuration=${1:-release}
  if [ -n "${SWIFTWATER_BIN:-}" ]; then
    [ -x "$SWIFTWATER_BIN" ] || fail "SWIFTWATER_BIN is $SWIFTWATER_BIN, which cannot be run"
    say "$SWIFTWATER_BIN"
    return 0
  fi
  (cd "$checkout" && swift build -c "$configuration" --static-swift-stdlib --jobs "$jobs" --product swiftwater >&2) ||
    fail "the $configuration build failed"
  say "$checkout/.build/$configuration/swiftwater"
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

milliseconds() { date +%s%3N; }

# Starts `$binary broker` on $1 (folder) and $2 (port), the rest being more --override values. Sets broker_pid and
# ready_after (ms). Returns when the broker has said that it is ready; its log is $1/broker.log.
start_broker() {
  local folder=$1 port=$2 value overrides=() began deadline pinned=()
  shift 2
  for value in "$@"; do overrides+=(--override "$value"); done
  [ -z "${broker_cores:-}" ] || pinned=(taskset -c "$broker_cores")
  began=$(milliseconds)
  deadline=$((began + 60000))
  ${pinned[@]+"${pinned[@]}"} "$binary" broker --override "log.dirs=$folder/data" \
    --override "listeners=PLAINTEXT://127.0.0.1:$port" \
    ${overrides[@]+"${overrides[@]}"} >>"$folder/broker.log" 2>&1 &
  broker_pid=$!
  local seen
  seen=$(stat -c %s "$folder/broker.log" 2>/dev/null || echo 0)
  until tail -c +"$((seen + 1))" "$folder/broker.log" 2>/dev/null | grep -q '"ready"'; do
    kill -0 "$broker_pid" 2>/dev/null || { tail -n 20 "$folder/broker.log" >&2; fail "the broker ended while starting"; }
    [ "$(milliseconds)" -lt "$deadline" ] || { tail -n 20 "$folder/broker.log" >&2; fail "the broker was not ready within 60 s"; }
    sleep 0.002
  done
  ready_after=$(($(milliseconds) - began))
}

# Ends the broker cleanly, or at once with `stop_broker KILL`.
stop_broker() {
  [ -n "${broker_pid:-}" ] || return 0
  kill -s "${1:-TERM}" "$broker_pid" 2>/dev/null || true
  wait "$broker_pid" 2>/dev/null || true
  broker_pid=
}

# Resident memory of a process in KiB.
resident() { awk '/^VmRSS:/ {print $2}' "/proc/$1/status"; }
