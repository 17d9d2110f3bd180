/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>

#include "lib/test.h"

static void test_failure_is_minus_one_with_code_words_and_way_out(void **state)
{
	struct failure failure;

	(void)state;
	assert_int_equal(failure_set(&failure, EXIT_BUSY, "wait", "%s holds %d", "set", 7), -1);
	assert_int_equal(failure.code, EXIT_BUSY);
	assert_string_equal(failure.what, "set holds 7");
	assert_string_equal(failure.next, "wait");
}

static void test_system_error_is_named_last(void **state)
{
	struct failure failure;
	char words[128];

	(void)state;
	assert_int_equal(failure_errno(&failure, EACCES, "be root", "open %s", "/x"), -1);
	snprintf(words, sizeof(words), "open /x: %s", strerror(EACCES));
	assert_int_equal(failure.code, EXIT_SYSTEM);
	assert_string_equal(failure.what, words);
	assert_string_equal(failure.next, "be root");
}

static void test_long_words_are_cut_and_the_system_error_stays(void **state)
{
	struct failure failure;
	char text[2 * sizeof(failure.what)];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	failure_set(&failure, EXIT_USAGE, text, "%s", text);
	assert_int_equal(strlen(failure.what), sizeof(failure.what) - 1);
	assert_string_equal(failure.what + strlen(failure.what) - 4, "x...");
	assert_int_equal(strlen(failure.next), sizeof(failure.next) - 1);
	failure_errno(&failure, ENOSPC, "make room", "%s", text);
	assert_contains(failure.what, strerror(ENOSPC));
}

static void test_last_failure_wins(void **state)
{
	struct failure failure;

	(void)state;
	failure_set(&failure, EXIT_USAGE, "a longer way out", "a longer first failure");
	failure_set(&failure, EXIT_REFUSED, "way", "second");
	assert_string_equal(failure.what, "second");
	assert_string_equal(failure.next, "way");
	assert_int_equal(failure.code, EXIT_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_is_minus_one_with_code_words_and_way_out),
		cmocka_unit_test(test_system_error_is_named_last),
		cmocka_unit_test(test_long_words_are_cut_and_the_system_error_stays),
		cmocka_unit_test(test_last_failure_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
