#!/usr/bin/env bash
# `make bench`: every [[bench]] of Cargo.toml, one after the other, then the judge. A bench that fails does not stop the
# others: its floor stays without a row, and that the judge finds.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p target
rm -f target/bench.jsonl && touch target/bench.jsonl
benches=$(awk -F '"' '/^\[/ { bench = ($0 == "[[bench]]") } bench && /^name/ && $2 != "check" { print $2 }' Cargo.toml)
cargo bench --locked --no-run --bench check || exit 1
# The size of what is shipped is a row, too; some minutes, where it is not built yet. The benches' own build takes its name.
rm -f target/dmgw.shipped
cargo build --locked --release && cp target/release/dmgw target/dmgw.shipped
for bench in $benches; do
  from=$SECONDS
  printf '== %s\n' "$bench"
  cargo bench --locked --quiet --bench "$bench" && end=ok || end=FAILED
  printf '== %s %s, %d s\n' "$bench" "$end" $((SECONDS - from))
done
cargo bench --locked --quiet --bench check
