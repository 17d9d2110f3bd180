/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/secret.h"
#include "lib/scratch.h"
#include "lib/test.h"

static char path[PATH_MAX];

static void write_file(const char *dir, const char *bytes, size_t length, mode_t mode)
{
	int fd;

	scratch_path(path, dir, "secret");
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), (int)length);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_value(enum secret_source source, const char *text, const char *expected)
{
	const struct secret secret = { source, (char *)text };
	struct failure failure = {};
	char *value;

	if (secret_read(&secret, &value, &failure))
		fail_msg("%s", failure.what);
	assert_string_equal(value, expected);
	secret_wipe(value);
}

static void assert_refused(enum secret_source source, const char *text, enum exit_code code,
			   const char *words)
{
	const struct secret secret = { source, (char *)text };
	struct failure failure;
	char *value = path;

	assert_int_equal(secret_read(&secret, &value, &failure), -1);
	assert_null(value);
	assert_failure(failure, code, words);
	assert_null(strstr(failure.what, "7f3a"));
	assert_null(strstr(failure.next, "7f3a"));
}

static void test_values_come_from_each_source(void **state)
{
	(void)state;
	assert_value(SECRET_LITERAL, "plain", "plain");
	setenv("TEST_SECRET", "Bearer 7f3a", 1);
	assert_value(SECRET_ENVIRONMENT, "TEST_SECRET", "Bearer 7f3a");
	write_file(*state, "7f3a\n", 5, 0600);
	assert_value(SECRET_FILE, path, "7f3a");
	write_file(*state, "7f3a", 4, 0400);
	assert_value(SECRET_FILE, path, "7f3a");
	write_file(*state, "", 0, 0400);
	assert_value(SECRET_FILE, path, "");
	setenv("CREDENTIALS_DIRECTORY", *state, 1);
	write_file(*state, "7f3a\n", 5, 0440);
	assert_value(SECRET_CREDENTIAL, "secret", "7f3a");
}

static void test_open_files_are_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0644, 0666, 0610 };

	(void)state;
	for (size_t i = 0; i < ROWS(modes); i++) {
		write_file(*state, "7f3a", 4, modes[i]);
		assert_refused(SECRET_FILE, path, EXIT_USAGE, "by others than its owner");
	}
	setenv("CREDENTIALS_DIRECTORY", *state, 1);
	write_file(*state, "7f3a", 4, 0444);
	assert_refused(SECRET_CREDENTIAL, "secret", EXIT_USAGE, "by others than its owner");
}

static void test_what_is_no_file_is_refused(void **state)
{
	char other[PATH_MAX];

	write_file(*state, "7f3a", 4, 0600);
	assert_int_equal(symlink(path, scratch_path(other, *state, "link")), 0);
	assert_refused(SECRET_FILE, other, EXIT_USAGE, "is a symbolic link");
	assert_int_equal(mkfifo(scratch_path(other, *state, "pipe"), 0600), 0);
	assert_refused(SECRET_FILE, other, EXIT_USAGE, "is no regular file");
	assert_refused(SECRET_FILE, *state, EXIT_USAGE, "is no regular file");
	assert_refused(SECRET_FILE, scratch_path(other, *state, "none"), EXIT_SYSTEM,
		       "No such file");
}

static void test_a_file_of_someone_else_is_refused(void **state)
{
	write_file(*state, "7f3a", 4, 0600);
	if (geteuid() || chown(path, 65534, 65534)) {
		print_message("skipped: only root can give a file away\n");
		skip();
	}
	assert_refused(SECRET_FILE, path, EXIT_USAGE, "belongs to user 65534");
}

static void test_bad_values_are_refused(void **state)
{
	char *large = calloc(1, 9000);

	write_file(*state, "7f3a\r\nX: y", 10, 0600);
	assert_refused(SECRET_FILE, path, EXIT_USAGE, "control characters");
	write_file(*state, "7f3a\0y", 6, 0600);
	assert_refused(SECRET_FILE, path, EXIT_USAGE, "control characters");
	memset(large, 'a', 9000);
	write_file(*state, large, 8192, 0600);
	large[8192] = '\0';
	assert_value(SECRET_FILE, path, large);
	write_file(*state, large, 8193, 0600);
	assert_refused(SECRET_FILE, path, EXIT_USAGE, "longer than 8192 bytes");
	setenv("TEST_SECRET", "7f3a\x01", 1);
	assert_refused(SECRET_ENVIRONMENT, "TEST_SECRET", EXIT_USAGE, "control characters");
	assert_refused(SECRET_LITERAL, "7f3a\n", EXIT_USAGE, "control characters");
	free(large);
}

static void test_missing_places_are_named(void **state)
{
	(void)state;
	unsetenv("TEST_SECRET");
	assert_refused(SECRET_ENVIRONMENT, "TEST_SECRET", EXIT_USAGE, "TEST_SECRET is not set");
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_refused(SECRET_CREDENTIAL, "token", EXIT_USAGE, "$CREDENTIALS_DIRECTORY is not");
	setenv("CREDENTIALS_DIRECTORY", *state, 1);
	assert_refused(SECRET_CREDENTIAL, "../token", EXIT_USAGE, "not a name");
	assert_refused(SECRET_CREDENTIAL, "..", EXIT_USAGE, "not a name");
	assert_refused(SECRET_CREDENTIAL, "", EXIT_USAGE, "not a name");
	assert_refused(SECRET_CREDENTIAL, "none", EXIT_SYSTEM, "No such file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values_come_from_each_source),
		TEST(test_open_files_are_refused),
		TEST(test_what_is_no_file_is_refused),
		TEST(test_a_file_of_someone_else_is_refused),
		TEST(test_bad_values_are_refused),
		TEST(test_missing_places_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
