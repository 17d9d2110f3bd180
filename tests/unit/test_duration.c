/* SPDX-License-Identifier: GPL-2.0-only */
#include "duration.h"
#include "lib/test.h"

static const struct {
	const char *text;
	unsigned int milliseconds;
	const char *shortest;
} accepted[] = {
	{ "0", 0, "0" },
	{ "0s", 0, "0" },
	{ "1ms", 1, "1ms" },
	{ "250ms", 250, "250ms" },
	{ "1000ms", 1000, "1s" },
	{ "30s", 30000, "30s" },
	{ "1.5s", 1500, "1500ms" },
	{ "0.001s", 1, "1ms" },
	{ "2.000000000s", 2000, "2s" },
	{ "90s", 90000, "90s" },
	{ "0.00005m", 3, "3ms" },
	{ "1.5m", 90000, "90s" },
	{ "5m", 300000, "5m" },
	{ "2h", 7200000, "2h" },
	{ "007s", 7000, "7s" },
	{ "720h", DURATION_MAX_MS, "720h" },
	{ "2592000000ms", DURATION_MAX_MS, "720h" },
};

static const struct {
	const char *text, *words;
} refused[] = {
	{ "", "'' is not a length of time" },
	{ "s", "'s' is not a length of time" },
	{ "5", "'5' is not a length of time" },
	{ "1.5", "'1.5' is not a length of time" },
	{ "0.0", "is not a length of time" },
	{ ".5s", "is not a length of time" },
	{ "1.s", "is not a length of time" },
	{ "1.5.5s", "is not a length of time" },
	{ "-1s", "is not a length of time" },
	{ "+1s", "is not a length of time" },
	{ " 1s", "is not a length of time" },
	{ "1 s", "is not a length of time" },
	{ "1s ", "is not a length of time" },
	{ "1S", "is not a length of time" },
	{ "1d", "is not a length of time" },
	{ "1e3s", "is not a length of time" },
	{ "0x10s", "is not a length of time" },
	{ "inf", "is not a length of time" },
	{ "0.5ms", "is not a length of time" },
	{ "0.0001s", "is not a length of time" },
	{ "0.00001s", "is not a length of time" },
	{ "1.0000000000s", "is not a length of time" },
	{ "720.001h", "is longer than 30 days" },
	{ "2592000001ms", "is longer than 30 days" },
	{ "18446744073709551616ms", "is longer than 30 days" },
	{ "99999999999999999999999999h", "is longer than 30 days" },
};

static void test_what_people_write_is_read(void **state)
{
	char text[DURATION_TEXT];

	(void)state;
	for (size_t i = 0; i < ROWS(accepted); i++) {
		unsigned int milliseconds = 42;
		struct failure failure = {};

		assert_row(!duration_parse(&milliseconds, accepted[i].text, "--soak", &failure),
			   accepted[i].text);
		assert_row(milliseconds == accepted[i].milliseconds, accepted[i].text);
		assert_string_equal(duration_format(text, milliseconds), accepted[i].shortest);
	}
}

static void test_other_text_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++) {
		unsigned int milliseconds = 42;
		struct failure failure;

		assert_row(duration_parse(&milliseconds, refused[i].text, "--soak", &failure) == -1,
			   refused[i].text);
		assert_failure(failure, EXIT_USAGE, refused[i].words);
		assert_contains(failure.what, "--soak: ");
		assert_row(milliseconds == 42, refused[i].text);
	}
}

static void test_every_length_survives_its_text(void **state)
{
	char text[DURATION_TEXT];
	struct failure failure;
	unsigned int again;

	(void)state;
	/* A step that is prime to all units, and the neighbourhood of each unit. */
	for (unsigned long long ms = 0; ms <= DURATION_MAX_MS;
	     ms = ms < 5000 ? ms + 1 : ms + 7919) {
		assert_int_equal(duration_parse(&again, duration_format(text, ms), "", &failure),
				 0);
		assert_int_equal(again, ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_people_write_is_read),
		cmocka_unit_test(test_other_text_is_refused_by_name),
		cmocka_unit_test(test_every_length_survives_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
