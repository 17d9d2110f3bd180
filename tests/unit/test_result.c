/* SPDX-License-Identifier: GPL-2.0-only */
/* From the end of a cutover to what a command prints and exits with. */
#include <stdlib.h>

#include "lib/fake_host.h"
#include "lib/test.h"
#include "switch/result.h"

static const struct {
	enum cutover_outcome outcome;
	const char *name;
	enum exit_code code;
} outcomes[] = {
	{ OUTCOME_COMPLETE, "complete", EXIT_DONE },
	{ OUTCOME_CUT, "connections-cut", EXIT_CUT },
	{ OUTCOME_KEPT, "connections-kept", EXIT_CUT },
	{ OUTCOME_REFUSED, "refused", EXIT_REFUSED },
	{ OUTCOME_ROLLED_BACK, "rolled-back", EXIT_ROLLED_BACK },
	{ OUTCOME_ABORTED, "aborted", EXIT_ROLLED_BACK },
	{ OUTCOME_SUPERSEDED, "superseded", EXIT_BUSY },
	{ OUTCOME_FAILED, "failed", EXIT_SYSTEM },
};

static void test_outcomes_have_names_and_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(ROWS(outcomes), OUTCOME_FAILED + 1);
	for (size_t i = 0; i < ROWS(outcomes); i++) {
		assert_string_equal(cutover_outcome_name(outcomes[i].outcome), outcomes[i].name);
		assert_row(cutover_exit_code(outcomes[i].outcome) == outcomes[i].code,
			   outcomes[i].name);
	}
}

/* What happens to `set green`, begun when the gate is open; half a second passes at first. */
static void nothing(struct fake_host *fake)
{
	(void)fake;
}

static void soak_passes(struct fake_host *fake)
{
	fake->now = cutover_deadline(&fake->cutover);
	fake_step(fake);
}

static void target_fails(struct fake_host *fake)
{
	fake->health[BGS_GREEN] = HEALTH_UNHEALTHY;
	fake_step(fake);
}

static void way_back_fails(struct fake_host *fake)
{
	fake->flip_fails = true;
	target_fails(fake);
}

static void abort_it(struct fake_host *fake)
{
	struct failure failure;

	assert_int_equal(cutover_abort(&fake->cutover, &failure), 0);
}

static void supersede(struct fake_host *fake)
{
	cutover_supersede(&fake->cutover, "the split was changed");
}

static const struct result {
	void (*what)(struct fake_host *fake);
	const char *outcome, *reason, *failure; /* NULL: null, or none */
	enum exit_code code;
	enum verdict gate;
	json_int_t duration;
	bool changed, dry_run, flip_fails;
	enum bgs_color active; /* before it */
} results[] = {
	{ nothing, "switched", NULL, NULL, EXIT_DONE, VERDICT_GOOD, 500, .changed = true },
	{ soak_passes, "complete", NULL, NULL, EXIT_DONE, VERDICT_GOOD, 60000, .changed = true },
	{ nothing, "complete", NULL, NULL, EXIT_DONE, VERDICT_GOOD, 0, .dry_run = true },
	{ nothing, "complete", "green is active already", NULL, EXIT_DONE, VERDICT_GOOD, 0,
	  .active = BGS_GREEN },
	{ nothing, "refused", "green: connection refused",
	  "web: green is not healthy, nothing changed: connection refused", EXIT_REFUSED,
	  VERDICT_BAD, 0 },
	{ nothing, "refused", "green: connection refused",
	  "web: green is not healthy, nothing changed: connection refused", EXIT_REFUSED,
	  VERDICT_BAD, 0, .dry_run = true },
	{ target_fails, "rolled-back", "green failed: connection refused",
	  "web: switched to green and rolled back to blue by itself: "
	  "green failed: connection refused",
	  EXIT_ROLLED_BACK, VERDICT_GOOD, 500 },
	{ abort_it, "aborted", "aborted",
	  "web: the switch to green was aborted; new connections go to blue", EXIT_ROLLED_BACK,
	  VERDICT_GOOD, 500 },
	{ abort_it, "aborted", "aborted",
	  "web: the switch to green was aborted; new connections go to blue", EXIT_REFUSED,
	  VERDICT_PENDING, 500 },
	{ supersede, "superseded", "the split was changed",
	  "web: switched to green, and then: the split was changed", EXIT_BUSY, VERDICT_GOOD, 500,
	  .changed = true },
	{ supersede, "superseded", "the split was changed",
	  "web: not switched to green: the split was changed", EXIT_BUSY, VERDICT_PENDING, 500 },
	{ nothing, "failed", "the route cannot be stored",
	  "web: not switched to green: the route cannot be stored", EXIT_SYSTEM, VERDICT_GOOD, 0,
	  .flip_fails = true },
	{ way_back_fails, "failed",
	  "green failed: connection refused; traffic stays there, as the way back failed: "
	  "the route cannot be stored",
	  "web: switched to green, and then: green failed: connection refused; traffic stays "
	  "there, as the way back failed: the route cannot be stored",
	  EXIT_SYSTEM, VERDICT_GOOD, 500, .changed = true },
};

static json_t *run(struct fake_host *fake, const struct result *row)
{
	const struct cutover_request request = { .verb = "set",
						 .to = BGS_GREEN,
						 .dry_run = row->dry_run,
						 .soak_ms = 60000,
						 .ready_timeout_ms = 30000 };

	fake_init(fake);
	fake->verdict = row->gate;
	fake->route.active = row->active;
	fake->flip_fails = row->flip_fails;
	fake_begin(fake, &request);
	fake->now += 500;
	row->what(fake);
	return result_json("web", &fake->cutover);
}

static const char *string_of(const json_t *result, const char *key)
{
	return json_string_value(json_object_get(result, key));
}

static void assert_string_or_null(const json_t *result, const char *key, const char *expected)
{
	if (expected)
		assert_string_equal(string_of(result, key), expected);
	else
		assert_true(json_is_null(json_object_get(result, key)));
}

static void test_json_says_how_it_ended(void **state)
{
	struct fake_host fake;

	(void)state;
	for (size_t i = 0; i < ROWS(results); i++) {
		const struct result *row = &results[i];
		json_t *result = run(&fake, row);

		assert_non_null(result);
		assert_int_equal(json_object_size(result), 12);
		assert_string_equal(string_of(result, "service"), "web");
		assert_string_equal(string_of(result, "from"), row->active ? "green" : "blue");
		assert_string_equal(string_of(result, "to"), "green");
		assert_string_equal(string_of(result, "outcome"), row->outcome);
		assert_string_or_null(result, "reason", row->reason);
		assert_string_or_null(result, "what", row->failure);
		assert_int_equal(json_is_null(json_object_get(result, "next")), !row->failure);
		assert_int_equal(json_is_true(json_object_get(result, "changed")), row->changed);
		assert_int_equal(json_is_true(json_object_get(result, "dry_run")), row->dry_run);
		assert_int_equal(json_integer_value(json_object_get(result, "code")), row->code);
		assert_int_equal(json_integer_value(json_object_get(result, "duration_ms")),
				 row->duration);
		json_decref(result);
	}
}

/* As it goes over the control socket, and back. */
static void test_failure_comes_through(void **state)
{
	struct fake_host fake;

	(void)state;
	for (size_t i = 0; i < ROWS(results); i++) {
		json_t *result = run(&fake, &results[i]), *received;
		char *text = json_dumps(result, JSON_COMPACT);
		struct failure failure = {};
		int err;

		received = json_loads(text, 0, NULL);
		err = result_failure(received, &failure);
		assert_int_equal(err, results[i].failure ? -1 : 0);
		if (results[i].failure) {
			assert_failure(failure, results[i].code, results[i].failure);
			assert_string_equal(failure.next, string_of(result, "next"));
			if (*fake.cutover.failure.next)
				assert_string_equal(failure.next, fake.cutover.failure.next);
		} else {
			assert_string_equal(failure.what, "");
		}
		free(text);
		json_decref(received);
		json_decref(result);
	}
}

/* A server may answer with anything, and checks pass it on. */
static void test_reason_that_is_no_utf8_is_still_shown(void **state)
{
	const struct cutover_request request = { .verb = "set", .to = BGS_GREEN };
	struct failure failure;
	struct fake_host fake;
	json_t *result;

	(void)state;
	fake_init(&fake);
	fake.verdict = VERDICT_BAD;
	fake.reason = "answer: \xff";
	fake_begin(&fake, &request);
	result = result_json("web", &fake.cutover);
	assert_string_equal(string_of(result, "reason"), "green: answer: ?");
	assert_int_equal(result_failure(result, &failure), -1);
	assert_failure(failure, EXIT_REFUSED, "nothing changed: answer: ?");
	json_decref(result);
}

static const struct {
	const char *text;
	int err;
	enum exit_code code;
	const char *what;
} answers[] = {
	{ "{\"code\": 0, \"what\": null, \"next\": null}", 0, EXIT_DONE, NULL },
	{ "{\"code\": 3, \"what\": \"no\", \"next\": \"try\"}", -1, EXIT_REFUSED, "no" },
	{ "{\"code\": 5}", -1, EXIT_ROLLED_BACK, "it did not go well" },
	{ "{\"code\": 5, \"what\": 7, \"next\": []}", -1, EXIT_ROLLED_BACK, "it did not go well" },
	/* Not to know is not to succeed. */
	{ "{}", -1, EXIT_AGENT, "does not say" },
	{ "{\"code\": null}", -1, EXIT_AGENT, "does not say" },
	{ "{\"code\": \"0\"}", -1, EXIT_AGENT, "does not say" },
	{ "[]", -1, EXIT_AGENT, "does not say" },
};

static void test_only_an_answer_that_says_so_is_a_success(void **state)
{
	struct failure failure;

	(void)state;
	for (size_t i = 0; i < ROWS(answers); i++) {
		json_t *answer = json_loads(answers[i].text, 0, NULL);

		assert_row(answer, answers[i].text);
		assert_row(result_failure(answer, &failure) == answers[i].err, answers[i].text);
		if (answers[i].err)
			assert_failure(failure, answers[i].code, answers[i].what);
		json_decref(answer);
	}
	assert_int_equal(result_failure(NULL, &failure), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes_have_names_and_exit_codes),
		cmocka_unit_test(test_json_says_how_it_ended),
		cmocka_unit_test(test_failure_comes_through),
		cmocka_unit_test(test_reason_that_is_no_utf8_is_still_shown),
		cmocka_unit_test(test_only_an_answer_that_says_so_is_a_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
