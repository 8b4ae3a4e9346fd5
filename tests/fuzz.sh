#!/usr/bin/env bash
# Every fuzz target for SECONDS under libFuzzer, from the committed corpus. What it finds new stays under target/, what
# brings a body down in fuzz/artifacts/: make it an input of the corpus together with the fix.
# Usage: tests/fuzz.sh SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1 failed=0
cargo +nightly fuzz build
for target in $(cargo +nightly fuzz list); do
  found=target/fuzz-corpus/$target
  mkdir -p "$found"
  printf '%-24s ' "$target"
  if cargo +nightly fuzz run "$target" "$found" "fuzz/corpus/$target" -- -max_total_time="$seconds" \
    -max_len=8192 -timeout=10 -rss_limit_mb=2048 >"target/fuzz-$target.log" 2>&1; then
    grep -E '^Done ' "target/fuzz-$target.log"
  else
    echo FAILED
    tail -n 40 "target/fuzz-$target.log"
    failed=1
  fi
done
exit "$failed"
