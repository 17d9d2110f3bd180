/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#include "config/policy.h"
#include "lib/test.h"

static void test_defaults_are_those_of_the_design(void **state)
{
	struct policy policy;

	(void)state;
	memset(&policy, 0xff, sizeof(policy));
	policy_init(&policy);
	assert_int_equal(policy.min_healthy.value, 1);
	assert_false(policy.min_healthy.percent);
	assert_int_equal(policy.failover, FAILOVER_AUTO);
	assert_int_equal(policy.soak_ms, 60000);
	assert_int_equal(policy.ready_timeout_ms, 30000);
	assert_int_equal(policy.drain.timeout_ms, 30000);
	assert_int_equal(policy.drain.at_deadline, DEADLINE_RESET);
	assert_int_equal(policy.drain.close_idle_ms, 0);
	assert_int_equal(policy.drain.over_ms, 0);
	assert_int_equal(policy.stop.keep_warm_ms, 300000);
	assert_int_equal(policy.stop.timeout_ms, 30000);
	assert_null(policy.stop.commands[BGS_BLUE].argv);
	assert_null(policy.stop.commands[BGS_GREEN].argv);
	assert_int_equal(policy.check.kind, CHECK_TCP);
	assert_int_equal(policy.check.interval_ms, 1000);
	assert_int_equal(policy.check.fast_interval_ms, 250);
	assert_int_equal(policy.check.timeout_ms, 2000);
	assert_int_equal(policy.check.rise, 2);
	assert_int_equal(policy.check.fall, 3);
	policy_free(&policy);
}

static const struct {
	const char *text;
	int mode;
} modes[] = {
	{ "auto", FAILOVER_AUTO },
	{ "on", FAILOVER_AUTO },
	{ "listener", FAILOVER_LISTENER },
	{ "off", FAILOVER_OFF },
	{ "", -1 },
	{ "Auto", -1 },
	{ "auto ", -1 },
	{ "yes", -1 },
	{ "listeners", -1 },
};

static void test_failover_modes_have_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(modes); i++)
		assert_row(failover_parse(modes[i].text) == modes[i].mode, modes[i].text);
	for (int mode = FAILOVER_AUTO; mode <= FAILOVER_OFF; mode++)
		assert_int_equal(failover_parse(failover_name(mode)), mode);
}

static void test_deadlines_have_names(void **state)
{
	static const char *const others[] = { "", "Reset", "keep ", "off", "cut" };

	(void)state;
	for (int deadline = DEADLINE_RESET; deadline <= DEADLINE_KEEP; deadline++)
		assert_int_equal(deadline_parse(deadline_name(deadline)), deadline);
	assert_string_equal(deadline_name(DEADLINE_RESET), "reset");
	assert_string_equal(deadline_name(DEADLINE_KEEP), "keep");
	for (size_t i = 0; i < ROWS(others); i++)
		assert_row(deadline_parse(others[i]) == -1, others[i]);
}

static void test_times_of_a_drain_have_words(void **state)
{
	char text[DURATION_TEXT];

	(void)state;
	assert_string_equal(drain_timeout_format(text, DRAIN_FOREVER), "inf");
	assert_string_equal(drain_timeout_format(text, 0), "0");
	assert_string_equal(drain_timeout_format(text, 30000), "30s");
	assert_string_equal(drain_time_format(text, 0), "off");
	assert_string_equal(drain_time_format(text, 250), "250ms");
}

static void test_commands_are_freed_with_their_policy(void **state)
{
	struct policy policy;

	(void)state;
	policy_init(&policy);
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		policy.stop.commands[color].argv = calloc(3, sizeof(char *));
		policy.stop.commands[color].argv[0] = strdup("stop");
		policy.stop.commands[color].argv[1] = strdup("it");
	}
	policy_free(&policy);
	policy_free(&policy); /* nothing is left that could be freed again */
	assert_null(policy.stop.commands[BGS_BLUE].argv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_design),
		cmocka_unit_test(test_failover_modes_have_names),
		cmocka_unit_test(test_deadlines_have_names),
		cmocka_unit_test(test_times_of_a_drain_have_words),
		cmocka_unit_test(test_commands_are_freed_with_their_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
