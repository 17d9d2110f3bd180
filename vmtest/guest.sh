#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside the virtual machine: the tests, one TAP line for each check, into
# the shared directory. The last line there is "finished".
#
# usage: guest.sh prepare KERNEL | run KERNEL yes|no | command KERNEL yes|no COMMAND
# (yes|no: is it emulated?)
set -u

cd "$(dirname "$0")/.." || exit 1
directory=$PWD/build/vmtest/$2
share=$directory/share
results=$share/results
emulated=${3-no}

# virtme's init leaves this to us.
prepare() {
	# The kernel asks for modules in /lib/modules, which is not this kernel's.
	printf '#!/bin/sh\nexec /sbin/modprobe -d "%s" "$@"\n' "$directory/root" >/run/modprobe
	chmod 755 /run/modprobe
	echo /run/modprobe >/proc/sys/kernel/modprobe
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
	ip link set lo up
}

# A program that crashed, or ran nothing, is a failure of its own.
ended() {
	local name=$1 status=$2 lines=$3

	[ "$status" = 0 ] && grep -q '^ok ' <<<"$lines" ||
		grep -q '^not ok ' <<<"$lines" ||
		echo "not ok - $name: ended with status $status, see $share/$name.log"
}

# cmocka's "ok 1 - test" and "not ok 2 # SKIP test", with the program's name
# instead of the number; the reason to skip is the comment before.
from_cmocka() {
	awk -v program="$1" '
		/^# skipped: / { reason = substr($0, 12) }
		/^(not )?ok [0-9]/ {
			skipped = sub(/ *# SKIP */, " ")
			verdict = $1 == "not" && !skipped ? "not ok" : "ok"
			gsub(/^(not )?ok [0-9]+ (- )?| *$/, "")
			print verdict " - " program ": " $0 (skipped ? " # SKIP " reason : "")
		}' "$2"
}

# A kernel that is emulated stands still at times, and time goes on: what fails there
# gets one more attempt, alone. That it needed it is said.
second_attempt() {
	[ "$emulated" = yes ] && grep -q '^not ok ' <<<"$1"
}

# The lines of the second attempt, marked where the first one failed.
mark() {
	local first=$1 line

	while read -r line; do
		! grep -qFx "not $line" <<<"$first" || line="$line # second attempt"
		echo "$line"
	done
}

attempt_program() {
	local log=$2

	CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$1" >"$log" 2>&1
}

run_program() {
	local name=${1##*/} log first='' lines status

	log=$share/$name.log
	attempt_program "$1" "$log"
	status=$?
	lines=$(from_cmocka "$name" "$log")
	if second_attempt "$lines"; then
		first=$lines
		mv "$log" "$share/$name.first.log"
		attempt_program "$1" "$log"
		status=$?
		lines=$(from_cmocka "$name" "$log" | mark "$first")
	fi
	[ -z "$lines" ] || echo "$lines"
	ended "$name" $status "$lines"
}

run_short_e2e() {
	local name=short-e2e status

	vmtest/short-e2e.sh 2>"$share/$name.log" | sed -u "s/ok - /&$name: /"
	status=${PIPESTATUS[0]}
	ended "$name" "$status" "$(sed -n "/ok - $name: /p" "$results")"
}

# pytest's "FILE::TEST PASSED [ 9%]" as our lines; `$1` is what one that failed is called,
# `$2` is added to one that passed.
from_pytest() {
	sed -unE \
		-e "s,^tests/e2e/(.*::.*) PASSED .*,ok - e2e: \\1$2,p" \
		-e 's,^tests/e2e/(.*::.*) SKIPPED (\((.*)\))?.*,ok - e2e: \1 # SKIP \3,p' \
		-e "s,^tests/e2e/(.*::.*) (FAILED|ERROR) .*,$1 - e2e: \\1,p"
}

# usage: attempt_smoke LOG FAILED NOTE TEST...
attempt_smoke() {
	local log=$1 failed=$2 note=$3

	shift 3
	PYTHONDONTWRITEBYTECODE=1 timeout 900 /usr/bin/python3 -m pytest -v -m smoke "$@" 2>&1 |
		tee "$log" | from_pytest "$failed" "$note"
	return "${PIPESTATUS[0]}"
}

# The short selection of tests/e2e. "again" is no result: it is followed by one.
run_smoke() {
	local name=e2e failed="not ok" again status

	[ "$emulated" = no ] || failed=again
	attempt_smoke "$share/e2e.log" "$failed" "" tests/e2e
	status=$?
	mapfile -t again < <(sed -n 's,^again - e2e: ,tests/e2e/,p' "$results")
	# 1: tests failed. Anything else was no whole session, whatever a second one says.
	if [ $status = 1 ] && [ ${#again[@]} != 0 ]; then
		mv "$share/e2e.log" "$share/e2e.first.log"
		attempt_smoke "$share/e2e.log" "not ok" " # second attempt" "${again[@]}"
		status=$?
	fi
	ended $name "$status" "$(sed -n "/ok - $name: /p" "$results")"
}

# Soft lockups are the emulation's.
check_kernel() {
	dmesg >"$share/dmesg.log"
	if grep -E 'BUG: |Oops: |WARNING: CPU' "$share/dmesg.log" | grep -v 'soft lockup' >&2; then
		echo "not ok - kernel: no complaint in its log, see $share/dmesg.log"
	else
		echo "ok - kernel: no complaint in its log"
	fi
}

run() {
	local program

	for program in build/tests/unit/test_* build/tests/prog/test_*; do
		[ -x "$program" ] && run_program "$program"
	done
	run_short_e2e
	run_smoke
	check_kernel
	echo finished
}

prepare
[ "$emulated" = no ] || export BGSWITCH_TEST_EMULATED=1
export BGSWITCH_STATE_DIR=/run/bgswitch-state # /var is read only
case $1 in
run) run >>"$results" ;;
command)
	bash -c "$4" 2>&1
	echo $? >"$share/status"
	;;
esac
