/* SPDX-License-Identifier: GPL-2.0-only */
#include "command.h"
#include "lib/test.h"
#include "message.h"

#define WORDS 8

enum { FORCE = 1, LISTEN };

#define LINES 'l' /* a letter that takes a value */

static const struct command command = { .name = "set", .arguments = "[SERVICE] COLOR" };

static const struct option own[] = {
	{ "force", no_argument, NULL, FORCE },
	{ "listen", required_argument, NULL, LISTEN },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "lines", required_argument, NULL, LINES },
	{},
};

/* getopt permutes the words, so each run has its own. */
struct line {
	char *words[WORDS + 2];
	int count;
};

static struct line line(const char *const words[WORDS])
{
	struct line line = { .words = { (char *)"set" }, .count = 1 };

	for (; line.count <= WORDS && words[line.count - 1]; line.count++)
		line.words[line.count] = (char *)words[line.count - 1];
	optind = 0;
	message_verbosity(NORMAL);
	return line;
}

static int next(struct command_context *context, struct line *line)
{
	return command_option(context, line->count, line->words, own);
}

static const struct {
	const char *words[WORDS];
	bool json, pretty;
	enum verbosity verbosity;
	const char *bpffs;
	int own;
	const char *operand; /* the first one left */
} accepted[] = {
	{ { "blue" }, .operand = "blue" },
	{ { "-j", "blue" }, .json = true, .operand = "blue" },
	{ { "blue", "-j" }, .json = true, .operand = "blue" },
	{ { "--json" }, .json = true },
	{ { "-p" }, .json = true, .pretty = true },
	{ { "--pretty" }, .json = true, .pretty = true },
	{ { "-q" }, .verbosity = QUIET },
	{ { "-v" }, .verbosity = VERBOSE },
	{ { "-jq", "blue" }, .json = true, .verbosity = QUIET, .operand = "blue" },
	{ { "-vjn" }, .json = true, .verbosity = VERBOSE, .own = 'n' },
	{ { "-n" }, .own = 'n' },
	{ { "--dry-run" }, .own = 'n' },
	{ { "--force", "blue" }, .own = FORCE, .operand = "blue" },
	{ { "--listen", "blue", "green" }, .own = LISTEN, .operand = "green" },
	{ { "--bpffs", "-j", "blue" }, .bpffs = "-j", .operand = "blue" },
	{ { "-l", "5", "blue" }, .own = LINES, .operand = "blue" },
	{ { "-l5", "blue" }, .own = LINES, .operand = "blue" },
	{ { "-jl", "-1" }, .json = true, .own = LINES },
	{ { "blue", "--bpffs=/tmp" }, .bpffs = "/tmp", .operand = "blue" },
	{ { "--bpffs=" }, .bpffs = "" },
	{ { "-j", "--", "-p" }, .json = true, .operand = "-p" },
};

static const struct {
	const char *words[WORDS];
	const char *what;
} refused[] = {
	{ { "-x" }, "unknown option '-x'" },
	{ { "--nope" }, "unknown option '--nope'" },
	{ { "--nope=1", "blue" }, "unknown option '--nope=1'" },
	{ { "blue", "--nope", "green" }, "unknown option '--nope'" },
	{ { "-jx" }, "unknown option '-jx'" },
	{ { "-jxq", "blue" }, "unknown option '-jxq'" },
	{ { "-xj", "blue" }, "unknown option '-xj'" },
	{ { "-j", "-xj", "-q" }, "unknown option '-xj'" },
	{ { "--json=yes" }, "unknown option '--json=yes'" },
	{ { "blue", "-l" }, "option -l needs a value" },
	{ { "-jl" }, "option -jl needs a value" },
	{ { "--bpffs" }, "option --bpffs needs a value" },
	{ { "blue", "--listen" }, "option --listen needs a value" },
};

static void test_options_are_taken_anywhere_alone_and_in_clusters(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(accepted); i++) {
		struct command_context context = { .command = &command };
		struct line words = line(accepted[i].words);
		const char *name = accepted[i].words[0];
		int option = next(&context, &words);

		if (accepted[i].own) {
			assert_row(option == accepted[i].own, name);
			option = next(&context, &words);
		}
		assert_row(option == -1, name);
		assert_row(context.json == accepted[i].json, name);
		assert_row(context.pretty == accepted[i].pretty, name);
		assert_row(message_level() == accepted[i].verbosity, name);
		assert_row(!context.bpffs == !accepted[i].bpffs, name);
		if (context.bpffs)
			assert_string_equal(context.bpffs, accepted[i].bpffs);
		assert_row((optind < words.count) == !!accepted[i].operand, name);
		if (accepted[i].operand)
			assert_string_equal(words.words[optind], accepted[i].operand);
	}
	message_verbosity(NORMAL);
}

static void test_wrong_options_are_named_as_they_were_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++) {
		struct command_context context = { .command = &command };
		struct line words = line(refused[i].words);

		assert_row(next(&context, &words) == '?', refused[i].what);
		assert_string_equal(context.failure.what, refused[i].what);
		assert_int_equal(context.failure.code, EXIT_USAGE);
		assert_string_equal(context.failure.next, "see 'bgswitch help set'");
	}
	message_verbosity(NORMAL);
}

static void test_before_the_command_options_end_at_its_name(void **state)
{
	struct command_context context = {};
	struct line words = line((const char *[WORDS]){ "-j", "set", "--force" });

	(void)state;
	assert_int_equal(command_option(&context, words.count, words.words, NULL), -1);
	assert_true(context.json);
	assert_string_equal(words.words[optind], "set");
	words = line((const char *[WORDS]){ "--force", "set" });
	assert_int_equal(command_option(&context, words.count, words.words, NULL), '?');
	assert_string_equal(context.failure.next, "see 'bgswitch help'");
}

static void test_operands_are_counted(void **state)
{
	struct command_context context = { .command = &command };
	struct line words = line((const char *[WORDS]){ "web", "blue" });

	(void)state;
	assert_int_equal(next(&context, &words), -1);
	assert_int_equal(command_operands(&context, words.count, words.words, 2, 2), 0);
	assert_int_equal(command_operands(&context, words.count, words.words, 0, 1), -1);
	assert_failure(context.failure, EXIT_USAGE, "set: 'blue' is one argument too many");
	assert_int_equal(command_operands(&context, words.count, words.words, 3, 4), -1);
	assert_failure(context.failure, EXIT_USAGE, "set: expected [SERVICE] COLOR");
}

static bool is_blue(const char *text)
{
	return !strcmp(text, "blue");
}

static void test_value_and_service_come_in_either_order(void **state)
{
	static const struct {
		const char *words[WORDS], *value, *service;
	} rows[] = {
		{ { "blue" }, "blue", NULL },	      { { "blue", "web" }, "blue", "web" },
		{ { "web", "blue" }, "blue", "web" }, { { "blue", "blue" }, "blue", "blue" },
		{ { "red" }, "red", NULL },	      { { "web", "red" }, "red", "web" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command_context context = { .command = &command };
		struct line words = line(rows[i].words);
		const char *value, *service;

		assert_int_equal(next(&context, &words), -1);
		assert_int_equal(command_split_operands(&context, words.count, words.words, is_blue,
							&value, &service),
				 0);
		assert_string_equal(value, rows[i].value);
		assert_row(!service == !rows[i].service, rows[i].value);
		if (service)
			assert_string_equal(service, rows[i].service);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_taken_anywhere_alone_and_in_clusters),
		cmocka_unit_test(test_wrong_options_are_named_as_they_were_written),
		cmocka_unit_test(test_before_the_command_options_end_at_its_name),
		cmocka_unit_test(test_operands_are_counted),
		cmocka_unit_test(test_value_and_service_come_in_either_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
