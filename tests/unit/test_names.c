/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/services.h"
#include "lib/test.h"

static void test_colors_are_read_as_they_are_written(void **state)
{
	static const char *const others[] = { "",     "red",	"Blue",	  "BLUE", "blue ",
					      "gree", "greenx", "active", "0" };

	(void)state;
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		assert_int_equal(color_parse(color_name(color)), color);
	assert_string_equal(color_name(BGS_BLUE), "blue");
	assert_string_equal(color_name(BGS_GREEN), "green");
	for (size_t i = 0; i < ROWS(others); i++)
		assert_row(color_parse(others[i]) == -1, others[i]);
}

static void test_service_names_are_words(void **state)
{
	static const char *const names[] = { "w",     "web",
					     "Web-2", "a.b_c-d",
					     "blue2", "blueprint",
					     "agent", "x00000000011111111112222222222" };

	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		struct failure failure;

		assert_row(!service_name_check(names[i], &failure), names[i]);
	}
}

static void test_other_service_names_are_refused(void **state)
{
	/* Digits first would read as a percentage or network, a color as itself. */
	static const char *const names[] = {
		"",	 "1web", "-web", ".web", "_web",       "blue",
		"green", "a b",	 "a/b",	 "a:b",	 "w\303\251b", "web\n"
	};

	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		struct failure failure;

		assert_row(service_name_check(names[i], &failure) == -1, names[i]);
		assert_failure(failure, EXIT_USAGE, "cannot name a service");
		assert_contains(failure.what, names[i]);
	}
}

static void test_name_has_to_leave_room_for_its_end(void **state)
{
	char name[BGS_NAME_SIZE + 1] = "";
	struct failure failure;

	(void)state;
	memset(name, 'x', BGS_NAME_SIZE - 1);
	assert_int_equal(service_name_check(name, &failure), 0);
	name[BGS_NAME_SIZE - 1] = 'x';
	assert_int_equal(service_name_check(name, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "at most 31 characters");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_colors_are_read_as_they_are_written),
		cmocka_unit_test(test_service_names_are_words),
		cmocka_unit_test(test_other_service_names_are_refused),
		cmocka_unit_test(test_name_has_to_leave_room_for_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
