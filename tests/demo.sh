#!/usr/bin/env bash
# `make demo`: a plant of scripted devices in one process, the gateway in another, and what they do with each other.
# Usage: tests/demo.sh DMGW [SECONDS]. Everything lives in a folder that is gone afterwards; nothing stays running.
set -euo pipefail
cd "$(dirname "$0")/.."
dmgw=$PWD/$1 seconds=${2:-20}
demo=$(mktemp -d)
started=()
finish() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$demo"
}
trap finish EXIT
show() { printf '\n$ dmgw %s\n' "$*"; "$dmgw" "$@" --socket "$demo/dmgw.sock"; }
within() { # SECONDS COMMAND…
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "gave up waiting for: $*"; cat "$demo"/*.log; exit 1; }
    sleep 0.1
  done
}

cp config/demo/*.toml "$demo/"
cd "$demo"
"$dmgw" sim plant.toml >plant.log 2>&1 & started+=($!)
"$dmgw" run --config demo.toml >daemon.log 2>&1 & started+=($!)
within "$seconds" "$dmgw" status --socket "$demo/dmgw.sock"
show status
show devices
show journal
