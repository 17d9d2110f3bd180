#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Formatting and static analysis of everything git knows. Prints what it runs.
set -eu

run() {
	echo "lint: $1"
	shift
	"$@"
}

mapfile -t sources < <(git ls-files '*.c' '*.h')
mapfile -t scripts < <(git ls-files | xargs -r grep -lE '^#!/bin/(ba)?sh' --)

# Each version lays out a little differently; one has to be the measure.
if [[ $(clang-format --version) == *" version 14."* ]]; then
	run clang-format clang-format --dry-run -Werror "${sources[@]}"
else
	echo "lint: clang-format skipped: 14 is the measure, and this is $(clang-format --version)"
fi
run cppcheck cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	--inline-suppr --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=normalCheckLevelMaxBranches \
	-D_GNU_SOURCE -D__x86_64__ -Iinclude -Iuserspace userspace
run shellcheck shellcheck -x "${scripts[@]}"
