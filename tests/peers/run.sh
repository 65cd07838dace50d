#!/bin/sh
# Two timing runs, instruction counts and the end-to-end runs; then the tables, in target/results/RESULTS.md.
set -e
cd "$(dirname "$0")"
out=${OUT:-target/results}
mkdir -p "$out"
cargo build --release
p=${CARGO_TARGET_DIR:-target}/release/peers
for run in a b; do
    $p bench ${ROUNDS:-7} > "$out/$run.jsonl"
    $p e2e ${E2E_ROUNDS:-3} > "$out/e2e-$run.jsonl"
done
$p instr --lines > "$out/instr.jsonl"
$p report "$out/a.jsonl" "$out/b.jsonl" "$out/e2e-a.jsonl" "$out/e2e-b.jsonl" "$out/instr.jsonl" > "$out/RESULTS.md"
