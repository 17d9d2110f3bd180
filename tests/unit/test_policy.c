/* SPDX-License-Identifier: GPL-2.0-only */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_design),
		cmocka_unit_test(test_failover_modes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
