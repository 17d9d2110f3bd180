/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#include "check/check.h"
#include "check/utf8.h"
#include "lib/test.h"

static void test_defaults_are_the_documented_ones(void **state)
{
	struct check check;

	(void)state;
	check_init(&check);
	assert_int_equal(check.kind, CHECK_TCP);
	assert_int_equal(check.interval_ms, 1000);
	assert_int_equal(check.fast_interval_ms, 250);
	assert_int_equal(check.timeout_ms, 2000);
	assert_int_equal(check.rise, 2);
	assert_int_equal(check.fall, 3);
}

/* The sanitizers tell what it leaves behind. */
static void test_all_that_is_owned_is_freed(void **state)
{
	struct check check;

	(void)state;
	check_init(&check);
	check.method = strdup("HEAD");
	check.path = strdup("/");
	check.host = strdup("a");
	check.headers[0].name = strdup("X");
	check.headers[0].value.text = strdup("y");
	check.header_count = 1;
	check.body_contains = strdup("ok");
	check.body_regex = strdup("ok");
	check.tls.ca = strdup("ca");
	check.tls.certificate = strdup("certificate");
	check.tls.key = strdup("key");
	check.tls.server_name = strdup("b");
	check.command = calloc(2, sizeof(*check.command));
	check.command[0] = strdup("true");
	check_free(&check);
	assert_null(check.path);
	check_free(&check);
}

static void test_kinds_have_names(void **state)
{
	(void)state;
	for (enum check_kind kind = CHECK_TCP; kind <= CHECK_NONE; kind++)
		assert_int_equal(check_kind_parse(check_kind_name(kind)), (int)kind);
	assert_int_equal(check_kind_parse("http"), CHECK_HTTP);
	assert_int_equal(check_kind_parse("HTTP"), -1);
	assert_int_equal(check_kind_parse(""), -1);
}

static void test_what_cannot_be_shown_is_replaced(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "plain ~", "plain ~" },
		{ "a\r\n\tb\x7f", "a???b?" },
		{ "\x1b[31mred", "?[31mred" },
		{ "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xa6",
		  "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xa6" },
		{ "\xc2\x9b", "??" }, /* CSI in eight bits */
		{ "\xc3", "?" },
		{ "\xe2\x82", "??" },
		{ "\xc0\xaf", "??" }, /* overlong */
		{ "\xed\xa0\x80", "???" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* beyond U+10FFFF */
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[64];

		strcpy(text, rows[i].text);
		utf8_defuse(text);
		assert_string_equal(text, rows[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_the_documented_ones),
		cmocka_unit_test(test_all_that_is_owned_is_freed),
		cmocka_unit_test(test_kinds_have_names),
		cmocka_unit_test(test_what_cannot_be_shown_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
