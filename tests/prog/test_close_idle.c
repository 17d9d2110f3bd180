/* SPDX-License-Identifier: GPL-2.0-only */
/* Which connections a gentle close takes, and which it leaves alone. */
#include <err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include "drain/acts.h"
#include "drain/drain.h"
#include "lib/stage.h"
#include "lib/test.h"

#define CONNECTIONS 300 /* of each color */
#define PATIENCE_MS 10000 /* for what takes microseconds */

static const struct bgs_flags flags = { .failover = 0 };

struct crowd {
	int clients[CONNECTIONS], servers[CONNECTIONS];
};

static void talk(int from, int to)
{
	char heard[16];

	assert_int_equal(send(from, "words", 5, 0), 5);
	assert_int_equal(recv(to, heard, sizeof(heard), 0), 5);
}

static void gather(struct crowd *crowd, const struct stage *stage, enum bgs_color color)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		crowd->clients[i] = connect_to(color == BGS_BLUE ? "127.0.0.1:8081" : "[::1]:8082");
		crowd->servers[i] = accept4(stage->listeners[color], NULL, NULL, SOCK_CLOEXEC);
		assert_true(crowd->clients[i] >= 0 && crowd->servers[i] >= 0);
	}
}

static void scatter(const struct crowd *crowd)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		close(crowd->clients[i]);
		close(crowd->servers[i]);
	}
}

static bool has_ended(int fd)
{
	struct pollfd event = { .fd = fd, .events = POLLIN | POLLRDHUP };

	return poll(&event, 1, 0) == 1 && event.revents & POLLRDHUP;
}

static unsigned int ended(const int *fds)
{
	unsigned int count = 0;

	for (int i = 0; i < CONNECTIONS; i++)
		count += has_ended(fds[i]);
	return count;
}

static unsigned int close_idle(const struct stage *stage, enum bgs_color color,
			       unsigned int idle_ms, unsigned int share)
{
	struct failure failure;
	unsigned int closed;

	if (connections_close_idle(&stage->fixture.datapath, stage->slot, color, idle_ms, share,
				   &closed, &failure))
		fail_msg("%s; %s", failure.what, failure.next);
	return closed;
}

/* An answer is acknowledged within 40 ms, or later on a busy machine. */
static void close_until(const struct stage *stage, enum bgs_color color, unsigned int wanted)
{
	unsigned int closed = 0;

	for (int round = 0; closed < wanted && round < PATIENCE_MS / 10; round++) {
		closed += close_idle(stage, color, 0, DRAIN_ALL);
		poll(NULL, 0, 10);
	}
	assert_int_equal(closed, wanted);
}

static void test_one_color_is_closed_and_the_other_is_not(void **state)
{
	struct stage *stage = *state;
	struct crowd blue, green;

	stage_web(stage, flags);
	gather(&blue, stage, BGS_BLUE);
	gather(&green, stage, BGS_GREEN);
	assert_int_equal(close_idle(stage, BGS_BLUE, 60000, DRAIN_ALL), 0);
	assert_int_equal(close_idle(stage, BGS_BLUE, 0, DRAIN_ALL), CONNECTIONS);
	assert_int_equal(ended(blue.clients), CONNECTIONS);
	assert_int_equal(ended(blue.servers), CONNECTIONS);
	assert_int_equal(close_idle(stage, BGS_BLUE, 0, DRAIN_ALL), 0);
	assert_int_equal(ended(green.clients) + ended(green.servers), 0);
	scatter(&blue);
	scatter(&green);
}

static void test_request_in_flight_is_left_until_it_is_answered(void **state)
{
	struct stage *stage = *state;
	struct crowd blue;

	stage_web(stage, flags);
	gather(&blue, stage, BGS_BLUE);
	for (int i = 0; i < CONNECTIONS; i++) {
		talk(blue.clients[i], blue.servers[i]);
		talk(blue.servers[i], blue.clients[i]);
		if (i % 2) /* at once, as the trap is */
			talk(blue.clients[i], blue.servers[i]);
	}
	close_until(stage, BGS_BLUE, CONNECTIONS / 2);
	for (int i = 0; i < CONNECTIONS; i++)
		assert_int_equal(has_ended(blue.clients[i]), i % 2 == 0);
	for (int i = 1; i < CONNECTIONS; i += 2)
		talk(blue.servers[i], blue.clients[i]);
	close_until(stage, BGS_BLUE, CONNECTIONS / 2);
	assert_int_equal(ended(blue.clients), CONNECTIONS);
	scatter(&blue);
}

static void test_request_nobody_has_read_is_left(void **state)
{
	struct stage *stage = *state;
	struct crowd blue;

	stage_web(stage, flags);
	gather(&blue, stage, BGS_BLUE);
	for (int i = 0; i < CONNECTIONS; i++)
		assert_int_equal(send(blue.clients[i], "words", 5, 0), 5);
	assert_int_equal(close_idle(stage, BGS_BLUE, 0, DRAIN_ALL), 0);
	assert_int_equal(ended(blue.clients), 0);
	scatter(&blue);
}

static void test_share_says_which_are_closed(void **state)
{
	const unsigned int share = DRAIN_ALL / 2;
	struct stage *stage = *state;
	unsigned int due = 0;
	struct crowd blue;

	stage_web(stage, flags);
	gather(&blue, stage, BGS_BLUE);
	for (int i = 0; i < CONNECTIONS; i++) {
		const struct bgs_connection connection = { .cookie = cookie_of(blue.servers[i]) };

		due += connection_is_due(&connection, share);
	}
	assert_in_range(due, CONNECTIONS / 4, CONNECTIONS * 3 / 4);
	assert_int_equal(close_idle(stage, BGS_BLUE, 0, share), due);
	for (int i = 0; i < CONNECTIONS; i++) {
		const struct bgs_connection connection = { .cookie = cookie_of(blue.servers[i]) };

		assert_int_equal(has_ended(blue.clients[i]), connection_is_due(&connection, share));
	}
	assert_int_equal(close_idle(stage, BGS_BLUE, 0, DRAIN_ALL), CONNECTIONS - due);
	scatter(&blue);
}

static void give_up_ptrace(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, sets))
		_exit(98);
	sets[0].effective &= ~(1U << CAP_SYS_PTRACE);
	sets[0].permitted &= ~(1U << CAP_SYS_PTRACE);
	if (syscall(SYS_capset, &header, sets))
		_exit(98);
}

/* The exit code of a child that tries it without the right to; `crowd` is its parent's alone. */
static int try_without_rights(const struct stage *stage, const struct crowd *crowd)
{
	struct failure failure;
	unsigned int closed;
	int status;
	pid_t child = fork();

	if (!child) {
		if (crowd)
			scatter(crowd);
		give_up_ptrace();
		if (!connections_close_idle(&stage->fixture.datapath, stage->slot, BGS_BLUE, 0,
					    DRAIN_ALL, &closed, &failure))
			_exit(0);
		_exit(strstr(failure.what, "no ptrace rights") && !closed ? failure.code : 97);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_missing_rights_are_named(void **state)
{
	struct stage *stage = *state;
	struct crowd blue;

	stage_web(stage, flags);
	assert_int_equal(try_without_rights(stage, NULL), 0); /* nothing to close */
	gather(&blue, stage, BGS_BLUE);
	assert_int_equal(try_without_rights(stage, &blue), EXIT_SYSTEM);
	assert_int_equal(ended(blue.clients), 0);
	scatter(&blue);
}

int main(void)
{
	const struct rlimit most = { 4096, 4096 };
	const struct CMUnitTest tests[] = {
		stage_test(test_one_color_is_closed_and_the_other_is_not),
		stage_test(test_request_in_flight_is_left_until_it_is_answered),
		stage_test(test_request_nobody_has_read_is_left),
		stage_test(test_share_says_which_are_closed),
		stage_test(test_missing_rights_are_named),
	};

	if (setrlimit(RLIMIT_NOFILE, &most))
		err(99, "setrlimit");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
