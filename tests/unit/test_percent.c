/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/test.h"
#include "percent.h"

static const struct {
	const char *text;
	unsigned int basis_points;
	const char *canonical;
} accepted[] = {
	{ "0", 0, "0%" },
	{ "0%", 0, "0%" },
	{ "1", 100, "1%" },
	{ "30", 3000, "30%" },
	{ "30%", 3000, "30%" },
	{ "030", 3000, "30%" },
	{ "12.5", 1250, "12.5%" },
	{ "12.5%", 1250, "12.5%" },
	{ "12.50", 1250, "12.5%" },
	{ "0.01", 1, "0.01%" },
	{ ".5", 50, "0.5%" },
	{ "5.", 500, "5%" },
	{ "0.05%", 5, "0.05%" },
	{ "0.1", 10, "0.1%" },
	{ "33.33", 3333, "33.33%" },
	{ "99.99", 9999, "99.99%" },
	{ "100", 10000, "100%" },
	{ "100.00%", 10000, "100%" },
};

static const char *const refused[] = {
	"",	"%",   ".",   "blue",	"-1",  "+5",	" 5",
	"5 ",	"5%%", "5%x", "1.2.3",	"1,5", "0x10",	"1e1",
	"1e-1", "inf", "nan", "100.01", "101", "1e999", "99999999999999999999",
};

static void test_percentages_become_basis_points_and_back(void **state)
{
	char text[16];

	(void)state;
	for (size_t i = 0; i < ROWS(accepted); i++) {
		unsigned int basis_points = 77777;
		struct failure failure;

		assert_row(!percent_parse(&basis_points, accepted[i].text, &failure),
			   accepted[i].text);
		assert_row(basis_points == accepted[i].basis_points, accepted[i].text);
		assert_string_equal(percent_format(text, basis_points), accepted[i].canonical);
	}
}

static void test_every_share_is_read_back_as_it_was_written(void **state)
{
	(void)state;
	for (unsigned int share = 0; share <= 10000; share++) {
		struct failure failure;
		unsigned int again;
		char text[16];

		assert_row(!percent_parse(&again, percent_format(text, share), &failure), text);
		assert_row(again == share, text);
	}
}

static void test_anything_else_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++) {
		unsigned int basis_points = 77777;
		struct failure failure;

		assert_row(percent_parse(&basis_points, refused[i], &failure) == -1, refused[i]);
		assert_failure(failure, EXIT_USAGE, "is not a percentage");
		assert_contains(failure.what, refused[i]);
		assert_row(basis_points == 77777, refused[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentages_become_basis_points_and_back),
		cmocka_unit_test(test_every_share_is_read_back_as_it_was_written),
		cmocka_unit_test(test_anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
