#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs test binaries and, with "all", the end-to-end tests; prints every result
# and, last, one line that counts them. A tier that fails does not stop the next.
#
# usage: run.sh unit|binaries|all BINARY...
set -u

tiers=$1
shift
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

# pytest's own counts, from its JUnit report.
run_e2e() {
	local report=$results/e2e.xml status counts

	heading "tests/e2e"
	"${PYTHON:-/usr/bin/python3}" -m pytest -p no:cacheprovider -q -rs --junitxml="$report" tests/e2e
	status=$?
	counts=$("${PYTHON:-/usr/bin/python3}" - "$report" <<'PY'
import sys, xml.etree.ElementTree as tree
try:
    suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
    total, skip = int(suite.get("tests")), int(suite.get("skipped"))
    bad = int(suite.get("failures")) + int(suite.get("errors"))
    print(total - skip - bad, bad, skip)
except (OSError, tree.ParseError):
    print(0, 1, 0)
PY
	)
	read -r good bad skip <<<"$counts"
	[ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

for binary; do
	run_binary "$binary"
done
[ "$tiers" != all ] || run_e2e

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
