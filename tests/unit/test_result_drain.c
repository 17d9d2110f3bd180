/* SPDX-License-Identifier: GPL-2.0-only */
/* What a command prints and exits with, of a drain: within a cutover, and alone. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/fake_host.h"
#include "lib/test.h"
#include "switch/result.h"

#define SOAK_MS 60000
#define DRAIN_MS 5000

/* What happens to it; 100 ms have passed with these connections. */
static void nothing(struct fake_host *fake)
{
	(void)fake;
}

static void pass(struct fake_host *fake, unsigned int milliseconds)
{
	for (unsigned int spent = 0; spent < milliseconds; spent += 50) {
		fake->now += 50;
		fake_step(fake);
	}
}

static void they_end(struct fake_host *fake)
{
	fake->counts = (struct connection_counts){};
	pass(fake, 100);
}

static void others_come(struct fake_host *fake)
{
	fake->receives = true;
	they_end(fake);
}

static void all_passes(struct fake_host *fake)
{
	pass(fake, SOAK_MS);
}

static void they_end_and_all_passes(struct fake_host *fake)
{
	they_end(fake);
	all_passes(fake);
}

static void count_fails(struct fake_host *fake)
{
	fake->count_fails = true;
	all_passes(fake);
}

static void target_fails(struct fake_host *fake)
{
	fake->health[BGS_GREEN] = HEALTH_UNHEALTHY;
	pass(fake, 50);
}

static void abort_it(struct fake_host *fake)
{
	struct failure failure;

	assert_int_equal(cutover_abort(&fake->cutover, &failure), 0);
}

static void supersede(struct fake_host *fake)
{
	cutover_supersede(&fake->cutover, "another change was asked for during the drain");
}

#define REMAINING(handshaking, queued, established)                                                \
	"\"remaining\": {\"handshaking\": " #handshaking                                           \
	", \"syn_cookies\": false, \"accept_queue\": " #queued ", \"established\": " #established  \
	", \"untagged\": 0}"
#define NONE REMAINING(0, 0, 0)

static const struct row {
	void (*what)(struct fake_host *fake);
	struct connection_counts counts;
	const char *outcome, *drained;
	const char *failure; /* NULL: none */
	enum exit_code code;
	const char *text; /* result_drained_text() */
	enum at_deadline at_deadline;
	bool receives, alone;
} rows[] = {
	{ nothing,
	  {},
	  "switched",
	  "{\"color\": \"blue\", \"safe_to_stop\": true, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 0, " NONE "}",
	  NULL,
	  EXIT_DONE,
	  "blue is safe to stop (drained in 0.0s)" },
	{ nothing,
	  { .handshaking = 1, .accept_queue = 2, .established = 3 },
	  "switched",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 100, " REMAINING(1, 2, 3) "}",
	  NULL,
	  EXIT_DONE,
	  "" },
	{ they_end_and_all_passes,
	  { .established = 3 },
	  "complete",
	  "{\"color\": \"blue\", \"safe_to_stop\": true, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 150, " NONE "}",
	  NULL,
	  EXIT_DONE,
	  "blue is safe to stop (drained in 0.1s)" },
	{ all_passes,
	  { .established = 3 },
	  "connections-cut",
	  "{\"color\": \"blue\", \"safe_to_stop\": true, \"cut\": 3, \"closed_idle\": 0, "
	  "\"duration_ms\": 5050, " NONE "}",
	  "web: switched to green, and 3 connections of blue were reset at the deadline",
	  EXIT_CUT,
	  "blue is safe to stop (drained in 5.0s)" },
	{ all_passes,
	  { .established = 1 },
	  "connections-cut",
	  "{\"color\": \"blue\", \"safe_to_stop\": true, \"cut\": 1, \"closed_idle\": 0, "
	  "\"duration_ms\": 5050, " NONE "}",
	  "web: switched to green, and 1 connection of blue was reset at the deadline",
	  EXIT_CUT,
	  "blue is safe to stop (drained in 5.0s)" },
	{ all_passes,
	  { .established = 3 },
	  "connections-kept",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 5000, " REMAINING(0, 0, 3) "}",
	  "web: switched to green, and blue is not safe to stop: 3 established are left at the "
	  "deadline",
	  EXIT_CUT,
	  "",
	  DEADLINE_KEEP },
	{ all_passes,
	  { .handshaking = 1, .established = 3 },
	  "connections-kept",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 3, \"closed_idle\": 0, "
	  "\"duration_ms\": 17050, " REMAINING(1, 0, 0) "}",
	  "web: switched to green, and blue is not safe to stop: 1 handshaking are left at the "
	  "deadline, and 3 were reset",
	  EXIT_CUT,
	  "" },
	{ count_fails,
	  { .established = 3 },
	  "complete",
	  "{\"color\": \"blue\", \"safe_to_stop\": null, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 150, \"remaining\": null}",
	  NULL,
	  EXIT_DONE,
	  "" },
	{ all_passes,
	  { .established = 3 },
	  "complete",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 0, \"remaining\": null}",
	  NULL,
	  EXIT_DONE,
	  "",
	  .receives = true },
	{ target_fails,
	  { .established = 3 },
	  "rolled-back",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 150, " REMAINING(0, 0, 3) "}",
	  "web: switched to green and rolled back to blue by itself: green failed: connection "
	  "refused",
	  EXIT_ROLLED_BACK,
	  "" },
	/* What was safe to stop has the traffic again. */
	{ target_fails,
	  {},
	  "rolled-back",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 0, " NONE "}",
	  "web: switched to green and rolled back to blue by itself: green failed: connection "
	  "refused",
	  EXIT_ROLLED_BACK,
	  "" },

	{ they_end,
	  { .established = 3 },
	  "complete",
	  "{\"color\": \"blue\", \"safe_to_stop\": true, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 150, " NONE "}",
	  NULL,
	  EXIT_DONE,
	  "blue is safe to stop (drained in 0.1s)",
	  .alone = true },
	{ all_passes,
	  { .established = 3 },
	  "connections-cut",
	  "{\"color\": \"blue\", \"safe_to_stop\": true, \"cut\": 3, \"closed_idle\": 0, "
	  "\"duration_ms\": 5050, " NONE "}",
	  "web: 3 connections of blue were reset at the deadline",
	  EXIT_CUT,
	  "blue is safe to stop (drained in 5.0s)",
	  .alone = true },
	/* They are gone, and others will come. */
	{ others_come,
	  { .established = 3 },
	  "connections-kept",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 150, " NONE "}",
	  "web: blue is not safe to stop: preview networks still send clients to blue",
	  EXIT_CUT,
	  "",
	  .alone = true },
	{ abort_it,
	  { .established = 3 },
	  "aborted",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 100, " REMAINING(0, 0, 3) "}",
	  "web: draining blue was aborted; what is open stays",
	  EXIT_REFUSED,
	  "",
	  .alone = true },
	{ supersede,
	  { .established = 3 },
	  "superseded",
	  "{\"color\": \"blue\", \"safe_to_stop\": false, \"cut\": 0, \"closed_idle\": 0, "
	  "\"duration_ms\": 100, " REMAINING(0, 0, 3) "}",
	  "web: blue is not drained: another change was asked for during the drain",
	  EXIT_BUSY,
	  "",
	  .alone = true },
};

static json_t *run(struct fake_host *fake, const struct row *row)
{
	const struct cutover_request request = {
		.to = BGS_GREEN,
		.soak_ms = row->alone ? 0 : SOAK_MS,
		.drains = true,
		.drain = { .timeout_ms = DRAIN_MS, .at_deadline = row->at_deadline },
	};

	fake_init(fake);
	fake->verdict = VERDICT_GOOD;
	fake->counts = row->counts;
	fake->receives = row->receives;
	if (row->alone) {
		fake->route.active = BGS_GREEN;
		cutover_drain(&fake->cutover, &request);
	} else {
		fake_begin(fake, &request);
	}
	pass(fake, 100);
	row->what(fake);
	return result_json("web", &fake->cutover);
}

static void assert_drained(const json_t *result, const char *expected)
{
	json_t *wanted = json_loads(expected, 0, NULL);
	const json_t *drained = json_object_get(result, "drained");

	assert_non_null(wanted);
	if (!json_equal(drained, wanted)) {
		char *text = json_dumps(drained, JSON_ENCODE_ANY);

		print_error("it is        %s\nit should be %s\n", text, expected);
		free(text);
		fail();
	}
	json_decref(wanted);
}

static void test_result_says_what_became_of_the_connections(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct row *row = &rows[i];
		struct fake_host fake;
		json_t *result = run(&fake, row);
		const char *outcome = json_string_value(json_object_get(result, "outcome"));
		struct failure failure = {};
		char text[RESULT_TEXT], name[32];

		snprintf(name, sizeof(name), "row %zu", i);
		assert_row(!strcmp(outcome, row->outcome), name);
		assert_row(json_is_true(json_object_get(result, "changed")) ==
				   (!row->alone && row->code != EXIT_ROLLED_BACK),
			   name);
		assert_drained(result, row->drained);
		assert_string_equal(result_drained_text(text, result), row->text);
		assert_row(result_failure(result, &failure) == (row->failure ? -1 : 0), name);
		if (row->failure) {
			assert_string_equal(failure.what, row->failure);
			assert_failure(failure, row->code, row->failure);
		}
		json_decref(result);
	}
}

static const struct {
	const char *drained, *text;
} texts[] = {
	{ "{\"drained\": {\"color\": \"blue\", \"safe_to_stop\": true, \"duration_ms\": 1299, "
	  "\"closed_idle\": 3}}",
	  "blue is safe to stop (drained in 1.2s, 3 idle connections closed)" },
	{ "{\"drained\": {\"color\": \"green\", \"safe_to_stop\": true, \"duration_ms\": 60000, "
	  "\"closed_idle\": 1}}",
	  "green is safe to stop (drained in 60.0s, 1 idle connection closed)" },
	/* What is not said is not claimed. */
	{ "{\"drained\": {\"color\": \"blue\", \"safe_to_stop\": false}}", "" },
	{ "{\"drained\": {\"color\": \"blue\", \"safe_to_stop\": null}}", "" },
	{ "{\"drained\": {\"color\": \"blue\"}}", "" },
	{ "{\"drained\": {\"safe_to_stop\": true}}", "" },
	{ "{\"drained\": null}", "" },
	{ "{}", "" },
};

static void test_words_for_people(void **state)
{
	char text[RESULT_TEXT];

	(void)state;
	for (size_t i = 0; i < ROWS(texts); i++) {
		json_t *result = json_loads(texts[i].drained, 0, NULL);

		assert_non_null(result);
		assert_string_equal(result_drained_text(text, result), texts[i].text);
		json_decref(result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result_says_what_became_of_the_connections),
		cmocka_unit_test(test_words_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
