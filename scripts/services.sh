#!/usr/bin/env bash
# Private Redis and PostgreSQL servers for tests: their own folder and loopback port, never a server that is already there.
#
#   scripts/services.sh install                      install what is missing (root on Debian)
#   scripts/services.sh redis start|stop|crash DIR PORT
#   scripts/services.sh postgres start|stop|crash DIR PORT
#
# Exit code 3 means "cannot be had here": tests skip on it.
set -euo pipefail

say() { echo "services: $*" >&2; }
unavailable() { say "$*"; exit 3; }
postgres_bin() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }

install() {
  local missing=()
  command -v redis-server >/dev/null || missing+=(redis-server)
  [ -n "$(postgres_bin)" ] && [ -x "$(postgres_bin)/initdb" ] || missing+=(postgresql)
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || unavailable "${missing[*]} missing; on Debian, root can install them"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # The packages must not start servers of their own: a policy that denies it, unless the machine already has one.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  { apt-get -qq -o DPkg::Lock::Timeout=300 update &&
    apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"; } >&2 ||
    unavailable "apt-get could not install ${missing[*]}"
}

# Runs a command as an account that is not root (PostgreSQL refuses root): nobody, where we are root.
unprivileged() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"; else "$@"; fi
}

own() { mkdir -p "$1"; [ "$(id -u)" != 0 ] || chown nobody:nogroup "$1"; }

redis() {
  local dir=$2 port=$3
  case $1 in
  start)
    own "$dir"
    # Written through at each command: a test may kill it at any moment and count what is left. (FSYNC=everysec, as
    # docker-compose.yml has it, for measuring: the disk of a busy machine would be what is measured.)
    unprivileged redis-server --bind 127.0.0.1 --port "$port" --dir "$dir" --appendonly yes --appendfsync "${FSYNC:-always}" \
      --save '' --daemonize yes --pidfile "$dir/redis.pid" --logfile "$dir/redis.log" >/dev/null
    for _ in $(seq 1 100); do
      [ "$(redis-cli -p "$port" ping 2>/dev/null)" = PONG ] && return
      sleep 0.1
    done
    tail -n 15 "$dir/redis.log" >&2
    unavailable "redis-server does not run here"
    ;;
  stop) redis-cli -p "$port" shutdown 2>/dev/null || true ;;
  crash) kill -9 "$(cat "$dir/redis.pid")" ;;
  esac
}

postgres() {
  local dir=$2 port=$3 bin
  bin=$(postgres_bin)
  case $1 in
  start)
    own "$dir"
    cd / # the working directory of root's caller may be closed to nobody
    [ -e "$dir/PG_VERSION" ] ||
      unprivileged "$bin/initdb" -D "$dir" -U highlight -A trust -E UTF8 --no-sync --no-instructions >/dev/null ||
      unavailable "initdb does not run here"
    unprivileged "$bin/pg_ctl" -D "$dir" -w -t 60 -l "$dir/log" \
      -o "-c listen_addresses=127.0.0.1 -p $port -k $dir -c fsync=off" start >/dev/null ||
      { tail -n 15 "$dir/log" >&2; unavailable "postgres does not run here"; }
    ;;
  stop) (cd / && unprivileged "$bin/pg_ctl" -D "$dir" -m fast stop >/dev/null) ;;
  crash) (cd / && unprivileged "$bin/pg_ctl" -D "$dir" -m immediate stop >/dev/null) ;;
  esac
}

case ${1:-} in
install) install ;;
redis | postgres) "$@" ;;
*) sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//' ; exit 2 ;;
esac
