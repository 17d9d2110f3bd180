/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#include "lib/test.h"
#include "switch/tail.h"

static const struct {
	const char *text, *line;
	size_t size;
} rows[] = {
	{ "", "", 32 },
	{ "\n\r \t\n", "", 32 },
	{ "one", "one", 32 },
	{ "one\ntwo\n", "two", 32 },
	{ "one\r\n  two\t\r\n \n\n", "two", 32 },
	{ "10%\r50%\r100%\r", "100%", 32 }, /* a progress bar */
	{ "a\033[1mb\007\377", "a?[1mb??", 32 },
	{ "12345678", "12345678", 9 },
	{ "123456789", "12345...", 9 },
	{ "1234\303\251789", "1234...", 9 }, /* no half character */
};

static void test_last_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct tail tail = {};
		char line[32];

		tail_add(&tail, rows[i].text, strlen(rows[i].text));
		tail_last_line(&tail, line, rows[i].size);
		assert_string_equal(line, rows[i].line);
	}
}

/* However it comes in pieces: the last bytes are kept, in their order. */
static void test_the_end_is_kept(void **state)
{
	static const size_t pieces[] = { 1, 7, 4095, 4096, 4097, 10000, 30000 };
	static char stream[30000];

	(void)state;
	for (size_t i = 0; i < sizeof(stream); i++)
		stream[i] = (char)(i * 31 + i / 251);
	for (size_t i = 0; i < ROWS(pieces); i++) {
		struct tail tail = {};

		for (size_t at = 0; at < sizeof(stream); at += pieces[i]) {
			size_t left = sizeof(stream) - at;

			tail_add(&tail, stream + at, left < pieces[i] ? left : pieces[i]);
		}
		assert_int_equal(tail.length, TAIL_SIZE);
		assert_memory_equal(tail.bytes, stream + sizeof(stream) - TAIL_SIZE, TAIL_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_lines),
		cmocka_unit_test(test_the_end_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
