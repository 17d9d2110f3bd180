/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "lib/scratch.h"
#include "lib/test.h"
#include "record/history.h"
#include "record/records.h"

#define NAME HISTORY_NAME HISTORY_ENDING

static const struct {
	struct history_entry entry;
	const char *json;
} rows[] = {
	{ { 1771406900123, 1500, "web", "set", BGS_BLUE, BGS_GREEN, 0, "complete", NULL },
	  "{\"time\":\"2026-02-18T09:28:20.123Z\",\"duration_ms\":1500,\"service\":\"web\","
	  "\"operation\":\"set\",\"from\":\"blue\",\"to\":\"green\",\"uid\":0,\"user\":\"root\","
	  "\"outcome\":\"complete\",\"reason\":null}" },
	{ { 0, 0, "web", "failover", BGS_GREEN, BGS_BLUE, HISTORY_AGENT, "rolled-back",
	    "status 500:\n\x1b[1m\xff" },
	  "{\"time\":\"1970-01-01T00:00:00.000Z\",\"duration_ms\":0,\"service\":\"web\","
	  "\"operation\":\"failover\",\"from\":\"green\",\"to\":\"blue\",\"uid\":null,"
	  "\"user\":null,\"outcome\":\"rolled-back\",\"reason\":\"status 500:??[1m?\"}" },
	/* Nobody has this number; it fits no int. */
	{ { 1, 4294967295u, "a", "split", BGS_BLUE, -1, 4294967290u, "complete", "" },
	  "{\"time\":\"1970-01-01T00:00:00.001Z\",\"duration_ms\":4294967295,\"service\":\"a\","
	  "\"operation\":\"split\",\"from\":\"blue\",\"to\":null,\"uid\":4294967290,"
	  "\"user\":null,\"outcome\":\"complete\",\"reason\":\"\"}" },
};

static void assert_json(const json_t *object, const char *expected)
{
	char *text = json_dumps(object, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
}

static void test_entries_have_the_documented_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		json_t *object = history_json(&rows[i].entry);

		assert_json(object, rows[i].json);
		json_decref(object);
	}
}

static int compare(json_t *line, void *data)
{
	size_t *at = data;

	assert_json(line, rows[(*at)++].json);
	return 0;
}

static void test_entries_are_added_in_order(void **state)
{
	struct failure failure;
	size_t count = 0;

	for (size_t i = 0; i < ROWS(rows); i++)
		assert_int_equal(history_add(*state, NAME, &rows[i].entry, &failure), 0);
	assert_int_equal(records_read(*state, NAME, compare, &count, &failure), 0);
	assert_int_equal(count, ROWS(rows));
}

static void test_directory_that_cannot_be_made_is_named(void **state)
{
	char dir[PATH_MAX];
	struct failure failure;

	scratch_path(dir, *state, "no/such");
	assert_int_equal(history_add(dir, NAME, &rows[0].entry, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, dir);
	assert_contains(failure.what, strerror(ENOENT));
}

#define scratch_test(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_have_the_documented_form),
		scratch_test(test_entries_are_added_in_order),
		scratch_test(test_directory_that_cannot_be_made_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
