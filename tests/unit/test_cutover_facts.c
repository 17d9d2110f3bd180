/* SPDX-License-Identifier: GPL-2.0-only */
/* What a cutover tells about itself: moments, figures, and words for people. */
#include <limits.h>
#include <stdio.h>

#include "lib/fake_host.h"
#include "lib/test.h"

#define READY_MS 30000
#define SOAK_MS 60000

static const struct cutover_request to_green = { .verb = "set",
						 .to = BGS_GREEN,
						 .soak_ms = SOAK_MS,
						 .ready_timeout_ms = READY_MS,
						 .uid = 1000 };

/* A host whose gate says this. */
static void start(struct fake_host *fake, enum verdict verdict)
{
	fake_init(fake);
	fake->verdict = verdict;
}

/* One that soaks, after two seconds at the gate. */
static void start_soak(struct fake_host *fake)
{
	start(fake, VERDICT_PENDING);
	fake_begin(fake, &to_green);
	fake->now += 2000;
	fake->verdict = VERDICT_GOOD;
	fake_step(fake);
	assert_int_equal(fake->cutover.state, CUTOVER_SOAKING);
}

static void test_deadline_is_of_the_gate_and_then_of_the_soak(void **state)
{
	struct fake_host fake;

	(void)state;
	start(&fake, VERDICT_PENDING);
	assert_int_equal(cutover_deadline(&fake.cutover), 0);
	fake_begin(&fake, &to_green);
	assert_int_equal(fake.cutover.state, CUTOVER_CHECKING);
	assert_int_equal(cutover_deadline(&fake.cutover), FAKE_START + READY_MS);
	fake.now += 2000;
	fake_step(&fake);
	assert_int_equal(cutover_deadline(&fake.cutover), FAKE_START + READY_MS);
	fake.verdict = VERDICT_GOOD;
	fake_step(&fake);
	assert_int_equal(cutover_deadline(&fake.cutover), FAKE_START + 2000 + SOAK_MS);
	fake.now += SOAK_MS;
	fake_step(&fake);
	assert_int_equal(cutover_deadline(&fake.cutover), 0);
}

static void test_longest_times_do_not_overflow(void **state)
{
	const struct cutover_request request = {
		.verb = "set", .to = BGS_GREEN, .soak_ms = UINT_MAX, .ready_timeout_ms = UINT_MAX
	};
	struct fake_host fake;

	(void)state;
	start(&fake, VERDICT_PENDING);
	fake_begin(&fake, &request);
	fake.now += UINT_MAX - 1u;
	fake_step(&fake);
	assert_int_equal(fake.cutover.state, CUTOVER_CHECKING);
	fake.verdict = VERDICT_GOOD;
	fake_step(&fake);
	fake.now += UINT_MAX - 1u;
	fake_step(&fake);
	assert_int_equal(fake.cutover.state, CUTOVER_SOAKING);
	fake.now++;
	fake_step(&fake);
	assert_int_equal(fake.cutover.outcome, OUTCOME_COMPLETE);
	assert_true(fake.cutover.duration == 2ULL * UINT_MAX - 1);
}

static void test_no_time_at_the_gate_takes_what_is_known(void **state)
{
	struct cutover_request request = to_green;
	struct fake_host fake;

	(void)state;
	request.ready_timeout_ms = 0;
	start(&fake, VERDICT_PENDING);
	fake_begin(&fake, &request);
	assert_int_equal(fake.cutover.outcome, OUTCOME_REFUSED);
	start(&fake, VERDICT_GOOD);
	fake_begin(&fake, &request);
	assert_int_equal(fake.cutover.state, CUTOVER_SOAKING);
}

static void test_resumed_soak_has_only_what_was_left(void **state)
{
	struct fake_host fake;

	(void)state;
	start(&fake, VERDICT_PENDING);
	fake.route.active = BGS_GREEN;
	cutover_resume(&fake.cutover, &to_green, (struct bgs_route){ .active = BGS_BLUE }, 1500);
	assert_int_equal(cutover_deadline(&fake.cutover), FAKE_START + 1500);
	assert_string_equal(fake.said, "watching green for 1500ms");
	fake.now += 1500;
	fake_step(&fake);
	assert_int_equal(fake.cutover.outcome, OUTCOME_COMPLETE);
	assert_int_equal(fake.cutover.duration, 1500);
	assert_true(fake.cutover.changed);
	assert_int_equal(fake.cutover.before.active, BGS_BLUE);
}

/* The counter counts stores, whoever made them. */
static void test_flips_count_on(void **state)
{
	struct fake_host fake;

	(void)state;
	start(&fake, VERDICT_GOOD);
	fake.route.flips = USHRT_MAX - 1;
	fake_begin(&fake, &to_green);
	assert_int_equal(fake.route.flips, USHRT_MAX);
	fake.health[BGS_GREEN] = HEALTH_UNHEALTHY;
	fake_step(&fake);
	assert_int_equal(fake.cutover.outcome, OUTCOME_ROLLED_BACK);
	assert_int_equal(fake.route.flips, 0);
	/* At the gate and in the soak somebody else goes there and back. */
	start(&fake, VERDICT_PENDING);
	fake_begin(&fake, &to_green);
	fake.route.flips += 2;
	fake.verdict = VERDICT_GOOD;
	fake_step(&fake);
	assert_int_equal(fake.route.flips, 3);
	fake.route.flips += 2;
	fake.health[BGS_GREEN] = HEALTH_UNHEALTHY;
	fake_step(&fake);
	assert_int_equal(fake.cutover.outcome, OUTCOME_ROLLED_BACK);
	assert_int_equal(fake.route.flips, 6);
}

/* A row each: what ends the soak of start_soak(), five seconds into it. */
static void let_pass(struct fake_host *fake)
{
	fake->now += SOAK_MS - 5000;
	fake_step(fake);
}

static void fail_target(struct fake_host *fake)
{
	fake->health[BGS_GREEN] = HEALTH_UNHEALTHY;
	fake_step(fake);
}

static void fail_target_and_flip(struct fake_host *fake)
{
	fake->flip_fails = true;
	fail_target(fake);
}

static void promote(struct fake_host *fake)
{
	struct failure failure;

	assert_int_equal(cutover_promote(&fake->cutover, &failure), 0);
}

static void abort_it(struct fake_host *fake)
{
	struct failure failure;

	assert_int_equal(cutover_abort(&fake->cutover, &failure), 0);
}

static void fail_abort(struct fake_host *fake)
{
	struct failure failure;

	fake->flip_fails = true;
	assert_int_equal(cutover_abort(&fake->cutover, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "the route cannot be stored");
}

static void supersede(struct fake_host *fake)
{
	cutover_supersede(&fake->cutover, "the split was changed");
}

static const struct {
	void (*what)(struct fake_host *fake);
	const char *said, *text;
	enum cutover_outcome outcome;
	bool changed;
	unsigned long long duration;
} ends[] = {
	{ let_pass, "green has the new connections, after 62s", "", OUTCOME_COMPLETE, true,
	  2000 + SOAK_MS },
	{ promote, "green has the new connections (promoted), after 7s", "", OUTCOME_COMPLETE, true,
	  7000 },
	{ fail_target, "rolled back green -> blue: green failed: connection refused",
	  "green failed: connection refused", OUTCOME_ROLLED_BACK, false, 7000 },
	{ fail_target_and_flip,
	  "set: green failed: connection refused; traffic stays there, as the way back failed: "
	  "the route cannot be stored",
	  "green failed: connection refused; traffic stays there, as the way back failed: "
	  "the route cannot be stored",
	  OUTCOME_FAILED, true, 7000 },
	{ abort_it, "aborted, back green -> blue", "aborted", OUTCOME_ABORTED, false, 7000 },
	{ fail_abort, "set: the way back failed: the route cannot be stored",
	  "the way back failed: the route cannot be stored", OUTCOME_FAILED, true, 7000 },
	{ supersede, "the split was changed", "the split was changed", OUTCOME_SUPERSEDED, true,
	  7000 },
};

static void test_ends_of_a_soak(void **state)
{
	struct fake_host fake;

	(void)state;
	for (size_t i = 0; i < ROWS(ends); i++) {
		start_soak(&fake);
		assert_string_equal(fake.said, "watching green for 1m");
		fake.now += 5000;
		ends[i].what(&fake);
		assert_int_equal(fake.ends, 1);
		assert_string_equal(fake.said, ends[i].said);
		assert_string_equal(fake.cutover.text, ends[i].text);
		assert_row(fake.cutover.outcome == ends[i].outcome, ends[i].said);
		assert_row(fake.cutover.changed == ends[i].changed, ends[i].said);
		assert_row(fake.cutover.duration == ends[i].duration, ends[i].said);
	}
}

static void test_refusal_says_why_and_what_to_do(void **state)
{
	struct fake_host fake;

	(void)state;
	start(&fake, VERDICT_BAD);
	fake_begin(&fake, &to_green);
	assert_string_equal(fake.said,
			    "refused to switch to green, nothing changed: connection refused");
	assert_string_equal(fake.cutover.text, "green: connection refused");
	assert_failure(fake.cutover.failure, EXIT_REFUSED,
		       "green is not healthy, nothing changed: connection refused");
	assert_contains(fake.cutover.failure.next, "--force");
	assert_false(fake.cutover.changed);
}

static void test_what_is_active_already_is_no_change(void **state)
{
	struct cutover_request request = to_green;
	struct fake_host fake;

	(void)state;
	start(&fake, VERDICT_GOOD);
	request.to = BGS_BLUE;
	fake_begin(&fake, &request);
	assert_string_equal(fake.cutover.text, "blue is active already");
	assert_int_equal(fake.cutover.outcome, OUTCOME_COMPLETE);
	assert_false(fake.cutover.changed);
	assert_string_equal(fake.said, "");
}

/* The active color gets all of it: there is no other color to name. */
static void test_words_for_the_end_of_a_split(void **state)
{
	struct cutover_request request = to_green;
	struct fake_host fake;

	(void)state;
	request.to = BGS_BLUE;
	request.soak_ms = 0;
	start(&fake, VERDICT_GOOD);
	fake.route.split_bp = 1;
	fake_begin(&fake, &request);
	assert_string_equal(fake.said, "switching all traffic to blue");
	request.soak_ms = SOAK_MS;
	fake.route.split_bp = 1;
	fake_begin(&fake, &request);
	abort_it(&fake);
	assert_string_equal(fake.said, "aborted, the split is back");
}

static void test_words_at_the_gate(void **state)
{
	struct cutover_request request = to_green;
	struct fake_host fake;

	(void)state;
	start(&fake, VERDICT_PENDING);
	fake_begin(&fake, &to_green);
	assert_string_equal(fake.said, "checking green");
	abort_it(&fake);
	assert_string_equal(fake.said, "aborted before the switch to green");
	fake.verdict = VERDICT_GOOD;
	request.soak_ms = 0;
	fake_begin(&fake, &request);
	assert_string_equal(fake.said, "switching traffic blue -> green");
}

static void test_alarm_says_where_traffic_stays(void **state)
{
	struct fake_host fake;

	(void)state;
	start_soak(&fake);
	fake.health[BGS_BLUE] = HEALTH_UNHEALTHY;
	fail_target(&fake);
	assert_string_equal(fake.said, "both colors are unhealthy; traffic stays on green: "
				       "connection refused");
}

static void test_idle_has_nothing_to_promote_or_abort(void **state)
{
	struct failure failure;
	struct fake_host fake;

	(void)state;
	start(&fake, VERDICT_PENDING);
	assert_int_equal(cutover_promote(&fake.cutover, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "nothing is soaking");
	assert_int_equal(cutover_abort(&fake.cutover, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "nothing is under way");
	fake_begin(&fake, &to_green);
	assert_int_equal(cutover_promote(&fake.cutover, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "nothing is soaking");
}

/* A reason may be as long as it likes; what comes after it must not be lost. */
static void test_long_reasons_are_cut(void **state)
{
	char reason[2 * EVENT_TEXT];
	struct fake_host fake;

	(void)state;
	memset(reason, 'x', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	start(&fake, VERDICT_BAD);
	fake.reason = reason;
	fake_begin(&fake, &to_green);
	assert_int_equal(strlen(fake.cutover.text), EVENT_TEXT - 1);
	assert_int_equal(strlen(fake.said), EVENT_TEXT - 1);
	start_soak(&fake);
	fake.reason = reason;
	fail_target(&fake);
	assert_int_equal(strlen(fake.cutover.text), EVENT_TEXT - 1);
	start_soak(&fake);
	fake.reason = reason;
	fail_target_and_flip(&fake);
	assert_contains(fake.cutover.text, "as the way back failed: the route cannot be stored");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadline_is_of_the_gate_and_then_of_the_soak),
		cmocka_unit_test(test_longest_times_do_not_overflow),
		cmocka_unit_test(test_no_time_at_the_gate_takes_what_is_known),
		cmocka_unit_test(test_resumed_soak_has_only_what_was_left),
		cmocka_unit_test(test_flips_count_on),
		cmocka_unit_test(test_ends_of_a_soak),
		cmocka_unit_test(test_refusal_says_why_and_what_to_do),
		cmocka_unit_test(test_what_is_active_already_is_no_change),
		cmocka_unit_test(test_words_for_the_end_of_a_split),
		cmocka_unit_test(test_words_at_the_gate),
		cmocka_unit_test(test_alarm_says_where_traffic_stays),
		cmocka_unit_test(test_idle_has_nothing_to_promote_or_abort),
		cmocka_unit_test(test_long_reasons_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
