#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs test binaries and, with "all", the end-to-end tests; prints every result
# and, last, one line that counts them. A tier that fails does not stop the next.
#
# usage: run.sh unit|binaries|all BINARY...
set -u

tiers=$1
shift
python=${PYTHON:-/usr/bin/python3}
passed=0 failed=0 skipped=0
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

heading() {
	printf '\n== %s\n' "$1"
}

# cmocka speaks TAP, nearly: "ok 1 - name", "not ok 2 - name", "not ok 3 # SKIP name".
run_binary() {
	local log=$results/tap status

	heading "$1"
	CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$1" >"$log" 2>&1
	status=$?
	cat "$log"
	local good bad skip
	skip=$(grep -cE '^(not )?ok .*# SKIP' "$log")
	good=$(grep -v '# SKIP' "$log" | grep -c '^ok ')
	bad=$(grep -v '# SKIP' "$log" | grep -c '^not ok ')
	# A crash, or a binary that ran nothing, is a failure of its own.
	if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ $((good + skip)) = 0 ]; }; then
		echo "not ok - $1 ended with status $status"
		bad=1
	fi
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

# One session of pytest, which says what it has to say in the end; its own counts,
# from its JUnit report, are in FILE.count.
run_pytest() {
	local file=$1 status
	shift
	"$@" "$python" -m pytest -p no:cacheprovider -q -rs --junitxml="$file.xml" \
		-m "$marks" tests/e2e >"$file.log" 2>&1
	status=$?
	"$python" - "$file.xml" "$status" >"$file.count" <<'PY'
import sys, xml.etree.ElementTree as tree
try:
    suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
    total, skip = int(suite.get("tests")), int(suite.get("skipped"))
    bad = int(suite.get("failures")) + int(suite.get("errors"))
    print(total - skip - bad, bad or int(sys.argv[2] != "0"), skip)
except (OSError, tree.ParseError):
    print(0, 1, 0)
PY
}

count_pytest() {
	local good bad skip

	cat "$1.log"
	read -r good bad skip <"$1.count"
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

# Most tests wait more than they work: a session for each CPU, each with processes of its
# own to look at, takes its share. The shell is their init: it reaps what loses its parent.
# The rest measure, or load the machine.
run_e2e() {
	local shards shard marks

	shards=$(nproc)
	[ "$shards" -le 4 ] || shards=4
	heading "tests/e2e, $shards at a time"
	marks="not alone"
	for shard in $(seq "$shards"); do
		BGSWITCH_TEST_SHARD=$shard/$shards run_pytest "$results/$shard" \
			unshare --pid --fork --kill-child --mount-proc \
			sh -c '"$@"; exit $?' sh &
	done
	wait
	for shard in $(seq "$shards"); do
		count_pytest "$results/$shard"
	done
	heading "tests/e2e, one at a time"
	marks=alone
	run_pytest "$results/alone" env
	count_pytest "$results/alone"
}

for binary; do
	run_binary "$binary"
done
[ "$tiers" != all ] || run_e2e

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
