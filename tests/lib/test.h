/* SPDX-License-Identifier: GPL-2.0-only */
/* cmocka with the headers it wants, and what table-driven tests need beside it. */
#ifndef BGSWITCH_TESTS_TEST_H
#define BGSWITCH_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "failure.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (!strstr(text, part))                                                           \
			fail_msg("'%s' does not contain '%s'", text, part);                        \
	} while (0)

/* A refusal: this exit code, these words, and a way out. */
#define assert_failure(failure, expected, words)                                                   \
	do {                                                                                       \
		assert_contains((failure).what, words);                                            \
		assert_int_equal((failure).code, expected);                                        \
		assert_true(*(failure).next);                                                      \
	} while (0)

/* Names the row of a table that did not hold. */
#define assert_row(condition, row)                                                                 \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("'%s': %s does not hold", row, #condition);                       \
	} while (0)

#endif
