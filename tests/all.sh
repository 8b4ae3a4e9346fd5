#!/usr/bin/env bash
# `make test`: every step with its time, then what was skipped and why, then one line `N passed, N failed, N skipped`.
#
# A test that cannot run on this machine prints a line `SKIP name: why` and returns; here it counts as skipped. With
# CI=true and as root there is no reason to skip anything: then a skip is a failure. A step counts like a test.
set -uo pipefail
shopt -s extglob
cd "$(dirname "$0")/.."

profile=quick
logs=target/test-logs
mkdir -p "$logs"
rm -f "$logs"/*.log
skips=$logs/skips
: >"$skips"
passed=0 failed=0 skipped=0
began=$SECONDS

skip() { # NAME WHY
  printf 'SKIP %s: %s\n' "$1" "$2" >>"$skips"
  printf '%-44s skipped\n' "$1"
}

# step NAME WHAT COMMAND…: quiet while it goes well; a step that fails shows its log and the others still run.
step() {
  local name=$1 what=$2 from=$SECONDS
  shift 2
  printf '%-44s ' "$name: $what"
  if "$@" >"$logs/$name.log" 2>&1; then
    printf 'ok      %4d s\n' $((SECONDS - from))
    passed=$((passed + 1))
  else
    printf 'FAILED  %4d s\n' $((SECONDS - from))
    tail -n "${LOG_LINES:-60}" "$logs/$name.log"
    failed=$((failed + 1))
    return 1
  fi
}

# One line for each test binary when it ends, and one at once for each test that fails or takes long.
progress() {
  local line=$1
  case $line in
    *"Running "*"("* | *"Doc-tests "*) binary=${line%% (*} && binary=${binary##*( )} && binary_from=$SECONDS ;;
    "test "*" has been running for over"* | "test "*"... FAILED") printf '  %s\n' "$line" ;;
    "test result:"*)
      [[ $line =~ ([0-9]+)\ passed\;\ ([0-9]+)\ failed ]]
      printf '  %-42s %3d passed %3d failed %4d s\n' "$binary" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" $((SECONDS - binary_from))
      ;;
  esac
}

# The step of the tests is not a test itself: its tests are counted one by one.
tests() {
  local log=$logs/tests.log from=$SECONDS code=0 counts
  printf '%-44s\n' "tests: each binary with its time"
  # A test that hangs must not hang CI; half an hour leaves room for the rest of the forty minutes.
  timeout -k 10 "${TEST_SECONDS:-1800}" \
    cargo test --locked --profile "$profile" --no-fail-fast -- --show-output 2>&1 | tee "$log" |
    while IFS= read -r line; do progress "$line"; done
  code=${PIPESTATUS[0]}
  counts=$(awk '/^test result:/ { p += $4; f += $6 } END { print p + 0, f + 0 }' "$log")
  # A test may say it more than once; it is skipped once.
  local before=$(wc -l <"$skips")
  awk -F: '/^SKIP [^:]+: / && !seen[$1]++' "$log" >>"$skips"
  local in_tests=$(($(wc -l <"$skips") - before))
  passed=$((passed + ${counts% *} - in_tests))
  failed=$((failed + ${counts#* }))
  # A binary that was killed or does not build counts no test of its own.
  if [ "$code" != 0 ] && [ "${counts#* }" = 0 ]; then failed=$((failed + 1)); fi
  if [ "$code" != 0 ]; then
    printf '%-44s FAILED  %4d s\n' "tests:" $((SECONDS - from))
    awk '/^failures:$/ { on = 1 } /^test result:/ { on = 0 } on || /^error/' "$log" | head -n 200
    echo "the whole log: $log"
  else
    printf '%-44s ok      %4d s\n' "tests:" $((SECONDS - from))
  fi
}

has_component() { cargo "$1" --version >/dev/null 2>&1; }

if has_component fmt; then
  step fmt "the source has its one form" cargo fmt --check
else
  skip fmt "cargo has no fmt here; rustup component add rustfmt"
fi

step fetch "crates of Cargo.lock" cargo fetch --locked

if cargo deny --version >/dev/null 2>&1; then
  step deny "licences, sources, banned crates" cargo deny --offline --locked check bans licenses sources
else
  skip deny "cargo-deny is not installed and could not be; make tools"
fi

# Clippy before the tests: both share what was built of macros and build scripts, and it is the quicker to fail.
if has_component clippy; then
  step clippy "no warning in any target" cargo clippy --locked --profile "$profile" --all-targets -- -D warnings
else
  skip clippy "cargo has no clippy here; rustup component add clippy"
fi

if step build "the binary and every test" cargo test --locked --profile "$profile" --no-run; then
  tests
fi

long=$(grep -E '^test .* \.\.\. ignored' target/test-logs/tests.log 2>/dev/null | sed -E 's/^test (.*) \.\.\. ignored,? ?/\1: /')
[ -z "$long" ] || printf '\nleft to make test-release:\n%s\n' "$long"

skipped=$(wc -l <"$skips")
echo
if [ "$skipped" -gt 0 ]; then cat "$skips"; else echo "nothing was skipped"; fi
if [ "$skipped" -gt 0 ] && [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then
  echo "in CI, as root, nothing may be skipped: counted as failed"
  failed=$((failed + skipped))
  skipped=0
fi
echo "took $((SECONDS - began)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
