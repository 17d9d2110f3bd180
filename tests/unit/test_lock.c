/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/scratch.h"
#include "lib/test.h"
#include "lock.h"

static int take(const char *dir, const char *operation, struct failure *failure)
{
	return lock_take(dir, "lock", operation, failure);
}

static void test_second_writer_is_told_who_holds_it(void **state)
{
	struct failure failure;
	int first = take(*state, "set", &failure), second;
	char words[64];

	assert_true(first >= 0);
	assert_int_equal(take(*state, "split", &failure), -1);
	snprintf(words, sizeof(words), "another operation is in progress: set (pid %d)",
		 (int)getpid());
	assert_int_equal(failure.code, EXIT_BUSY);
	assert_string_equal(failure.what, words);
	close(first);
	second = take(*state, "a longer name than before", &failure);
	assert_true(second >= 0);
	assert_int_equal(take(*state, "split", &failure), -1);
	assert_failure(failure, EXIT_BUSY, "in progress: a longer name than before (pid ");
	close(second);
	first = take(*state, "rm", &failure);
	assert_int_equal(take(*state, "split", &failure), -1);
	assert_failure(failure, EXIT_BUSY, "in progress: rm (pid ");
	close(first);
}

static void test_locks_of_other_names_are_independent(void **state)
{
	struct failure failure;
	int one = lock_take(*state, "lock", "set", &failure);
	int other = lock_take(*state, "lock@netns", "set", &failure);

	assert_true(one >= 0 && other >= 0);
	close(one);
	close(other);
}

/* Takes the lock in a child, and returns when it has it. */
static pid_t hold_in_child(const char *dir)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		struct failure failure;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (take(dir, "set", &failure) < 0 || write(ready[1], "y", 1) != 1)
			_exit(1);
		close(ready[1]);
		pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void test_killed_holder_releases_it(void **state)
{
	struct failure failure;
	pid_t pid = hold_in_child(*state);
	char words[64];
	int fd;

	assert_int_equal(take(*state, "split", &failure), -1);
	snprintf(words, sizeof(words), "set (pid %d)", (int)pid);
	assert_failure(failure, EXIT_BUSY, words);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fd = take(*state, "split", &failure);
	assert_true(fd >= 0);
	close(fd);
}

static void test_run_directory_is_made_and_nobody_else_can_take_the_lock(void **state)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct failure failure;
	struct stat st;
	int fd = take(scratch_path(dir, *state, "run"), "set", &failure);

	assert_true(fd >= 0);
	assert_int_equal(stat(scratch_path(path, dir, "lock"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
}

static void test_directory_or_lock_that_others_can_write_is_refused(void **state)
{
	const char *dir = *state;
	char path[PATH_MAX];
	struct failure failure;

	assert_int_equal(chmod(dir, 0775), 0);
	assert_int_equal(take(dir, "set", &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "can be written by others");
	assert_contains(failure.what, dir);
	assert_int_equal(chmod(dir, 0755), 0);
	close(take(dir, "set", &failure));
	assert_int_equal(chmod(scratch_path(path, dir, "lock"), 0602), 0);
	assert_int_equal(take(dir, "set", &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "can be written by others");
	assert_contains(failure.what, path);
}

static void test_symbolic_link_is_not_followed(void **state)
{
	char link[PATH_MAX], target[PATH_MAX];
	struct failure failure;

	assert_int_equal(symlink(scratch_path(target, *state, "precious"),
				 scratch_path(link, *state, "lock")),
			 0);
	assert_int_equal(take(*state, "set", &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "cannot open the lock");
	assert_int_equal(access(target, F_OK), -1);
}

static void test_missing_parent_is_named(void **state)
{
	char dir[PATH_MAX];
	struct failure failure;

	assert_int_equal(take(scratch_path(dir, *state, "no/run"), "set", &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, dir);
	assert_contains(failure.what, strerror(ENOENT));
	assert_contains(failure.next, "--run-dir");
}

#define scratch_test(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_second_writer_is_told_who_holds_it),
		scratch_test(test_locks_of_other_names_are_independent),
		scratch_test(test_killed_holder_releases_it),
		scratch_test(test_run_directory_is_made_and_nobody_else_can_take_the_lock),
		scratch_test(test_directory_or_lock_that_others_can_write_is_refused),
		scratch_test(test_symbolic_link_is_not_followed),
		scratch_test(test_missing_parent_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
