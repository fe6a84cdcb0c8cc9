#!/bin/sh
# Installs Debian's Chromium for the browser tests, with fonts that have Cyrillic and emoji.
# Does nothing when it is there; exits 1 with a reason where it cannot be had.
set -eu
[ ! -x /usr/bin/chromium ] || exit 0
command -v apt-get >/dev/null || { echo "no apt-get: install Chromium as /usr/bin/chromium by hand" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "not root: run 'sudo scripts/install-browser.sh'" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
packages="chromium fonts-noto-color-emoji fonts-dejavu-core"
apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1 || {
  apt-get update -qq >/dev/null 2>&1
  apt-get install -y -qq --no-install-recommends $packages >/dev/null
}
