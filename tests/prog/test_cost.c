/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A lookup costs the same however much there is: the promise in ratios. Uses
 * the fastest round of each case, which noise on a shared machine cannot lower.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cost.h"
#include "lib/test.h"

#define REPEAT 200000

static struct cost costs[COST_CASES];

static double best(enum cost_case number)
{
	return costs[number].nanoseconds[0];
}

/* On an emulated machine answers are right and times are noise. */
static bool is_emulated(void)
{
	return getenv("BGSWITCH_TEST_EMULATED");
}

static int measure(void **state)
{
	(void)state;
	cost_measure(costs, is_emulated() ? 1 : REPEAT);
	for (int i = 0; i < COST_CASES; i++)
		printf("# %-54s %6.0f ns\n", costs[i].name, best(i));
	return 0;
}

static void assert_ratio(enum cost_case large, double limit)
{
	double ratio = best(large) / best(COST_SMALLEST);

	if (is_emulated()) {
		print_message("# skipped: the machine is emulated, times say nothing\n");
		skip();
	}
	if (ratio > limit)
		fail_msg("%s: %.2f times the smallest case, expected at most %.1f",
			 costs[large].name, ratio, limit);
}

static void test_instances(void **state)
{
	(void)state;
	assert_ratio(COST_INSTANCES, 1.3);
}

static void test_services(void **state)
{
	(void)state;
	assert_ratio(COST_SERVICES, 1.3);
}

static void test_both(void **state)
{
	(void)state;
	assert_ratio(COST_LARGEST, 1.3);
}

static void test_preview(void **state)
{
	(void)state;
	assert_ratio(COST_PREVIEW, 2.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instances),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_preview),
	};

	return cmocka_run_group_tests(tests, measure, NULL);
}
