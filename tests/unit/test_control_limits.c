/* SPDX-License-Identifier: GPL-2.0-only */
/* What clients may send, how many they may be, and what becomes of the others meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/rig.h"
#include "lib/scratch.h"
#include "lib/test.h"

#define PING "{\"method\":\"org.bgswitch.Ping\"}"

static struct rig rig;

static int open_rig(void **state)
{
	struct failure failure = {};

	return scratch_make(state) || rig_open(&rig, *state, NULL, &failure);
}

static int close_rig(void **state)
{
	rig_close(&rig);
	return scratch_remove(state);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* A second client, which everything must still work for. */
static void assert_serves_others(void)
{
	int fd = rig_connect(&rig);

	assert_contains(rig_call(&rig, fd, PING), "pid");
	close(fd);
}

/* ---- bytes that make no sense */

#define BYTES(text) .bytes = text, .length = sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t length;
} garbage[] = {
	{ BYTES("\0") },
	{ BYTES("hello\0") },
	{ BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n\0") },
	{ BYTES("\x16\x03\x01\x02\x00\x01\x00") },
	{ BYTES("[]\0") },
	{ BYTES("null\0") },
	{ BYTES("\"org.bgswitch.Ping\"\0") },
	{ BYTES("{\"method\":\"org.bgswitch.Ping\"\0") },
	{ BYTES("{\"method\":\"org.bgswitch.Ping\",\"method\":\"org.bgswitch.Set\"}\0") },
	{ BYTES("{\"method\":\"org.bgswitch.Ping\",\"parameters\":{\"n\":9223372036854775808}}"
		"\0") },
	{ BYTES("{\"method\":\"org.bgswitch.Ping\",\"parameters\":{\"n\":-1e4000}}\0") },
	{ BYTES("{\"method\":\"org.bgswitch.Ping\",\"parameters\":{\"n\":\"\xff\xfe\"}}\0") },
	{ BYTES("{\"method\":\"org.bgswitch.Ping\xf0\x82\x82\xac\"}\0") },
};

static void test_garbage_ends_its_client_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(garbage); i++) {
		int fd = rig_connect(&rig);

		rig_send_bytes(fd, garbage[i].bytes, garbage[i].length);
		rig_expect_end(&rig, fd);
		assert_serves_others();
	}
}

static void test_deep_nesting_ends_its_client_only(void **state)
{
	enum { DEPTH = 20000 };
	char *text = malloc(CONTROL_MAX_MESSAGE);
	int fd = rig_connect(&rig);
	int length = sprintf(text, "{\"method\":\"org.bgswitch.Ping\",\"parameters\":{\"a\":");

	(void)state;
	memset(text + length, '[', DEPTH);
	memset(text + length + DEPTH, ']', DEPTH);
	strcpy(text + length + 2 * DEPTH, "}}");
	rig_send(fd, text);
	rig_expect_end(&rig, fd);
	assert_serves_others();
	free(text);
}

/* ---- size */

static void test_a_message_fits_up_to_the_limit(void **state)
{
	static const char head[] = "{\"method\":\"org.bgswitch.Ping\",\"parameters\":{\"a\":\"";
	char *text = malloc(CONTROL_MAX_MESSAGE + 2);

	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		int fd = rig_connect(&rig);
		size_t length = CONTROL_MAX_MESSAGE + extra;

		memset(text, 'x', length);
		memcpy(text, head, sizeof(head) - 1);
		strcpy(text + length - 3, "\"}}");
		rig_send(fd, text);
		if (extra) {
			rig_expect_end(&rig, fd);
			continue;
		}
		assert_contains(rig_read(&rig, fd), "pid");
		close(fd);
	}
	assert_int_equal(rig.calls, 1);
	free(text);
}

/* ---- number */

static void test_only_so_many_clients_at_once(void **state)
{
	int fds[CONTROL_MAX_CLIENTS], late;

	(void)state;
	for (size_t i = 0; i < ROWS(fds); i++)
		fds[i] = rig_connect(&rig);
	for (size_t i = 0; i < ROWS(fds); i++)
		assert_contains(rig_call(&rig, fds[i], PING), "pid");
	late = rig_connect(&rig);
	rig_expect_end(&rig, late);
	close(fds[7]);
	rig_settle(&rig);
	assert_serves_others();
	for (size_t i = 0; i < ROWS(fds); i++)
		if (i != 7)
			close(fds[i]);
}

/* Connects as another user until it is not served; exits with how many connections were. */
static void connect_as(uid_t uid)
{
	int served = 0;

	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(99);
	for (; served < CONTROL_MAX_CLIENTS; served++) {
		int fd = rig_connect(&rig);
		char reply[100];

		if (send(fd, PING, sizeof(PING), MSG_NOSIGNAL) < 0 ||
		    recv(fd, reply, sizeof(reply), 0) <= 0)
			break;
	}
	_exit(served);
}

static void test_one_user_cannot_take_every_place(void **state)
{
	struct failure failure;
	int status;
	pid_t pid;

	if (geteuid()) {
		print_message("skipped: only root can be another user\n");
		skip();
	}
	assert_int_equal(chmod(*state, 0711), 0);
	assert_int_equal(control_set_groups(rig.control, NULL, "65534", &failure), 0);
	pid = fork();
	if (!pid)
		connect_as(65534);
	while (!waitpid(pid, &status, WNOHANG))
		rig_step(&rig);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), CONTROL_MAX_OF_USER);
}

/* ---- descriptors */

/* Turns of the loop within this time: an event that cannot be dealt with spins. */
static unsigned int turns_within(int ms)
{
	const long long end = now_ms() + ms;
	unsigned int turns = 0;

	for (; now_ms() < end; turns++)
		rig_step(&rig);
	return turns;
}

static void test_without_descriptors_accepting_pauses(void **state)
{
	struct rlimit before, none;
	int fd = rig_connect(&rig), probe;

	(void)state;
	probe = dup(fd); /* the lowest that is free */
	close(probe);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = probe, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_true(turns_within(300) < 50);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_contains(rig_call(&rig, fd, PING), "pid");
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
	const struct CMUnitTest tests[] = {
		TEST(test_garbage_ends_its_client_only),
		TEST(test_deep_nesting_ends_its_client_only),
		TEST(test_a_message_fits_up_to_the_limit),
		TEST(test_only_so_many_clients_at_once),
		TEST(test_one_user_cannot_take_every_place),
		TEST(test_without_descriptors_accepting_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
