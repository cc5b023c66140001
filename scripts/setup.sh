#!/bin/sh
# Sets a fresh clone up: Node and pnpm (scripts/toolchain.sh puts them on PATH), packages from the lockfile, Blender and bubblewrap. Sourced by demo.sh and
# test.sh with the toolchain already on PATH. Exit code 3: Blender is missing and cannot be installed here.
set -eu
stamp=node_modules/.pictor-setup
want=$(cat pnpm-lock.yaml pnpm-workspace.yaml | cksum)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$want" ]; then
  echo "setup: installing packages from the lockfile" >&2
  pnpm install --frozen-lockfile --reporter=append-only >&2
  printf '%s' "$want" >"$stamp"
fi

have_blender() { [ -n "${PICTOR_BLENDER:-}" ] || command -v blender >/dev/null 2>&1; }
missing=
have_blender || missing=blender
command -v bwrap >/dev/null 2>&1 || missing="$missing bubblewrap"
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup: installing$([ "$missing" ] && echo " $missing") from Debian (about 300 MB for Blender; once)" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2 && apt-get install -y -q --no-install-recommends -o Dpkg::Progress-Fancy=0 $missing >&2 || true
  fi
fi
if ! have_blender; then
  echo "setup: Blender is needed and was not found. Install it (Debian: apt-get install blender) or point PICTOR_BLENDER at its program, then run this again." >&2
  exit 3
fi
