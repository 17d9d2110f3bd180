/* SPDX-License-Identifier: GPL-2.0-only */
/* The interface's text is valid by Varlink's grammar, and says what it must. */
#include <ctype.h>
#include <stdio.h>

#include "control/interface.h"
#include "lib/test.h"

/* ---- the grammar: each returns what follows, or NULL; NULL stays NULL */

static const char *skip_blank(const char *text)
{
	while (text && (isspace((unsigned char)*text) || *text == '#'))
		text += *text == '#' ? strcspn(text, "\n") : 1;
	return text;
}

static const char *expect(const char *text, const char *word)
{
	size_t length = strlen(word);

	text = skip_blank(text);
	return text && !strncmp(text, word, length) ? text + length : NULL;
}

/* [A-Z][A-Za-z0-9]* */
static const char *type_name(const char *text)
{
	text = skip_blank(text);
	if (!text || !isupper((unsigned char)*text))
		return NULL;
	while (isalnum((unsigned char)*text))
		text++;
	return text;
}

/* [A-Za-z](_?[A-Za-z0-9])* */
static const char *field_name(const char *text)
{
	text = skip_blank(text);
	if (!text || !isalpha((unsigned char)*text))
		return NULL;
	while (isalnum((unsigned char)*text) || (*text == '_' && isalnum((unsigned char)text[1])))
		text++;
	return text;
}

static const char *fields(const char *text);

static const char *type(const char *text)
{
	static const char *const words[] = { "bool", "int", "float", "string", "object" };
	const char *after = expect(text, "?");

	if (after)
		return expect(after, "?") ? NULL : type(after);
	if ((after = expect(text, "[]")) || (after = expect(text, "[string]")))
		return type(after);
	if (expect(text, "("))
		return fields(text);
	for (size_t i = 0; i < ROWS(words); i++)
		if ((after = expect(text, words[i])) && !isalnum((unsigned char)*after))
			return after;
	return type_name(text);
}

/* ( name: type, ... ) */
static const char *fields(const char *text)
{
	const char *end = expect(text = expect(text, "("), ")");

	while (!end && text) {
		text = type(expect(field_name(text), ":"));
		end = expect(text, ")");
		if (!end)
			text = expect(text, ",");
	}
	return end;
}

static const char *declaration(const char *text)
{
	const char *after;

	if ((after = expect(text, "method ")))
		return fields(expect(fields(type_name(after)), "->"));
	if ((after = expect(text, "type ")) || (after = expect(text, "error ")))
		return fields(type_name(after));
	return NULL;
}

/* NULL: valid; else where it is not */
static const char *parse(const char *text)
{
	const char *next = expect(text, "interface org.bgswitch\n");

	if (!next)
		return text;
	for (text = skip_blank(next); *text; text = skip_blank(next)) {
		next = declaration(text);
		if (!next)
			return text;
	}
	return NULL;
}

/* ---- tests */

static void test_the_text_is_valid(void **state)
{
	const char *wrong = parse(control_interface);

	(void)state;
	if (wrong)
		fail_msg("not understood from here on: %.100s", wrong);
}

/* The parser above is worth something only if it refuses. */
static void test_the_parser_refuses(void **state)
{
	static const char *const invalid[] = {
		"method A() -> ()",
		"interface org.bgswitch\nmethod A() -> ();",
		"interface org.bgswitch\nmethod A()",
		"interface org.bgswitch\nmethod a() -> ()",
		"interface org.bgswitch\nmethod A(n) -> ()",
		"interface org.bgswitch\nmethod A(n: integer) -> ()",
		"interface org.bgswitch\nmethod A(n_: int) -> ()",
		"interface org.bgswitch\nmethod A(n: ??int) -> ()",
		"interface org.bgswitch\nmethod A(n: [int]int) -> ()",
		"interface org.bgswitch\nmethod A(n: int,) -> ()",
		"interface org.bgswitch\nmethod A(n: [](object)) -> ()",
		"interface org.bgswitch\nerror A",
		"interface org.bgswitch\n// comment",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(invalid); i++)
		assert_row(parse(invalid[i]), invalid[i]);
}

static void test_every_method_and_error_is_there(void **state)
{
	static const char *const declared[] = {
		"method Ping(",	    "method Health(", "method Status(",	       "method Check(",
		"method Set(",	    "method Split(",  "method Promote(",       "method Abort(",
		"method Rollback(", "method Events(", "method History(",       "method Reload(",
		"type Failure (",   "error Failed (", "error NoSuchService (",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(declared); i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n%s", declared[i]);
		assert_contains(control_interface, line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_text_is_valid),
		cmocka_unit_test(test_the_parser_refuses),
		cmocka_unit_test(test_every_method_and_error_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
