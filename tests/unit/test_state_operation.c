/* SPDX-License-Identifier: GPL-2.0-only */
/* What is under way outlives its process: operations, their drains, stops that are yet to come. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/scratch.h"
#include "lib/test.h"
#include "record/state.h"

#define NAME STATE_NAME STATE_ENDING
#define AGENT ((uid_t)-1)

static struct state *open_state(const char *dir)
{
	struct failure failure = {};
	struct state *opened = NULL;
	char *warning;

	state_open(&opened, dir, NAME, &warning, &failure);
	assert_string_equal(failure.what, "");
	assert_null(warning);
	return opened;
}

static void save_and_close(struct state *state)
{
	struct failure failure = {};

	state_save(state, &failure);
	assert_string_equal(failure.what, "");
	state_close(state);
}

static const struct operation operations[] = {
	{
		.phase = OPERATION_SWITCHING,
		.verb = "set",
		.before = { BGS_BLUE, 250, 0 },
		.to = BGS_GREEN,
		.forced = true,
		.began_ms = 1771406900123,
		.soak_until_ms = 1771406960123,
		.soak_ms = 60000,
		.drain = { .timeout_ms = 30000, .close_idle_ms = 1, .over_ms = 60000 },
	},
	{
		.phase = OPERATION_SOAKING,
		.verb = "rollback",
		.before = { BGS_GREEN, 10000, 0 },
		.to = BGS_BLUE,
		.began_ms = 1,
		.soak_until_ms = 2,
		.soak_ms = 4294967295u,
		.drain = { DRAIN_FOREVER, DEADLINE_KEEP, DURATION_MAX_MS, DURATION_MAX_MS },
		.draining = true,
		.uid = AGENT,
	},
	{ .phase = OPERATION_SOAKING, .verb = "a verb of 15 ch", .uid = 4294967294u },
};

static void assert_same_operation(const struct operation *a, const struct operation *b)
{
	assert_int_equal(a->phase, b->phase);
	assert_string_equal(a->verb, b->verb);
	assert_int_equal(a->before.active, b->before.active);
	assert_int_equal(a->before.split_bp, b->before.split_bp);
	assert_int_equal(a->to, b->to);
	assert_int_equal(a->forced, b->forced);
	assert_true(a->began_ms == b->began_ms && a->soak_until_ms == b->soak_until_ms);
	assert_int_equal(a->soak_ms, b->soak_ms);
	assert_memory_equal(&a->drain, &b->drain, sizeof(a->drain));
	assert_int_equal(a->draining, b->draining);
	assert_int_equal(a->uid, b->uid);
}

static void test_operations_are_kept_until_they_end(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct operation operation;

	for (size_t i = 0; i < ROWS(operations); i++)
		state_set_operation(state, operations[i].verb, &operations[i]);
	save_and_close(state);
	state = open_state(*scratch);
	assert_true(state_is_of_this_boot(state));
	for (size_t i = 0; i < ROWS(operations); i++) {
		assert_true(state_operation(state, operations[i].verb, &operation));
		assert_same_operation(&operation, &operations[i]);
	}
	state_set_operation(state, "set", NULL);
	save_and_close(state);
	state = open_state(*scratch);
	assert_false(state_operation(state, "set", &operation));
	assert_true(state_operation(state, "rollback", &operation));
	state_close(state);
}

static void assert_stop(const struct state *state, const char *service,
			const struct pending_stop *expected)
{
	struct pending_stop stop;

	assert_true(state_stop(state, service, &stop));
	assert_int_equal(stop.color, expected->color);
	assert_true(stop.since_ms == expected->since_ms);
}

static void test_pending_stops_are_kept(void **scratch)
{
	const struct pending_stop green = { BGS_GREEN, 1771406900123 }, blue = { BGS_BLUE, 0 };
	struct state *state = open_state(*scratch);
	struct pending_stop stop;

	assert_false(state_stop(state, "web", &stop));
	state_set_stop(state, "web", &green);
	state_set_stop(state, "api", &blue);
	save_and_close(state);
	state = open_state(*scratch);
	assert_stop(state, "web", &green);
	assert_stop(state, "api", &blue);
	state_set_stop(state, "web", &blue);
	state_set_stop(state, "api", NULL);
	save_and_close(state);
	state = open_state(*scratch);
	assert_stop(state, "web", &blue);
	assert_false(state_stop(state, "api", &stop));
	state_close(state);
}

static struct state *open_with(const char *dir, const char *text)
{
	char path[PATH_MAX];
	FILE *file = fopen(scratch_path(path, dir, NAME), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return open_state(dir);
}

#define OPERATION(phase, more)                                                                     \
	"{\"format\": 1, \"operations\": {\"web\": {\"phase\": \"" phase "\", \"verb\": \"set\","  \
	" \"before\": {\"active\": \"blue\"}, \"to\": \"green\", \"began_ms\": 0,"                 \
	" \"soak_until_ms\": 0, \"soak_ms\": 0, \"uid\": null" more "}}}"
#define DRAIN(timeout, deadline)                                                                   \
	", \"drain\": {\"timeout_ms\": " timeout ", \"at_deadline\": \"" deadline "\","            \
	" \"close_idle_ms\": 0, \"over_ms\": 0}"

/* Of the right type and with wrong values: as good as none. */
static const char *const senseless[] = {
	"{\"format\": 1, \"operations\": {\"web\": {}}, \"stops\": {\"web\": {}}}",
	"{\"format\": 1, \"stops\": {\"web\": {\"color\": \"red\", \"since_ms\": 1}}}",
	"{\"format\": 1, \"stops\": {\"web\": {\"color\": \"blue\", \"since_ms\": \"1\"}}}",
	OPERATION("dancing", ""),
	OPERATION("soaking", ", \"drain\": {}"),
	OPERATION("soaking", DRAIN("-1", "keep")),
	OPERATION("soaking", DRAIN("4294967296", "keep")),
	OPERATION("soaking", DRAIN("\"30s\"", "keep")),
	OPERATION("soaking", DRAIN("1", "cut")),
};

static void test_entries_without_sense_are_ignored(void **scratch)
{
	for (size_t i = 0; i < ROWS(senseless); i++) {
		struct state *state = open_with(*scratch, senseless[i]);
		struct operation operation;
		struct pending_stop stop;

		assert_row(!state_operation(state, "web", &operation), senseless[i]);
		assert_row(!state_stop(state, "web", &stop), senseless[i]);
		state_close(state);
	}
}

static void test_operation_from_before_drains_has_the_usual_one(void **scratch)
{
	struct state *state = open_with(*scratch, OPERATION("soaking", ""));
	struct operation operation;
	struct policy usual;

	policy_init(&usual);
	assert_true(state_operation(state, "web", &operation));
	assert_memory_equal(&operation.drain, &usual.drain, sizeof(usual.drain));
	assert_false(operation.draining);
	policy_free(&usual);
	state_close(state);
}

#define scratch_test(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_operations_are_kept_until_they_end),
		scratch_test(test_pending_stops_are_kept),
		scratch_test(test_entries_without_sense_are_ignored),
		scratch_test(test_operation_from_before_drains_has_the_usual_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
