/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/scratch.h"
#include "lib/test.h"
#include "record/state.h"

#define NAME STATE_NAME STATE_ENDING

static const struct bgs_flags failing_over = { .failover = 1 }, staying = {};

/* Opens it, and expects a warning with these words; NULL: none. */
static struct state *open_with(const char *dir, const char *words)
{
	struct failure failure = {};
	struct state *opened = NULL;
	char *warning;

	state_open(&opened, dir, NAME, &warning, &failure);
	assert_string_equal(failure.what, "");
	assert_non_null(opened);
	assert_true(!warning == !words);
	if (words)
		assert_contains(warning, words);
	free(warning);
	return opened;
}

static void save(struct state *state)
{
	struct failure failure = {};

	state_save(state, &failure);
	assert_string_equal(failure.what, "");
}

static void save_and_close(struct state *state)
{
	save(state);
	state_close(state);
}

static struct policy policy_of(const struct state *state, const char *service,
			       const struct bgs_flags *flags)
{
	struct failure failure = {};
	struct policy policy;

	state_policy(state, service, flags, &policy, &failure);
	assert_string_equal(failure.what, "");
	return policy;
}

static void test_missing_file_is_empty(void **scratch)
{
	struct state *state = open_with(*scratch, NULL);
	struct policy policy = policy_of(state, "web", &failing_over), defaults;
	struct operation operation;
	struct bgs_route route;

	policy_init(&defaults);
	assert_true(policy_equal(&policy, &defaults));
	assert_false(state_route(state, "web", &route));
	assert_false(state_operation(state, "web", &operation));
	assert_int_equal(state_previous(state, "web"), -1);
	assert_false(state_is_of_this_boot(state));
	policy_free(&policy);
	policy_free(&defaults);
	state_close(state);
}

static void test_previous_color_is_kept(void **scratch)
{
	struct state *state = open_with(*scratch, NULL);

	state_set_previous(state, "web", BGS_GREEN);
	state_set_previous(state, "api", BGS_BLUE);
	save_and_close(state);
	state = open_with(*scratch, NULL);
	assert_int_equal(state_previous(state, "web"), BGS_GREEN);
	assert_int_equal(state_previous(state, "api"), BGS_BLUE);
	state_set_previous(state, "web", -1);
	save_and_close(state);
	state = open_with(*scratch, NULL);
	assert_int_equal(state_previous(state, "web"), -1);
	state_close(state);
}

static const struct {
	const char *row;
	enum failover_mode declared;
	const struct bgs_flags *flags;
	enum failover_mode expected;
} failovers[] = {
	{ "auto, on", FAILOVER_AUTO, &failing_over, FAILOVER_AUTO },
	{ "auto, off in the maps", FAILOVER_AUTO, &staying, FAILOVER_OFF },
	{ "listener, on", FAILOVER_LISTENER, &failing_over, FAILOVER_LISTENER },
	{ "listener, off in the maps", FAILOVER_LISTENER, &staying, FAILOVER_OFF },
	{ "off", FAILOVER_OFF, &staying, FAILOVER_OFF },
	{ "off, on in the maps", FAILOVER_OFF, &failing_over, FAILOVER_AUTO },
};

static void test_policy_is_kept_and_the_maps_decide_on_failover(void **scratch)
{
	for (size_t i = 0; i < ROWS(failovers); i++) {
		struct state *state = open_with(*scratch, NULL);
		struct policy declared, found;

		policy_init(&declared);
		declared.soak_ms = 5000;
		declared.check.kind = CHECK_HTTP;
		declared.check.path = strdup("/health");
		declared.failover = failovers[i].declared;
		state_set_policy(state, "web", &declared);
		save_and_close(state);
		state = open_with(*scratch, NULL);
		found = policy_of(state, "web", failovers[i].flags);
		assert_row(found.failover == failovers[i].expected, failovers[i].row);
		declared.failover = found.failover;
		assert_row(policy_equal(&found, &declared), failovers[i].row);
		policy_free(&declared);
		policy_free(&found);
		state_close(state);
	}
}

static void write_file(const char *dir, const char *text)
{
	char path[PATH_MAX];
	FILE *file = fopen(scratch_path(path, dir, NAME), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const char *const damaged[] = {
	"",
	"{",
	"[]",
	"null",
	"{}",
	"{\"format\": 0}",
	"{\"format\": \"1\"}",
	"{\"format\": 1, \"format\": 1}",
	"{\"format\": 1} x",
	"{\"format\": 1, \"attach\": {}}",
	"{\"format\": 1, \"services\": []}",
	"{\"format\": 1, \"services\": {\"web\": 1}}",
	"{\"format\": 1, \"routes\": {\"web\": \"blue\"}}",
	"{\"format\": 1, \"operations\": {\"web\": []}}",
	"{\"format\": 1, \"previous\": {\"web\": 0}}",
	"{\"format\": 1, \"stops\": {\"web\": \"blue\"}}",
};

static void test_damaged_file_is_set_aside_and_named(void **scratch)
{
	for (size_t i = 0; i < ROWS(damaged); i++) {
		char path[PATH_MAX], aside[PATH_MAX], text[128];
		struct state *state;
		FILE *file;

		write_file(*scratch, damaged[i]);
		state = open_with(*scratch, NAME ".damaged");
		assert_int_equal(access(scratch_path(path, *scratch, NAME), F_OK), -1);
		file = fopen(scratch_path(aside, *scratch, NAME ".damaged"), "re");
		assert_non_null(file);
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
		assert_string_equal(text, damaged[i]);
		save_and_close(state);
		state_close(open_with(*scratch, NULL));
	}
}

/* Entries of the right type and with wrong values are as good as none. */
static void test_entries_without_sense_are_ignored(void **scratch)
{
	struct bgs_route route;
	struct state *state;

	write_file(*scratch, "{\"format\": 1, \"routes\": {\"a\": {\"active\": \"red\"}, \"b\": {},"
			     " \"c\": {\"active\": \"blue\", \"split_bp\": 10001}},"
			     " \"previous\": {\"a\": \"red\"}}");
	state = open_with(*scratch, NULL);
	assert_false(state_route(state, "a", &route) || state_route(state, "b", &route) ||
		     state_route(state, "c", &route));
	assert_int_equal(state_previous(state, "a"), -1);
	state_close(state);
}

static void test_newer_format_is_refused_and_stays(void **scratch)
{
	struct failure failure;
	struct state *state;
	char path[PATH_MAX], *warning;

	write_file(*scratch, "{\"format\": 2, \"services\": []}");
	assert_int_equal(state_open(&state, *scratch, NAME, &warning, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "has format 2");
	assert_contains(failure.what, scratch_path(path, *scratch, NAME));
	assert_null(warning);
	assert_int_equal(access(path, F_OK), 0);
}

/* Rewrites one value of a saved file. */
static void change_value(const char *dir, const char *key, json_t *value)
{
	char path[PATH_MAX];
	json_t *root = json_load_file(scratch_path(path, dir, NAME), 0, NULL);

	assert_non_null(root);
	assert_int_equal(json_object_set_new(root, key, value), 0);
	assert_int_equal(json_dump_file(root, path, 0), 0);
	json_decref(root);
}

static void test_file_of_another_boot_is_told_apart(void **scratch)
{
	struct state *state = open_with(*scratch, NULL);

	state_set_previous(state, "web", BGS_GREEN);
	save_and_close(state);
	change_value(*scratch, "boot_id", json_string("00000000-0000-0000-0000-000000000000"));
	change_value(*scratch, "netns_cookie", json_integer(123456));
	state = open_with(*scratch, NULL);
	assert_false(state_is_of_this_boot(state));
	assert_int_equal(state_previous(state, "web"), BGS_GREEN);
	save_and_close(state);
	state = open_with(*scratch, NULL);
	assert_true(state_is_of_this_boot(state));
	state_close(state);
}

static void test_file_of_another_netns_of_this_boot_is_empty(void **scratch)
{
	struct state *state = open_with(*scratch, NULL);
	__u64 cookie = place_netns_cookie();

	if (!cookie) {
		state_close(state);
		skip(); /* Linux before 5.14 has no cookies */
	}
	state_set_previous(state, "web", BGS_GREEN);
	save_and_close(state);
	change_value(*scratch, "netns_cookie", json_integer((json_int_t)cookie + 1));
	state = open_with(*scratch, NULL);
	assert_int_equal(state_previous(state, "web"), -1);
	assert_false(state_is_of_this_boot(state));
	state_close(state);
}

static void test_file_is_roots_alone_and_leaves_no_other(void **scratch)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct failure failure;
	struct state *state;
	struct stat st;

	state = open_with(scratch_path(dir, *scratch, "made"), NULL);
	save_and_close(state);
	assert_int_equal(stat(scratch_path(path, dir, NAME), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(state_remove(dir, NAME, &failure), 0);
	assert_int_equal(state_remove(dir, NAME, &failure), 0);
	assert_int_equal(rmdir(dir), 0); /* nothing else was in it */
	assert_int_equal(state_remove(dir, NAME, &failure), 0);
}

static void test_places_that_cannot_be_used_are_named(void **scratch)
{
	char dir[PATH_MAX], path[PATH_MAX], *warning;
	struct failure failure;
	struct state *state = open_with(scratch_path(dir, *scratch, "no/such"), NULL);

	assert_int_equal(state_save(state, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, dir);
	state_close(state);
	assert_int_equal(mkdir(scratch_path(path, *scratch, NAME), 0755), 0);
	assert_int_equal(state_open(&state, *scratch, NAME, &warning, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, path);
}

#define KILLS 200
#define SERVICES 40

/* Each state it saves says one number everywhere. */
static void write_forever(const char *dir, int ready)
{
	struct operation operation = { .verb = "set" };
	struct failure failure;
	struct state *state;
	char *warning, name[BGS_NAME_SIZE];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (state_open(&state, dir, NAME, &warning, &failure) || warning)
		_exit(1);
	for (;;) {
		operation.began_ms++;
		for (int i = 0; i < SERVICES; i++) {
			snprintf(name, sizeof(name), "s%d", i);
			state_set_operation(state, name, &operation);
		}
		if (state_save(state, &failure) || write(ready, "", 1) != 1)
			_exit(1);
	}
}

static void assert_one_number_everywhere(const char *dir)
{
	struct state *state = open_with(dir, NULL);
	struct operation first, other;
	char name[BGS_NAME_SIZE];

	assert_true(state_operation(state, "s0", &first));
	for (int i = 1; i < SERVICES; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		assert_true(state_operation(state, name, &other));
		assert_true(other.began_ms == first.began_ms);
	}
	state_close(state);
}

static void test_killed_writer_leaves_a_whole_file(void **scratch)
{
	for (int i = 0; i < KILLS; i++) {
		/* A moment anywhere within a save: one takes some hundred microseconds. */
		struct timespec moment = { .tv_nsec = rand() % 1500000 };
		int ready[2], status;
		char byte;
		pid_t pid;

		assert_int_equal(pipe(ready), 0);
		pid = fork();
		if (!pid)
			write_forever(*scratch, ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		nanosleep(&moment, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		close(ready[0]);
		assert_one_number_everywhere(*scratch);
	}
}

#define scratch_test(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_missing_file_is_empty),
		scratch_test(test_previous_color_is_kept),
		scratch_test(test_policy_is_kept_and_the_maps_decide_on_failover),
		scratch_test(test_damaged_file_is_set_aside_and_named),
		scratch_test(test_entries_without_sense_are_ignored),
		scratch_test(test_newer_format_is_refused_and_stays),
		scratch_test(test_file_of_another_boot_is_told_apart),
		scratch_test(test_file_of_another_netns_of_this_boot_is_empty),
		scratch_test(test_file_is_roots_alone_and_leaves_no_other),
		scratch_test(test_places_that_cannot_be_used_are_named),
		scratch_test(test_killed_writer_leaves_a_whole_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
