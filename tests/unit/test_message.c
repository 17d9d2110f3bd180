/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/scratch.h"
#include "lib/test.h"
#include "message.h"

static void say_everything(enum verbosity verbosity)
{
	message_verbosity(verbosity);
	message_info("%s: %d", "web", 1);
	message_warning("careful %d", 2);
	message_debug("detail %d", 3);
	message_verbosity(NORMAL);
}

static void test_verbosity_chooses_messages(void **state)
{
	static const struct {
		enum verbosity verbosity;
		const char *text;
	} rows[] = {
		{ QUIET, "" },
		{ NORMAL, "web: 1\nbgswitch: warning: careful 2\n" },
		{ VERBOSE, "web: 1\nbgswitch: warning: careful 2\nbgswitch: detail 3\n" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		stderr_catch();
		say_everything(rows[i].verbosity);
		assert_string_equal(stderr_end(), rows[i].text);
	}
}

static void test_failure_is_told_even_when_quiet(void **state)
{
	struct failure failure;

	(void)state;
	failure_set(&failure, EXIT_REFUSED, "start it", "%s is down", "green");
	stderr_catch();
	message_verbosity(QUIET);
	message_failure(&failure);
	message_verbosity(NORMAL);
	assert_string_equal(stderr_end(), "bgswitch: green is down; start it\n");
}

static void test_percent_signs_of_a_failure_are_not_formats(void **state)
{
	struct failure failure;

	(void)state;
	failure_set(&failure, EXIT_USAGE, "use %s", "'%s' is no share", "%n%n%n");
	stderr_catch();
	message_failure(&failure);
	assert_string_equal(stderr_end(), "bgswitch: '%n%n%n' is no share; use %s\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbosity_chooses_messages),
		cmocka_unit_test(test_failure_is_told_even_when_quiet),
		cmocka_unit_test(test_percent_signs_of_a_failure_are_not_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
