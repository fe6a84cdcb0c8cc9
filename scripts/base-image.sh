#!/usr/bin/env bash
# Makes sure that the engine has the image NAME (python:3.11-slim-bookworm): there already, pulled, or, where no
# registry of images can be reached, made from Debian's packages (root on Debian). DOCKER_HOST says which engine.
#
#   scripts/base-image.sh NAME
#
# Exit code 3 means "cannot be had here": tests skip on it.
set -euo pipefail

say() { echo "base-image: $*" >&2; }
unavailable() { say "$*"; exit 3; }

IMAGE=${1:?name of the image}
docker image inspect "$IMAGE" >/dev/null 2>&1 && exit 0
timeout 120 docker pull --quiet "$IMAGE" >&2 2>/dev/null && exit 0

[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || unavailable "$IMAGE cannot be pulled, and only root on Debian can make one"
. /etc/os-release
[ "${VERSION_CODENAME:-}" = bookworm ] || unavailable "$IMAGE cannot be pulled, and this is not Debian bookworm"
export DEBIAN_FRONTEND=noninteractive
if ! command -v debootstrap >/dev/null; then
  { apt-get -qq -o DPkg::Lock::Timeout=300 update &&
    apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends debootstrap; } >&2 ||
    unavailable "debootstrap could not be installed"
fi
# The mirror that this machine itself uses.
MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
say "making $IMAGE from Debian's packages"
ROOT=$(mktemp -d)
trap 'rm -rf "$ROOT"' EXIT
debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates,tzdata \
  bookworm "$ROOT" "$MIRROR" >"$ROOT.log" 2>&1 || { tail -n 5 "$ROOT.log" >&2; unavailable "debootstrap failed"; }
rm -rf "$ROOT.log" "$ROOT"/var/cache/apt/* "$ROOT"/var/lib/apt/lists/* "$ROOT"/usr/share/{doc,man,locale}/*
ln -sf python3 "$ROOT/usr/bin/python"
# What this machine trusts, a build must trust: a registry may stand behind a proxy with a certificate of its own.
cp /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/ca-certificates.crt"
printf '[global]\nbreak-system-packages = true\nroot-user-action = ignore\ncert = /etc/ssl/certs/ca-certificates.crt\n' \
  >"$ROOT/etc/pip.conf"
tar -C "$ROOT" -c . | docker import -c 'CMD ["python3"]' - "$IMAGE" >&2
