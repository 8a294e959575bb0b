#!/bin/sh
# usage: run.sh TARGET SECONDS
# Runs one fuzz target on its seeds; whatever it finds stays in build/fuzz.
set -eu
target=$1
seconds=$2
seeds=tests/fuzz/seeds/$target
corpus=build/fuzz/corpus/$target
mkdir -p "$corpus"
[ -d "$seeds" ] || seeds=
if ! build/fuzz/"$target" -max_total_time="$seconds" -timeout=5 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix=build/fuzz/"$target"- "$corpus" $seeds >build/fuzz/"$target".log 2>&1; then
	tail -n 40 build/fuzz/"$target".log >&2
	echo "fuzz $target: failed" >&2
	exit 1
fi
echo "fuzz $target: ${seconds} s, nothing found"
