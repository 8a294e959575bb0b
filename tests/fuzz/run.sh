#!/bin/sh
# usage: run.sh TARGET RUNS SECONDS
# Runs one fuzz target on its seeds; whatever it finds stays in build/fuzz.
# SECONDS 0: so many RUNS from one fixed seed, the same every time, so that a change is judged by what it did.  Otherwise: for so
# long from a new seed, beginning with what earlier runs found worth keeping.
set -eu
target=$1
runs=$2
seconds=$3
seeds=tests/fuzz/seeds/$target
[ -d "$seeds" ] || seeds=
if [ "$seconds" -eq 0 ]; then
	# What it finds of interest goes there, and not among the seeds, which libFuzzer would write to.
	corpus=build/fuzz/new/$target
	rm -rf "$corpus"
	mkdir -p "$corpus"
	# A very slow machine does fewer, and does not wait for them.
	how="-seed=1 -runs=$runs -max_total_time=60"
else
	corpus=build/fuzz/corpus/$target
	mkdir -p "$corpus"
	how="-max_total_time=$seconds"
fi
if ! build/fuzz/"$target" $how -timeout=5 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix=build/fuzz/"$target"- $corpus $seeds >build/fuzz/"$target".log 2>&1; then
	tail -n 40 build/fuzz/"$target".log >&2
	echo "fuzz $target: failed" >&2
	exit 1
fi
done=$(sed -n 's/^stat::number_of_executed_units: *//p' build/fuzz/"$target".log)
echo "fuzz $target: $done runs, nothing found"
