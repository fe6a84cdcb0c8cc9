#!/usr/bin/env bash
# A private, throw-away Docker engine for tests. It never touches an engine that is already on the machine: its own
# socket, data and pid files all lie below one folder, and it has no network of its own (no iptables, no bridge).
#
#   scripts/engine.sh start    install what is missing (root on Debian), start dockerd, print DOCKER_HOST
#   scripts/engine.sh stop     end its containers, then dockerd
#   scripts/engine.sh crash    SIGKILL dockerd, as a machine's out-of-memory killer would
#   scripts/engine.sh term     SIGTERM dockerd and wait until it is gone
#   scripts/engine.sh images   build the tiny images that the tests run (busybox from this machine; nothing is pulled)
#   scripts/engine.sh wipe     stop, then remove every file of it
#
# ENGINE_DIR chooses the folder (default: <tmp>/highlight-engine-<uid>), LIVE_RESTORE=1 keeps containers alive without dockerd.
# Exit code 3 means "no engine can be had here" (not root, no Debian, or the kernel refuses): tests skip on it.
set -euo pipefail

DIR=${ENGINE_DIR:-${TMPDIR:-/tmp}/highlight-engine-$(id -u)}
SOCKET=$DIR/docker.sock
export DOCKER_HOST=unix://$SOCKET

say() { echo "engine: $*" >&2; }
unavailable() { say "$*"; exit 3; }
pings() { curl -fs --max-time 2 --unix-socket "$SOCKET" http://engine/_ping >/dev/null 2>&1; }

# The process id in file $1, if that process lives and is called $2.
alive() {
  local id
  id=$(cat "$1" 2>/dev/null) || return 1
  [ "$(cat "/proc/$id/comm" 2>/dev/null)" = "$2" ] && echo "$id"
}

wait_gone() { # pid, tenths of a second
  for _ in $(seq 1 "$2"); do
    [ -d "/proc/$1" ] || return 0
    sleep 0.1
  done
  return 1
}

# dockerd's own containerd outlives a SIGKILL of dockerd by a moment; a new dockerd would adopt the dying one and fail.
end_containerd() {
  local id
  if id=$(alive "$DIR/exec/containerd/containerd.pid" containerd); then
    kill "$id" 2>/dev/null || true
    wait_gone "$id" 50 || kill -9 "$id" 2>/dev/null || true
  fi
  rm -f "$DIR/exec/containerd/containerd.pid"
}

install_packages() {
  local missing=()
  command -v dockerd >/dev/null && command -v docker >/dev/null || missing+=(docker.io)
  command -v containerd >/dev/null || missing+=(containerd)
  command -v runc >/dev/null || missing+=(runc)
  command -v iptables >/dev/null || missing+=(iptables)
  command -v curl >/dev/null || missing+=(curl)
  [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1 || missing+=(busybox-static)
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || unavailable "${missing[*]} missing and this is no Debian"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -qq -o DPkg::Lock::Timeout=300 update &&
    apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"; } >&2 ||
    unavailable "apt-get could not install ${missing[*]}"
}

start() {
  [ "$(uname -s)" = Linux ] || unavailable "an engine for tests needs Linux"
  [ "$(id -u)" = 0 ] || unavailable "an engine for tests needs root"
  mkdir -p "$DIR"
  exec 9>"$DIR/lock" # two test runs that start at once share one engine
  flock 9
  if alive "$DIR/dockerd.pid" dockerd >/dev/null && pings; then
    say "already running"
    echo "$DOCKER_HOST"
    return
  fi
  install_packages
  local driver
  for driver in ${STORAGE_DRIVER:-overlay2 vfs}; do # a file system below that is an overlay itself refuses overlay2
    if run_dockerd "$driver"; then
      echo "$DOCKER_HOST"
      return
    fi
    say "dockerd with $driver does not answer; the end of its log:"
    tail -n 8 "$DIR/dockerd.log" >&2
  done
  unavailable "dockerd does not run here"
}

# Start dockerd and wait until it answers; false when it ended or took more than 30 s.
run_dockerd() { # storage driver
  end_containerd
  rm -f "$DIR/dockerd.pid"
  setsid dockerd --host="$DOCKER_HOST" --data-root="$DIR/data" --exec-root="$DIR/exec" --pidfile="$DIR/dockerd.pid" \
    --storage-driver="$1" --bridge=none --iptables=false --ip6tables=false \
    --ip-forward=false --ip-masq=false --shutdown-timeout=5 ${LIVE_RESTORE:+--live-restore} \
    >>"$DIR/dockerd.log" 2>&1 </dev/null 9>&- &
  local pid=$!
  for _ in $(seq 1 300); do
    pings && return 0
    [ -d "/proc/$pid" ] || return 1
    sleep 0.1
  done
  kill "$pid"
  return 1
}

term() {
  local id
  if id=$(alive "$DIR/dockerd.pid" dockerd); then
    kill "$id"
    wait_gone "$id" 200 || { say "dockerd did not stop in 20 s: SIGKILL"; kill -9 "$id"; }
  fi
  end_containerd
  rm -f "$DIR/dockerd.pid"
}

crash() {
  local id
  id=$(alive "$DIR/dockerd.pid" dockerd) || { say "not running"; return; }
  kill -9 "$id"
  wait_gone "$id" 50
}

stop() {
  local ids
  if pings && ids=$(docker ps -q) && [ -n "$ids" ]; then
    # shellcheck disable=SC2086  # a list of ids
    docker kill $ids >/dev/null 2>&1 || true
  fi
  term
}

images() {
  local root name
  root=$(mktemp -d)
  trap 'rm -rf "$root"' RETURN
  mkdir -p "$root"/{bin,tmp,etc,proc,sys,dev}
  chmod 1777 "$root/tmp"
  cp /bin/busybox "$root/bin/"
  for name in $(/bin/busybox --list); do
    [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
  done
  echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
  # The shell as pid 1 answers SIGTERM with exit code 0 at once, as a well-behaved service does, from the moment at
  # which it has said "ready"; before that a pid 1 is deaf to it.
  local idle='CMD ["/bin/sh","-c","trap exit TERM; echo ready; while :; do sleep 0.2; done"]'
  local probe='HEALTHCHECK --interval=1s --timeout=1s --retries=2 CMD test ! -e /tmp/bad'
  tar -C "$root" -c . | docker import -c "$idle" - highlight-test/idle:1 >&2
  tar -C "$root" -c . | docker import -c "$probe" -c "$idle" - highlight-test/probed:1 >&2
}

wipe() {
  stop
  awk -v prefix="$DIR/" 'index($2, prefix) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
    umount "$mount" 2>/dev/null || true
  done
  rm -rf "$DIR"
}

case ${1:-} in
start | stop | crash | term | images | wipe) "$1" ;;
*)
  sed -n '2,14p' "$0" | sed 's/^# \{0,1\}//'
  exit 2
  ;;
esac
