/* SPDX-License-Identifier: GPL-2.0-only */
/* Who may do what, and the file of the socket. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/access.h"
#include "lib/rig.h"
#include "lib/scratch.h"
#include "lib/test.h"

/* ---- rights, as other users have them */

#define READ "{\"method\":\"org.bgswitch.Ping\"}"
#define CHANGE "{\"method\":\"org.bgswitch.Set\"}"
#define INFO "{\"method\":\"org.varlink.service.GetInfo\"}"
#define OPERATORS 60001
#define READERS 60002
#define NONE 65534

enum outcome { ANSWERED, DENIED, DENIED_AND_CLOSED, NOT_CONNECTED, OTHER };

static const struct {
	const char *what;
	const char *operators, *readers;
	uid_t uid;
	gid_t gid, supplementary;
	enum outcome asks, reads, changes;
} users[] = {
	{ "root", NULL, NULL, 0, 0, 0, ANSWERED, ANSWERED, ANSWERED },
	{ "root, with groups", "60001", "60002", 0, 0, 0, ANSWERED, ANSWERED, ANSWERED },
	{ "another, no groups", NULL, NULL, NONE, NONE, NONE, NOT_CONNECTED, NOT_CONNECTED,
	  NOT_CONNECTED },
	{ "root's group alone", NULL, NULL, NONE, 0, 0, NOT_CONNECTED, NOT_CONNECTED,
	  NOT_CONNECTED },
	{ "operator by primary group", "60001", "60002", NONE, OPERATORS, NONE, ANSWERED, ANSWERED,
	  ANSWERED },
	{ "operator by another group", "60001", NULL, NONE, NONE, OPERATORS, ANSWERED, ANSWERED,
	  ANSWERED },
	{ "reader by primary group", "60001", "60002", NONE, READERS, NONE, ANSWERED, ANSWERED,
	  DENIED },
	{ "reader by another group", NULL, "60002", NONE, NONE, READERS, ANSWERED, ANSWERED,
	  DENIED },
	{ "stranger", "60001", "60002", NONE, NONE, NONE, DENIED_AND_CLOSED, DENIED_AND_CLOSED,
	  DENIED_AND_CLOSED },
	{ "root's group alone, with groups", "60001", "60002", NONE, 0, 0, DENIED_AND_CLOSED,
	  DENIED_AND_CLOSED, DENIED_AND_CLOSED },
	{ "reader where only operators are", "60001", NULL, NONE, READERS, READERS,
	  DENIED_AND_CLOSED, DENIED_AND_CLOSED, DENIED_AND_CLOSED },
};

static struct rig rig;

static ssize_t read_message(int fd, char *message, size_t size)
{
	size_t length = 0;

	while (length < size && recv(fd, message + length, 1, 0) == 1)
		if (!message[length++])
			return length;
	return -1;
}

static enum outcome ask(int fd, const char *call)
{
	static const char denied[] = "{\"error\":\"org.varlink.service.PermissionDenied\"";
	char message[1000];

	if (send(fd, call, strlen(call) + 1, MSG_NOSIGNAL) < 0 ||
	    read_message(fd, message, sizeof(message)) < 0)
		return OTHER;
	if (strncmp(message, denied, sizeof(denied) - 1))
		return strstr(message, "\"error\"") ? OTHER : ANSWERED;
	return send(fd, READ, sizeof(READ), MSG_NOSIGNAL) < 0 ||
			       read_message(fd, message, sizeof(message)) < 0
		       ? DENIED_AND_CLOSED
		       : DENIED;
}

static enum outcome ask_as(size_t user, const char *call)
{
	const gid_t groups[] = { 60003, users[user].supplementary };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", rig.path);
	if (fd < 0 || setgroups(2, groups) ||
	    setresgid(users[user].gid, users[user].gid, users[user].gid) ||
	    setresuid(users[user].uid, users[user].uid, users[user].uid))
		return OTHER;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return errno == EACCES ? NOT_CONNECTED : OTHER;
	return ask(fd, call);
}

static enum outcome outcome_of(size_t user, const char *call)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(ask_as(user, call));
	while (!waitpid(pid, &status, WNOHANG)) {
		rig_step(&rig);
		if (rig.held)
			call_reply(rig.held, NULL);
		rig.held = NULL;
	}
	return WIFEXITED(status) ? (enum outcome)WEXITSTATUS(status) : OTHER;
}

static void need_root(void)
{
	if (!geteuid())
		return;
	print_message("skipped: only root can be another user\n");
	skip();
}

static void test_rights_come_from_groups(void **state)
{
	struct failure failure;

	need_root();
	assert_int_equal(chmod(*state, 0711), 0);
	assert_int_equal(rig_open(&rig, *state, NULL, &failure), 0);
	for (size_t i = 0; i < ROWS(users); i++) {
		assert_int_equal(control_set_groups(rig.control, users[i].operators,
						    users[i].readers, &failure),
				 0);
		assert_row(outcome_of(i, INFO) == users[i].asks, users[i].what);
		assert_row(outcome_of(i, READ) == users[i].reads, users[i].what);
		assert_row(outcome_of(i, CHANGE) == users[i].changes, users[i].what);
	}
	rig_close(&rig);
}

/* A reader whose group loses its right between two calls of one connection. */
static void test_rights_are_judged_at_each_call(void **state)
{
	struct failure failure;
	int pipes[2], status;
	pid_t pid;
	char byte;

	need_root();
	assert_int_equal(chmod(*state, 0711), 0);
	assert_int_equal(
		rig_open(&rig, *state, &(struct control_setup){ .readers = "60002" }, &failure), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipes), 0);
	pid = fork();
	if (!pid) {
		int fd;

		if (setgroups(0, NULL) || setresgid(READERS, READERS, READERS) ||
		    setresuid(NONE, NONE, NONE))
			_exit(OTHER);
		fd = rig_connect(&rig);
		if (ask(fd, READ) != ANSWERED || write(pipes[1], "", 1) != 1 ||
		    read(pipes[1], &byte, 1) != 1)
			_exit(OTHER);
		_exit(ask(fd, READ));
	}
	while (recv(pipes[0], &byte, 1, MSG_DONTWAIT) < 0)
		rig_step(&rig);
	assert_int_equal(control_set_groups(rig.control, "60001", NULL, &failure), 0);
	assert_int_equal(write(pipes[0], "", 1), 1);
	while (!waitpid(pid, &status, WNOHANG))
		rig_step(&rig);
	assert_int_equal(WEXITSTATUS(status), DENIED_AND_CLOSED);
	close(pipes[0]);
	close(pipes[1]);
	rig_close(&rig);
}

static void test_many_groups_are_all_read(void **state)
{
	gid_t groups[500];
	struct peer peer;
	int pair[2], status;
	pid_t pid;

	(void)state;
	need_root();
	pid = fork();
	if (!pid) {
		for (size_t i = 0; i < ROWS(groups); i++)
			groups[i] = 70000 + i;
		if (setgroups(ROWS(groups), groups) ||
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
		    peer_read(&peer, pair[0]))
			_exit(1);
		status = peer.group_count != ROWS(groups) + 1 || peer.groups[0] != getgid() ||
			 peer.groups[ROWS(groups)] != 70499;
		peer_free(&peer);
		close(pair[0]);
		close(pair[1]);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static const struct {
	const char *operators, *words; /* NULL: found */
	gid_t gid;
} groups_of[] = {
	{ NULL, NULL, ACCESS_NO_GROUP },
	{ "", NULL, ACCESS_NO_GROUP },
	{ "root", NULL, 0 },
	{ "60001", NULL, 60001 },
	{ "no-such-group", "there is no group 'no-such-group'", 0 },
	{ "4294967295", "there is no group '4294967295'", 0 },
	{ "-1", "there is no group '-1'", 0 },
};

static void test_groups_are_found_by_name_or_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(groups_of); i++) {
		struct access_groups groups = { .operators = 1, .readers = 2 };
		struct failure failure = {};
		int err = access_groups_find(&groups, groups_of[i].operators, NULL, &failure);

		if (groups_of[i].words) {
			assert_failure(failure, EXIT_USAGE, groups_of[i].words);
			assert_true(err == -1 && groups.operators == 1 && groups.readers == 2);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(groups.operators, groups_of[i].gid);
		assert_int_equal(groups.readers, ACCESS_NO_GROUP);
	}
}

/* ---- the file */

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}

static void test_the_file_is_open_to_others_only_with_groups(void **state)
{
	const mode_t mask = umask(0);
	struct failure failure = {};

	assert_int_equal(rig_open(&rig, *state, NULL, &failure), 0);
	assert_int_equal(mode_of(rig.path), S_IFSOCK | 0600);
	umask(077);
	assert_int_equal(control_set_groups(rig.control, NULL, "60002", &failure), 0);
	assert_int_equal(mode_of(rig.path), S_IFSOCK | 0666);
	assert_int_equal(control_set_groups(rig.control, "no-such-group", NULL, &failure), -1);
	assert_int_equal(mode_of(rig.path), S_IFSOCK | 0666);
	assert_int_equal(control_set_groups(rig.control, NULL, NULL, &failure), 0);
	assert_int_equal(mode_of(rig.path), S_IFSOCK | 0600);
	umask(mask);
	rig_close(&rig);
}

/* What permissions are worth: they are there before anybody can connect. */
static void test_a_socket_is_bound_with_the_mode_it_has(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const mode_t mask = umask(0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", (char *)*state);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(mode_of(address.sun_path), S_IFSOCK | 0600);
	umask(mask);
	close(fd);
}

static void test_a_live_agent_is_not_replaced(void **state)
{
	struct failure failure = {};
	struct rig second;
	int fd;

	assert_int_equal(rig_open(&rig, *state, NULL, &failure), 0);
	assert_int_equal(rig_open(&second, *state, NULL, &failure), -1);
	assert_failure(failure, EXIT_BUSY, "another agent is running");
	fd = rig_connect(&rig);
	assert_contains(rig_call(&rig, fd, READ), "pid");
	close(fd);
	rig_close(&rig);
}

static void test_what_a_dead_agent_left_is_replaced(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	struct failure failure = {};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", (char *)*state);
	assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
	close(dead);
	assert_int_equal(rig_open(&rig, *state, NULL, &failure), 0);
	fd = rig_connect(&rig);
	assert_contains(rig_call(&rig, fd, READ), "pid");
	close(fd);
	rig_close(&rig);
}

static void test_what_is_no_socket_stays(void **state)
{
	char path[PATH_MAX], target[PATH_MAX];
	struct failure failure;
	int fd;

	scratch_path(path, *state, "control.sock");
	scratch_path(target, *state, "target");
	fd = open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(rig_open(&rig, *state, NULL, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "is not a socket");
	assert_int_equal(mode_of(path) & S_IFMT, S_IFLNK);
	assert_int_equal(mode_of(target), S_IFREG | 0600);
}

static void test_a_file_that_is_no_longer_ours_is_left_alone(void **state)
{
	struct failure failure = {};
	char path[PATH_MAX];
	int fd;

	assert_int_equal(rig_open(&rig, *state, NULL, &failure), 0);
	scratch_path(path, *state, "control.sock");
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(control_set_groups(rig.control, "60001", NULL, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "cannot set the permissions");
	rig_close(&rig);
	assert_int_equal(mode_of(path), S_IFREG | 0600);
}

static void test_a_directory_of_others_is_refused(void **state)
{
	struct failure failure;

	assert_int_equal(chmod(*state, 0777), 0);
	assert_int_equal(rig_open(&rig, *state, NULL, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "can be written by others");
}

static void test_a_path_must_fit(void **state)
{
	char directory[200];
	struct failure failure;

	(void)state;
	memset(directory, 'd', sizeof(directory) - 1);
	directory[0] = '/';
	directory[sizeof(directory) - 1] = '\0';
	assert_int_equal(rig_open(&rig, directory, NULL, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "not an absolute path below 108 bytes");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)
	const struct CMUnitTest tests[] = {
		TEST(test_rights_come_from_groups),
		TEST(test_rights_are_judged_at_each_call),
		TEST(test_many_groups_are_all_read),
		TEST(test_groups_are_found_by_name_or_number),
		TEST(test_the_file_is_open_to_others_only_with_groups),
		TEST(test_a_socket_is_bound_with_the_mode_it_has),
		TEST(test_a_live_agent_is_not_replaced),
		TEST(test_what_a_dead_agent_left_is_replaced),
		TEST(test_what_is_no_socket_stays),
		TEST(test_a_file_that_is_no_longer_ours_is_left_alone),
		TEST(test_a_directory_of_others_is_refused),
		TEST(test_a_path_must_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
