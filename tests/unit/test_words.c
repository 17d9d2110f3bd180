/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/test.h"
#include "words.h"

static const struct {
	char *words[4];
	const char *quoted;
} rows[] = {
	{ { NULL }, "" },
	{ { "systemctl", "stop", "app@blue" }, "systemctl stop app@blue" },
	{ { "sh", "-c", "kill $(cat /run/b.pid)" }, "sh -c 'kill $(cat /run/b.pid)'" },
	{ { "", "it's", "a b" }, "'' 'it'\\''s' 'a b'" },
};

static void test_words_as_a_shell_reads_them(void **state)
{
	char text[64];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_string_equal(words_quote(text, sizeof(text), rows[i].words), rows[i].quoted);
	assert_string_equal(words_quote(text, sizeof(text), NULL), "");
}

static void test_long_words_are_cut(void **state)
{
	char *const words[] = { "0123456789", "0123456789", NULL };
	char text[16];

	(void)state;
	assert_string_equal(words_quote(text, sizeof(text), words), "0123456789 0123");
}

static void test_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_int_equal(words_count(rows[i].words), i ? 3 : 0);
	assert_int_equal(words_count(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_as_a_shell_reads_them),
		cmocka_unit_test(test_long_words_are_cut),
		cmocka_unit_test(test_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
