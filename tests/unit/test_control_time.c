/* SPDX-License-Identifier: GPL-2.0-only */
/* How long a client is waited for, and what it may leave untaken meanwhile. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/rig.h"
#include "lib/scratch.h"
#include "lib/test.h"

#define PING "{\"method\":\"org.bgswitch.Ping\"}"
#define SHORT_MS 60
#define LONG_MS 60000

static struct rig rig;

static int open_rig(void **state, const struct control_setup *how)
{
	struct failure failure = {};

	return scratch_make(state) || rig_open(&rig, *state, how, &failure);
}

static int open_ordinary(void **state)
{
	return open_rig(state, NULL);
}

static int open_short_idle(void **state)
{
	return open_rig(state,
			&(struct control_setup){ .idle_ms = SHORT_MS, .message_ms = LONG_MS });
}

static int open_short_message(void **state)
{
	return open_rig(state,
			&(struct control_setup){ .idle_ms = LONG_MS, .message_ms = SHORT_MS });
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

/* ---- time */

static void test_an_idle_client_is_closed(void **state)
{
	const long long start = now_ms();
	int fd = rig_connect(&rig);

	(void)state;
	assert_contains(rig_call(&rig, fd, PING), "pid");
	rig_expect_end(&rig, fd);
	assert_true(now_ms() - start >= SHORT_MS);
}

static void test_a_call_under_way_is_not_idle(void **state)
{
	const long long start = now_ms();
	int fd = rig_connect(&rig), idle = rig_connect(&rig);

	(void)state;
	rig_send(fd, "{\"method\":\"org.bgswitch.Set\"}");
	rig_expect_end(&rig, idle);
	while (now_ms() - start < 4 * SHORT_MS)
		rig_step(&rig);
	assert_int_equal(rig.gone, 0);
	call_reply(rig.held, NULL);
	assert_string_equal(rig_read(&rig, fd), "{\"parameters\":{}}");
	rig_expect_end(&rig, fd);
}

/* A byte now and then keeps no connection open. */
static void test_a_dripping_message_is_cut_off(void **state)
{
	const long long start = now_ms();
	struct pollfd polled = { .fd = rig_connect(&rig), .events = POLLIN };
	int bytes = 0;

	(void)state;
	do {
		rig_send_bytes(polled.fd, " ", 1);
		rig_settle(&rig);
		assert_true(bytes++ < 1000);
	} while (!poll(&polled, 1, 5));
	assert_true(now_ms() - start >= SHORT_MS);
	rig_expect_end(&rig, polled.fd);
	assert_serves_others();
}

/* The time of a message begins anew with each, also where nothing is answered in between. */
static void test_many_messages_in_a_row_are_not_one_slow_one(void **state)
{
	static const char oneway[] = "{\"method\":\"org.bgswitch.Ping\",\"oneway\":true}";
	const long long start = now_ms();
	int fd = rig_connect(&rig);
	unsigned int sent = 0;

	(void)state;
	rig_send_bytes(fd, oneway, 5);
	for (; now_ms() - start < 4 * SHORT_MS; sent++) {
		rig_send_bytes(fd, oneway + 5, sizeof(oneway) - 5);
		rig_send_bytes(fd, oneway, 5);
		rig_settle(&rig);
	}
	assert_int_equal(rig.calls, sent);
	rig_send_bytes(fd, oneway + 5, sizeof(oneway) - 5);
	assert_contains(rig_call(&rig, fd, PING), "pid");
	close(fd);
}

/* Answers that nobody takes are not even made: what was asked for stays in the kernel. */
static void test_a_client_that_does_not_read_is_not_read(void **state)
{
	enum { CALLS = 4000 };
	char *text = malloc(CALLS * sizeof(PING));
	int fd = rig_connect(&rig);

	(void)state;
	for (int i = 0; i < CALLS; i++)
		memcpy(text + i * sizeof(PING), PING, sizeof(PING));
	assert_int_equal(send(fd, text, CALLS * sizeof(PING), MSG_DONTWAIT), CALLS * sizeof(PING));
	rig_settle(&rig);
	assert_in_range(rig.calls, 1, CALLS / 2);
	for (int i = 0; i < CALLS; i++)
		assert_contains(rig_read(&rig, fd), "pid");
	assert_int_equal(rig.calls, CALLS);
	close(fd);
	free(text);
}

static void test_a_client_that_takes_no_answer_is_closed(void **state)
{
	static const char big[] = "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
				  "\"parameters\":{\"interface\":\"org.bgswitch\"}}";
	const long long start = now_ms();
	int fd = rig_connect(&rig);
	ssize_t sent = 1;

	(void)state;
	/* As long as the server reads; then it waits for its own answers to be taken. */
	while (sent > 0 && now_ms() - start < 5000) {
		sent = send(fd, big, sizeof(big), MSG_DONTWAIT | MSG_NOSIGNAL);
		rig_settle(&rig);
	}
	assert_true(sent < 0);
	while (send(fd, big, 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 || errno != EPIPE) {
		rig_step(&rig);
		assert_true(now_ms() - start < 5000);
	}
	close(fd);
	assert_serves_others();
}

/* Who has no right at all is not even waited for as long as others. */
static void test_a_stranger_has_the_time_of_a_message_only(void **state)
{
	struct failure failure;
	int status;
	pid_t pid;

	if (geteuid()) {
		print_message("skipped: only root can be another user\n");
		skip();
	}
	assert_int_equal(chmod(*state, 0711), 0);
	assert_int_equal(control_set_groups(rig.control, "60001", NULL, &failure), 0);
	pid = fork();
	if (!pid) {
		char byte;

		alarm(10); /* ends it otherwise */
		_exit(setresuid(65534, 65534, 65534) || recv(rig_connect(&rig), &byte, 1, 0));
	}
	while (!waitpid(pid, &status, WNOHANG))
		rig_step(&rig);
	assert_int_equal(status, 0);
}

/* ---- streams */

static struct call *begin_stream(int fd)
{
	struct call *call;

	rig_send(fd, "{\"method\":\"org.bgswitch.Events\",\"more\":true}");
	rig_settle(&rig);
	call = rig.held;
	assert_non_null(call);
	rig.held = NULL;
	return call;
}

static void on_gone(struct call *call, void *data)
{
	*(struct call **)data = NULL;
	(void)call;
}

static json_t *kilobyte(void)
{
	char text[1000];

	memset(text, 'e', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	return json_pack("{s:s}", "event", text);
}

static void test_a_stream_that_is_not_read_is_ended_and_others_go_on(void **state)
{
	int slow = rig_connect(&rig), quick = rig_connect(&rig);
	struct call *to_slow = begin_stream(slow), *to_quick = begin_stream(quick);
	int sent = 0;

	(void)state;
	call_on_gone(to_slow, on_gone, &to_slow);
	call_on_gone(to_quick, on_gone, &to_quick);
	for (; to_slow && sent < 10000; sent++) {
		call_continue(to_slow, kilobyte());
		call_continue(to_quick, kilobyte());
		assert_contains(rig_read(&rig, quick), "\"continues\":true");
		rig_settle(&rig);
	}
	assert_null(to_slow);
	assert_non_null(to_quick);
	assert_true(sent > CONTROL_MAX_PENDING / 1024 && sent < 3 * CONTROL_MAX_PENDING / 1024);
	call_reply(to_quick, NULL);
	assert_string_equal(rig_read(&rig, quick), "{\"parameters\":{}}");
	close(slow);
	close(quick);
}

/* Its owner hears of the end from the loop only, never within call_continue(). */
static void test_a_stream_may_be_fed_beyond_its_end(void **state)
{
	int fd = rig_connect(&rig);
	struct call *call = begin_stream(fd);

	(void)state;
	call_on_gone(call, on_gone, &call);
	for (int i = 0; i < 5000; i++) {
		assert_non_null(call);
		call_continue(call, kilobyte());
	}
	rig_settle(&rig);
	assert_null(call);
	close(fd);
}

/* One answer may be larger than what a stream may have pending. */
static void test_a_large_answer_arrives_whole(void **state)
{
	enum { SIZE = 3 * CONTROL_MAX_PENDING };
	char *text = malloc(SIZE + 1), *got = malloc(SIZE + 100);
	int fd = rig_connect(&rig);
	struct call *call = begin_stream(fd);
	size_t length = 0;

	(void)state;
	memset(text, 'x', SIZE);
	text[SIZE] = '\0';
	call_reply(call, json_pack("{s:s}", "a", text));
	while (!length || got[length - 1]) {
		ssize_t now = recv(fd, got + length, SIZE + 100 - length, MSG_DONTWAIT);

		assert_int_not_equal(now, 0);
		length += now > 0 ? now : 0;
		if (now < 0)
			rig_step(&rig);
	}
	assert_true(length > SIZE);
	close(fd);
	free(text);
	free(got);
}

int main(void)
{
#define TEST(name, how) cmocka_unit_test_setup_teardown(name, open_##how, close_rig)
	const struct CMUnitTest tests[] = {
		TEST(test_an_idle_client_is_closed, short_idle),
		TEST(test_a_call_under_way_is_not_idle, short_idle),
		TEST(test_a_dripping_message_is_cut_off, short_message),
		TEST(test_many_messages_in_a_row_are_not_one_slow_one, short_message),
		TEST(test_a_client_that_does_not_read_is_not_read, ordinary),
		TEST(test_a_client_that_takes_no_answer_is_closed, short_idle),
		TEST(test_a_stream_that_is_not_read_is_ended_and_others_go_on, ordinary),
		TEST(test_a_stream_may_be_fed_beyond_its_end, ordinary),
		TEST(test_a_large_answer_arrives_whole, ordinary),
		TEST(test_a_stranger_has_the_time_of_a_message_only, short_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
