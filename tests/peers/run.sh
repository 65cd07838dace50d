#!/bin/sh
# Two timing runs, instruction counts and whole loads; then the tables, in target/results/RESULTS.md.
set -e
cd "$(dirname "$0")"
out=${OUT:-target/results}
mkdir -p "$out"
cargo build --release
p=${CARGO_TARGET_DIR:-target}/release/peers
for run in a b; do
    $p bench ${ROUNDS:-7} > "$out/$run.jsonl"
done
$p instr --lines > "$out/instr.jsonl"
$p report "$out/a.jsonl" "$out/b.jsonl" "$out/instr.jsonl" > "$out/RESULTS.md"
# Which rows are met is for people to read here.
$p budgets export ${EXPORT_ROUNDS:-3} >> "$out/RESULTS.md" || true
