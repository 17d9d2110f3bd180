#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: run.sh SECONDS FUZZER...
# Runs each fuzz_NAME for that long, from the inputs in corpus/NAME (and NAME.dict). What it finds
# stays beside the binary: new inputs in corpus/NAME, crashes as NAME-crash-*, the log as NAME.log.
set -eu

here=$(dirname "$0")
seconds=$1
shift
for fuzzer; do
	name=$(basename "$fuzzer")
	name=${name#fuzz_}
	found=$(dirname "$fuzzer")
	options=(-max_total_time="$seconds" -max_len=16384 -timeout=10 -print_final_stats=1
		-artifact_prefix="$found/$name-")
	[ ! -e "$here/$name.dict" ] || options+=(-dict="$here/$name.dict")
	mkdir -p "$found/corpus/$name"
	corpus=("$found/corpus/$name")
	[ ! -d "$here/corpus/$name" ] || corpus+=("$here/corpus/$name")
	echo "fuzz: $name, $seconds s"
	if ! "$fuzzer" "${options[@]}" "${corpus[@]}" >"$found/$name.log" 2>&1; then
		tail -n 60 "$found/$name.log" >&2
		echo "fuzz: $name failed; the input is in $found/$name-*" >&2
		exit 1
	fi
	grep -E '^(Done|stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb))' \
		"$found/$name.log"
done
