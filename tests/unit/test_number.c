/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/test.h"
#include "number.h"

static void test_decimal_numbers_up_to_the_limit_are_read(void **state)
{
	static const struct {
		const char *text;
		unsigned int most, value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "7", 7, 7 },
		{ "007", 7, 7 },
		{ "32", 128, 32 },
		{ "128", 128, 128 },
		{ "65535", 65535, 65535 },
		{ "4294967295", ~0U, 4294967295 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		unsigned int value = 77777;

		assert_row(number_parse(rows[i].text, rows[i].most, &value), rows[i].text);
		assert_row(value == rows[i].value, rows[i].text);
	}
}

static void test_anything_else_is_refused_and_leaves_the_value_alone(void **state)
{
	static const struct {
		const char *text;
		unsigned int most;
	} rows[] = {
		{ "", 100 },
		{ " 1", 100 },
		{ "1 ", 100 },
		{ "-1", ~0U },
		{ "+1", 100 },
		{ "0x10", 100 },
		{ "1.0", 100 },
		{ "1e1", 100 },
		{ "one", 100 },
		{ "1,000", 5000 },
		{ "101", 100 },
		{ "1", 0 },
		{ "\t1", 100 },
		{ "4294967296", ~0U },
		{ "18446744073709551617", ~0U },
		{ "99999999999999999999999", ~0U },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		unsigned int value = 77777;

		assert_row(!number_parse(rows[i].text, rows[i].most, &value), rows[i].text);
		assert_row(value == 77777, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal_numbers_up_to_the_limit_are_read),
		cmocka_unit_test(test_anything_else_is_refused_and_leaves_the_value_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
