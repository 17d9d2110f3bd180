/* SPDX-License-Identifier: GPL-2.0-only */
/* What a command says about a drain: read, carried to the agent, laid over a policy. */
#include "drain/options.h"
#include "lib/test.h"

static const struct drain_policy service = {
	.timeout_ms = 30000, .at_deadline = DEADLINE_RESET, .close_idle_ms = 5000, .over_ms = 10000
};

struct word {
	int option;
	const char *argument;
};

#define WORDS 4 /* of a row, at the most */

static const struct {
	const char *name;
	struct word words[WORDS];
	struct drain_policy expected; /* of `service` with these words */
} accepted[] = {
	{ "nothing", {}, { 30000, DEADLINE_RESET, 5000, 10000 } },
	{ "timeout", { { DRAIN_OPTION_TIMEOUT, "2m" } }, { 120000, DEADLINE_RESET, 5000, 10000 } },
	{ "inf",
	  { { DRAIN_OPTION_TIMEOUT, "inf" } },
	  { DRAIN_FOREVER, DEADLINE_RESET, 5000, 10000 } },
	{ "the last timeout counts",
	  { { DRAIN_OPTION_TIMEOUT, "inf" }, { DRAIN_OPTION_TIMEOUT, "1m" } },
	  { 60000, DEADLINE_RESET, 5000, 10000 } },
	{ "less time than the service spreads over",
	  { { DRAIN_OPTION_TIMEOUT, "4s" } },
	  { 4000, DEADLINE_RESET, 5000, 4000 } },
	{ "no time at all", { { DRAIN_OPTION_TIMEOUT, "0" } }, { 0, DEADLINE_RESET, 5000, 0 } },
	{ "keep", { { DRAIN_OPTION_KEEP } }, { 30000, DEADLINE_KEEP, 5000, 10000 } },
	{ "keep, twice",
	  { { DRAIN_OPTION_KEEP }, { DRAIN_OPTION_KEEP } },
	  { 30000, DEADLINE_KEEP, 5000, 10000 } },
	{ "kill", { { DRAIN_OPTION_KILL } }, { 30000, DEADLINE_RESET, 5000, 10000 } },
	{ "close idle",
	  { { DRAIN_OPTION_CLOSE_IDLE, "1500ms" } },
	  { 30000, DEADLINE_RESET, 1500, 10000 } },
	{ "not close idle",
	  { { DRAIN_OPTION_CLOSE_IDLE, "0" } },
	  { 30000, DEADLINE_RESET, 0, 10000 } },
	{ "not spread", { { DRAIN_OPTION_OVER, "0" } }, { 30000, DEADLINE_RESET, 5000, 0 } },
	{ "spread over all the time",
	  { { DRAIN_OPTION_OVER, "30s" } },
	  { 30000, DEADLINE_RESET, 5000, 30000 } },
	{ "spread without end",
	  { { DRAIN_OPTION_TIMEOUT, "inf" }, { DRAIN_OPTION_OVER, "720h" } },
	  { DRAIN_FOREVER, DEADLINE_RESET, 5000, DURATION_MAX_MS } },
	{ "everything",
	  { { DRAIN_OPTION_OVER, "20s" },
	    { DRAIN_OPTION_KEEP },
	    { DRAIN_OPTION_TIMEOUT, "20s" },
	    { DRAIN_OPTION_CLOSE_IDLE, "1s" } },
	  { 20000, DEADLINE_KEEP, 1000, 20000 } },
};

static const struct {
	struct word words[2];
	const char *said;
} refused[] = {
	{ { { DRAIN_OPTION_TIMEOUT, "soon" } }, "drain timeout: 'soon'" },
	{ { { DRAIN_OPTION_TIMEOUT, "721h" } }, "30 days" },
	{ { { DRAIN_OPTION_TIMEOUT, "" } }, "drain timeout" },
	{ { { DRAIN_OPTION_CLOSE_IDLE, "inf" } }, "--close-idle: 'inf'" },
	{ { { DRAIN_OPTION_OVER, "inf" } }, "--over: 'inf'" },
	{ { { DRAIN_OPTION_OVER, "5" } }, "--over: '5'" },
	{ { { DRAIN_OPTION_KILL }, { DRAIN_OPTION_KEEP } }, "exclude each other" },
	{ { { DRAIN_OPTION_KEEP }, { DRAIN_OPTION_KILL } }, "exclude each other" },
};

/* What a command line does with one word. */
static int take(struct drain_options *options, const struct word *word, struct failure *failure)
{
	optarg = (char *)word->argument;
	return drain_options_parse(options, word->option, failure);
}

static void read_row(struct drain_options *options, const struct word words[WORDS])
{
	struct failure failure = {};

	*options = (struct drain_options){};
	for (size_t i = 0; i < WORDS && words[i].option; i++)
		assert_int_equal(take(options, &words[i], &failure), 1);
}

static void assert_policy(const struct drain_policy *policy, const struct drain_policy *expected,
			  const char *name)
{
	assert_row(policy->timeout_ms == expected->timeout_ms, name);
	assert_row(policy->at_deadline == expected->at_deadline, name);
	assert_row(policy->close_idle_ms == expected->close_idle_ms, name);
	assert_row(policy->over_ms == expected->over_ms, name);
}

static void test_what_is_given_replaces_the_policy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(accepted); i++) {
		struct drain_policy policy = service;
		struct drain_options options;
		struct failure failure = {};

		read_row(&options, accepted[i].words);
		assert_int_equal(drain_options_apply(&options, &policy, &failure), 0);
		assert_policy(&policy, &accepted[i].expected, accepted[i].name);
	}
}

/* The agent does with them what the command alone would do. */
static void test_they_survive_the_way_to_the_agent(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(accepted); i++) {
		struct drain_options options, arrived;
		struct drain_policy policy = service;
		json_t *parameters = json_object();
		struct failure failure = {};

		read_row(&options, accepted[i].words);
		drain_options_add(&options, parameters);
		assert_int_equal(drain_options_read(&arrived, parameters, &failure), 0);
		assert_int_equal(drain_options_apply(&arrived, &policy, &failure), 0);
		assert_policy(&policy, &accepted[i].expected, accepted[i].name);
		json_decref(parameters);
	}
}

static void test_other_words_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++) {
		struct drain_options options = {};
		struct failure failure = {};
		int result = take(&options, &refused[i].words[0], &failure);

		if (refused[i].words[1].option) {
			assert_row(result == 1, refused[i].said);
			result = take(&options, &refused[i].words[1], &failure);
		}
		assert_row(result == -1, refused[i].said);
		assert_failure(failure, EXIT_USAGE, refused[i].said);
	}
}

static void test_options_of_others_are_left_to_them(void **state)
{
	static const int others[] = { 0, 'n', 'j', '?', DRAIN_OPTION_KEEP + 1 };
	const struct drain_options nothing = {};

	(void)state;
	for (size_t i = 0; i < ROWS(others); i++) {
		struct drain_options options = {};
		struct failure failure = {};

		assert_int_equal(drain_options_parse(&options, others[i], &failure), 0);
		assert_memory_equal(&options, &nothing, sizeof(options));
	}
}

/* Only when it is said at this command: what the service has is cut short instead. */
static void test_more_spread_than_time_is_refused(void **state)
{
	static const struct word rows[][WORDS] = {
		{ { DRAIN_OPTION_OVER, "31s" } },
		{ { DRAIN_OPTION_OVER, "2s" }, { DRAIN_OPTION_TIMEOUT, "1s" } },
		{ { DRAIN_OPTION_TIMEOUT, "0" }, { DRAIN_OPTION_OVER, "1ms" } },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct drain_policy policy = service;
		struct drain_options options;
		struct failure failure = {};

		read_row(&options, rows[i]);
		assert_int_equal(drain_options_apply(&options, &policy, &failure), -1);
		assert_failure(failure, EXIT_USAGE, "is longer than the drain may take");
	}
}

static void test_a_deadline_nobody_knows(void **state)
{
	json_t *parameters = json_pack("{s:s}", "at_deadline", "panic");
	struct drain_options options;
	struct failure failure = {};

	(void)state;
	assert_int_equal(drain_options_read(&options, parameters, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "'panic' is neither reset nor keep");
	json_decref(parameters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_given_replaces_the_policy),
		cmocka_unit_test(test_they_survive_the_way_to_the_agent),
		cmocka_unit_test(test_other_words_are_refused),
		cmocka_unit_test(test_options_of_others_are_left_to_them),
		cmocka_unit_test(test_more_spread_than_time_is_refused),
		cmocka_unit_test(test_a_deadline_nobody_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
