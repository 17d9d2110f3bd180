/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/scratch.h"
#include "lib/test.h"
#include "record/records.h"

#define NAME "events.jsonl"

/* A line with number `n` of writer `who`, made long enough that a few hundred fill a file. */
static int append_padded(const char *dir, int who, int n, size_t padding)
{
	char *text = malloc(padding + 1);
	struct failure failure = {};
	json_t *line;
	int err;

	memset(text, 'x', padding);
	text[padding] = '\0';
	line = json_pack("{s:i, s:i, s:s}", "who", who, "n", n, "padding", text);
	err = records_append(dir, NAME, line, &failure);
	if (err)
		fprintf(stderr, "%s\n", failure.what);
	json_decref(line);
	free(text);
	return err;
}

static int append(const char *dir, int n)
{
	return append_padded(dir, 0, n, 0);
}

struct seen {
	int count, first, last, end; /* `end`: stop after this number; -1: never */
	int expected[8]; /* next number of each writer, -1: any */
	bool in_order;
	int caught_up; /* lines before the mark, -1: not yet */
	int ready_fd; /* told at the mark, -1: nobody */
};

static struct seen seen_none(void)
{
	struct seen seen = {
		.end = -1, .first = -1, .in_order = true, .caught_up = -1, .ready_fd = -1
	};

	memset(seen.expected, -1, sizeof(seen.expected));
	return seen;
}

static int see(json_t *line, void *data)
{
	struct seen *seen = data;
	int who, n;

	if (!line) {
		seen->caught_up = seen->count;
		return seen->ready_fd >= 0 && eventfd_write(seen->ready_fd, 1) ? -2 : 0;
	}
	who = (int)json_integer_value(json_object_get(line, "who"));
	n = (int)json_integer_value(json_object_get(line, "n"));
	if (seen->expected[who] >= 0 && n != seen->expected[who])
		seen->in_order = false;
	seen->expected[who] = n + 1;
	seen->first = seen->count++ ? seen->first : n;
	seen->last = n;
	return n == seen->end;
}

static struct seen read_all(const char *dir)
{
	struct seen seen = seen_none();
	struct failure failure = {};

	assert_int_equal(records_read(dir, NAME, see, &seen, &failure), 0);
	assert_true(seen.in_order);
	return seen;
}

static void write_text(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file = fopen(scratch_path(path, dir, name), "ae");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_lines_come_back_in_order(void **state)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct seen seen;
	struct stat st;

	scratch_path(dir, *state, "made");
	assert_int_equal(read_all(dir).count, 0);
	for (int n = 0; n < 3; n++)
		assert_int_equal(append(dir, n), 0);
	seen = read_all(dir);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.last, 2);
	assert_int_equal(stat(scratch_path(path, dir, NAME), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void test_walk_ends_when_the_visitor_says_so(void **state)
{
	struct seen seen = seen_none();
	struct failure failure;

	for (int n = 0; n < 3; n++)
		append(*state, n);
	seen.end = 1;
	assert_int_equal(records_read(*state, NAME, see, &seen, &failure), 1);
	assert_int_equal(seen.count, 2);
}

static const struct {
	const char *text;
	int lines; /* records in it */
} remains[] = {
	{ "{\"who\":0,\"n\":0}\n{\"who\":0,\"n\":", 1 }, /* torn by a crash */
	{ "{\"who\":0,\"n\":0}", 1 }, /* all but the line break */
	{ "\n\n", 0 },
	{ "not JSON\n[1]\n3\n\"text\"\n{}x\n{\"who\":0,\"n\":0}\n", 1 },
	{ "{\"who\":0", 0 },
};

static void test_what_is_no_record_is_skipped_and_a_torn_line_ended(void **state)
{
	for (size_t i = 0; i < ROWS(remains); i++) {
		char path[PATH_MAX];
		struct seen seen;

		unlink(scratch_path(path, *state, NAME));
		write_text(*state, NAME, remains[i].text);
		assert_row(read_all(*state).count == remains[i].lines, remains[i].text);
		assert_int_equal(append(*state, 1), 0);
		seen = read_all(*state);
		assert_row(seen.count == remains[i].lines + 1, remains[i].text);
		assert_row(seen.last == 1, remains[i].text);
	}
}

static void test_files_are_bounded_and_rotated_once_full(void **state)
{
	char path[PATH_MAX], before[PATH_MAX];
	struct seen seen;
	struct stat st, old;
	const int lines = 4 * (RECORDS_MAX_SIZE / 60000);

	assert_int_equal(append(*state, 0), 0);
	assert_int_equal(chmod(scratch_path(path, *state, NAME), 0644), 0);
	for (int n = 1; n < lines; n++)
		assert_int_equal(append_padded(*state, 0, n, 60000), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(stat(scratch_path(before, *state, NAME ".1"), &old), 0);
	assert_in_range(st.st_size, 1, RECORDS_MAX_SIZE);
	assert_in_range(old.st_size, RECORDS_MAX_SIZE - 61000, RECORDS_MAX_SIZE);
	assert_int_equal(st.st_mode & 0777, 0644); /* as its owner had set it */
	seen = read_all(*state);
	assert_int_equal(seen.last, lines - 1);
	assert_int_equal(seen.count, lines - seen.first);
	assert_true(seen.first > 0);
}

static gid_t group_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_gid;
}

/* Without root a file can go to groups of one's own only: ours is there in any case. */
static void test_a_group_may_read_what_is_and_what_comes(void **state)
{
	const char *dir = *state;
	gid_t group = geteuid() ? getegid() : 4002;
	struct failure failure = {};
	char path[256], before[256];

	snprintf(path, sizeof(path), "%s/" NAME, dir);
	snprintf(before, sizeof(before), "%s/" NAME ".1", dir);
	assert_int_equal(records_share(dir, NAME, group, &failure), 0);
	assert_int_equal(group_of(path), group);
	for (int n = 0; access(before, F_OK); n++)
		assert_int_equal(append_padded(dir, 0, n, 60000), 0);
	assert_int_equal(group_of(path), group);
	assert_int_equal(group_of(before), group);

	assert_int_equal(records_share(dir, NAME, getegid(), &failure), 0);
	assert_int_equal(group_of(path), getegid());
	assert_int_equal(group_of(before), getegid());

	assert_int_equal(records_share("/no/such", NAME, group, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "/no/such");
}

static void test_too_long_a_line_is_refused(void **state)
{
	char *text = malloc(RECORDS_MAX_LINE);
	struct failure failure;
	json_t *line;

	memset(text, 'x', RECORDS_MAX_LINE - 1);
	text[RECORDS_MAX_LINE - 1] = '\0';
	line = json_pack("{s:s}", "a", text);
	assert_int_equal(records_append(*state, NAME, line, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "is too long");
	assert_int_equal(read_all(*state).count, 0);
	json_decref(line);
	write_text(*state, NAME, text);
	free(text);
	write_text(*state, NAME, "and more than fits\n{\"who\":0,\"n\":7}\n");
	assert_int_equal(read_all(*state).last, 7);
	assert_int_equal(read_all(*state).count, 1);
}

static void test_missing_parent_and_unreadable_file_are_named(void **state)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct seen seen = seen_none();
	struct failure failure;
	json_t *line = json_object();

	scratch_path(dir, *state, "no/such");
	assert_int_equal(records_append(dir, NAME, line, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, dir);
	assert_contains(failure.what, strerror(ENOENT));
	assert_int_equal(records_follow(dir, NAME, -1, see, &seen, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, dir);
	json_decref(line);
	assert_int_equal(mkdir(scratch_path(path, *state, NAME), 0755), 0);
	assert_int_equal(records_read(*state, NAME, see, &seen, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, path);
}

static void test_link_is_not_followed_by_writers(void **state)
{
	char link[PATH_MAX], target[PATH_MAX];
	struct failure failure;
	json_t *line = json_object();

	assert_int_equal(
		symlink(scratch_path(target, *state, "precious"), scratch_path(link, *state, NAME)),
		0);
	assert_int_equal(records_append(*state, NAME, line, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, link);
	assert_int_equal(access(target, F_OK), -1);
	json_decref(line);
}

#define WRITERS 4
#define LINES_EACH 150

static pid_t start_writer(const char *dir, int who, size_t padding)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (int n = 0; n < LINES_EACH; n++) {
		if (append_padded(dir, who, n, padding))
			_exit(1);
	}
	_exit(0);
}

static void wait_for_writers(const pid_t pids[WRITERS])
{
	for (int who = 0; who < WRITERS; who++) {
		int status;

		assert_int_equal(waitpid(pids[who], &status, 0), pids[who]);
		assert_int_equal(status, 0);
	}
}

static void test_writers_at_once_tear_and_lose_nothing(void **state)
{
	struct seen seen;
	pid_t pids[WRITERS];

	for (int who = 0; who < WRITERS; who++)
		pids[who] = start_writer(*state, who, 1000);
	wait_for_writers(pids);
	seen = read_all(*state);
	assert_int_equal(seen.count, WRITERS * LINES_EACH);
	for (int who = 0; who < WRITERS; who++)
		assert_int_equal(seen.expected[who], LINES_EACH);
}

struct follower {
	const char *dir;
	int stop_fd, err;
	struct seen seen;
	struct failure failure;
};

static void *follow(void *data)
{
	struct follower *follower = data;

	follower->err = records_follow(follower->dir, NAME, follower->stop_fd, see, &follower->seen,
				       &follower->failure);
	return NULL;
}

static struct follower follower_of(const char *dir)
{
	struct follower follower = { .dir = dir,
				     .stop_fd = eventfd(0, EFD_CLOEXEC),
				     .seen = seen_none() };

	follower.seen.ready_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(follower.stop_fd >= 0 && follower.seen.ready_fd >= 0);
	return follower;
}

static pthread_t start_follower(struct follower *follower)
{
	pthread_t thread;
	eventfd_t ready;

	assert_int_equal(pthread_create(&thread, NULL, follow, follower), 0);
	assert_int_equal(eventfd_read(follower->seen.ready_fd, &ready), 0);
	return thread;
}

static void end_follower(struct follower *follower, pthread_t thread)
{
	pthread_join(thread, NULL);
	close(follower->stop_fd);
	close(follower->seen.ready_fd);
}

static void test_follower_tells_old_lines_from_new_and_stops(void **state)
{
	struct follower follower = follower_of(*state);
	pthread_t thread;

	append(*state, 0);
	append(*state, 1);
	follower.seen.end = 3;
	thread = start_follower(&follower);
	append(*state, 2);
	append(*state, 3);
	end_follower(&follower, thread);
	assert_int_equal(follower.err, 1);
	assert_int_equal(follower.seen.caught_up, 2);
	assert_int_equal(follower.seen.count, 4);

	follower = follower_of(*state);
	thread = start_follower(&follower);
	assert_int_equal(eventfd_write(follower.stop_fd, 1), 0);
	end_follower(&follower, thread);
	assert_int_equal(follower.err, 0);
	assert_int_equal(follower.seen.count, 4);
}

static void test_follower_sees_each_line_once_over_rotation(void **state)
{
	const int lines = 2 * (RECORDS_MAX_SIZE / 60000); /* one rotation, and near the next */
	struct follower follower = follower_of(*state);
	pthread_t thread;

	follower.seen.end = lines - 1;
	thread = start_follower(&follower); /* there is no file yet */
	for (int n = 0; n < lines; n++)
		assert_int_equal(append_padded(*state, 0, n, n == lines - 1 ? 0 : 60000), 0);
	end_follower(&follower, thread);
	assert_int_equal(follower.err, 1);
	assert_true(follower.seen.in_order);
	assert_int_equal(follower.seen.count, lines);
}

/* About 5 MB from four processes: a rotation while all of them write. */
static void test_rotation_among_writers_loses_nothing_for_a_follower(void **state)
{
	struct follower follower = follower_of(*state);
	pthread_t thread = start_follower(&follower);
	pid_t pids[WRITERS];

	for (int who = 0; who < WRITERS; who++)
		pids[who] = start_writer(*state, who, 8000);
	wait_for_writers(pids);
	follower.seen.end = LINES_EACH; /* of the line that comes last */
	assert_int_equal(append_padded(*state, WRITERS, LINES_EACH, 0), 0);
	end_follower(&follower, thread);
	assert_true(follower.seen.in_order);
	assert_int_equal(follower.seen.count, WRITERS * LINES_EACH + 1);
}

static void test_follower_ends_when_the_directory_goes(void **state)
{
	struct follower follower;
	char dir[PATH_MAX];
	pthread_t thread;

	assert_int_equal(mkdir(scratch_path(dir, *state, "gone"), 0755), 0);
	follower = follower_of(dir);
	thread = start_follower(&follower);
	assert_int_equal(rmdir(dir), 0);
	end_follower(&follower, thread);
	assert_int_equal(follower.err, -1);
	assert_failure(follower.failure, EXIT_SYSTEM, "was removed");
}

#define scratch_test(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_lines_come_back_in_order),
		scratch_test(test_walk_ends_when_the_visitor_says_so),
		scratch_test(test_what_is_no_record_is_skipped_and_a_torn_line_ended),
		scratch_test(test_files_are_bounded_and_rotated_once_full),
		scratch_test(test_a_group_may_read_what_is_and_what_comes),
		scratch_test(test_too_long_a_line_is_refused),
		scratch_test(test_missing_parent_and_unreadable_file_are_named),
		scratch_test(test_link_is_not_followed_by_writers),
		scratch_test(test_writers_at_once_tear_and_lose_nothing),
		scratch_test(test_follower_tells_old_lines_from_new_and_stops),
		scratch_test(test_follower_sees_each_line_once_over_rotation),
		scratch_test(test_rotation_among_writers_loses_nothing_for_a_follower),
		scratch_test(test_follower_ends_when_the_directory_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
