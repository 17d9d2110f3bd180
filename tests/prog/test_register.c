/* SPDX-License-Identifier: GPL-2.0-only */
/* How listeners get into the maps, and out again. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "datapath/listeners.h"
#include "datapath/map.h"
#include "lib/stage.h"
#include "lib/test.h"

#define CLIENT "10.9.8.7:40000"
#define LOCAL "10.0.0.1:80"

static const struct bgs_flags flags = { .failover = 0 };

static void declare_web(struct stage *stage)
{
	stage_service(stage, "web", "0.0.0.0:80,[::]:80", ":8081", ":8082", flags);
}

/* The socket in an instance's first place, by its cookie; 0: none. */
static __u64 first_place(const struct stage *stage, enum bgs_color color, enum bgs_family family)
{
	const __u32 key = BGS_SOCKET(BGS_INSTANCE(stage->slot, color, 0), family);
	__u64 cookie = 0;

	map_get(stage->fixture.datapath.fds[PIN_SOCKETS], &key, &cookie);
	return cookie;
}

/* What the walk over all listeners says about the socket with this cookie, if anything. */
static bool find_report(const struct stage *stage, bool elsewhere, __u64 cookie,
			struct listener *found)
{
	struct listener *listeners;
	struct failure failure;
	ssize_t count = listeners_scan(&stage->fixture.datapath, elsewhere, &listeners, &failure);
	bool there = false;

	assert_true(count >= 0);
	for (ssize_t i = 0; i < count && !there; i++) {
		there = listeners[i].report.cookie == cookie;
		*found = listeners[i];
	}
	free(listeners);
	return there;
}

static void test_listener_is_in_the_map_when_listen_returns(void **state)
{
	struct stage *stage = *state;
	int place;

	declare_web(stage);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), REFUSED);
	place = stage_listen(stage, "127.0.0.1:8081");
	assert_int_equal(first_place(stage, BGS_BLUE, BGS_V4), stage->cookies[place]);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), place);
}

static void test_bound_socket_that_does_not_listen_is_not_registered(void **state)
{
	struct stage *stage = *state;
	int fd;

	declare_web(stage);
	fd = bind_on("127.0.0.1:8081", 0);
	assert_int_equal(first_place(stage, BGS_BLUE, BGS_V4), 0);
	listen_again(fd);
	assert_int_equal(first_place(stage, BGS_BLUE, BGS_V4), cookie_of(fd));
	close(fd);
}

static void test_new_service_finds_listeners_opened_before(void **state)
{
	struct stage *stage = *state;
	struct listener found;
	int place = stage_listen(stage, "127.0.0.1:8081");

	declare_web(stage);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), place);
	for (int i = 0; i < 2; i++) { /* a look changes nothing */
		assert_true(find_report(stage, false, stage->cookies[place], &found));
		assert_int_equal(found.report.kind, BGS_REPORT_BACKEND);
		assert_int_equal(found.report.error, 0);
		assert_int_equal(found.report.number, BGS_INSTANCE(stage->slot, BGS_BLUE, 0));
		assert_int_equal(found.report.protocol, 6);
		assert_int_equal(found.pid, getpid());
	}
	stage_close(stage, place);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), REFUSED);
}

static void test_steering_begins_with_the_listeners_there_are(void **state)
{
	struct stage *stage = *state;
	struct datapath *datapath = &stage->fixture.datapath;
	struct failure failure;
	int fd;

	/* As the first attach finds it: services, and no programs. */
	for (enum pin pin = PIN_MAPS; pin < PIN_COUNT; pin++) {
		close(datapath->fds[pin]);
		datapath->fds[pin] = -1;
		assert_int_equal(pin_remove(stage->fixture.place.pin_dir, pin), 0);
	}
	declare_web(stage);
	stage_listen(stage, "127.0.0.1:8081");
	assert_int_equal(datapath_load(datapath, true, &failure), 0);
	fd = connect_to("127.0.0.1:80");
	assert_true(fd >= 0);
	assert_int_equal(accepted_by(stage->listeners, 1), 0);
	close(fd);
}

static void test_listener_on_the_services_own_address_is_reported(void **state)
{
	struct stage *stage = *state;
	struct listener found;
	int place;

	declare_web(stage);
	place = stage_listen(stage, "127.0.0.1:80");
	assert_true(find_report(stage, false, stage->cookies[place], &found));
	assert_int_equal(found.report.kind, BGS_REPORT_CONFLICT);
	assert_int_equal(found.report.number, stage->slot);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), REFUSED);
}

static void test_other_listeners_are_neither_registered_nor_reported(void **state)
{
	struct stage *stage = *state;
	struct listener found;
	int place;

	declare_web(stage);
	place = stage_listen(stage, "127.0.0.1:8083");
	assert_false(find_report(stage, false, stage->cookies[place], &found));
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), REFUSED);
}

static void test_listener_of_another_namespace_is_not_registered(void **state)
{
	struct stage *stage = *state;
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	declare_web(stage);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	stage_listen(stage, "127.0.0.1:8081");
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	assert_int_equal(first_place(stage, BGS_BLUE, BGS_V4), 0);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), REFUSED);
}

/* A child that listens in a namespace of its own; returns its socket's cookie. */
static __u64 listen_elsewhere(pid_t *pid)
{
	__u64 cookie = 0;
	int ready[2];

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	*pid = fork();
	if (!*pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET))
			_exit(1);
		cookie = cookie_of(listen_on("127.0.0.1:8081", 0));
		if (write(ready[1], &cookie, sizeof(cookie)) == sizeof(cookie))
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &cookie, sizeof(cookie)), sizeof(cookie));
	close(ready[0]);
	return cookie;
}

static void test_listener_of_another_namespace_is_reported(void **state)
{
	struct stage *stage = *state;
	struct listener found;
	__u64 cookie;
	pid_t pid;

	declare_web(stage);
	cookie = listen_elsewhere(&pid);
	assert_false(find_report(stage, false, cookie, &found));
	assert_true(find_report(stage, true, cookie, &found));
	assert_int_equal(found.report.kind, BGS_REPORT_FOREIGN);
	assert_int_equal(found.pid, pid);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), REFUSED);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_mptcp_listener_is_reported(void **state)
{
	struct stage *stage = *state;
	struct listener *listeners;
	struct failure failure;
	int fd = bind_on("127.0.0.1:8081", SOCKET_MPTCP);

	if (fd < 0) {
		print_message("skipped: this kernel has no MPTCP: %s\n", strerror(-fd));
		skip();
	}
	declare_web(stage);
	listen_again(fd);
	assert_int_equal(first_place(stage, BGS_BLUE, BGS_V4), 0);
	assert_int_equal(listeners_scan(&stage->fixture.datapath, false, &listeners, &failure), 1);
	assert_int_equal(listeners->report.kind, BGS_REPORT_BACKEND);
	assert_int_equal(listeners->report.error, -EOPNOTSUPP);
	assert_int_equal(listeners->report.protocol, 262);
	assert_int_equal(listeners->pid, getpid());
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), REFUSED);
	free(listeners);
	close(fd);
}

static void test_nothing_keeps_a_closed_listener(void **state)
{
	struct stage *stage = *state;

	declare_web(stage);
	for (int i = 0; i < 3; i++) {
		/* Without SO_REUSEADDR: the port is free only if the last one is really gone. */
		int place = stage_listen(stage, "[::]:8081");

		assert_int_equal(first_place(stage, BGS_BLUE, BGS_V4), stage->cookies[place]);
		assert_int_equal(first_place(stage, BGS_BLUE, BGS_V6), stage->cookies[place]);
		stage_close(stage, place);
		assert_int_equal(first_place(stage, BGS_BLUE, BGS_V4), 0);
		assert_int_equal(first_place(stage, BGS_BLUE, BGS_V6), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_listener_is_in_the_map_when_listen_returns),
		stage_test(test_bound_socket_that_does_not_listen_is_not_registered),
		stage_test(test_new_service_finds_listeners_opened_before),
		stage_test(test_steering_begins_with_the_listeners_there_are),
		stage_test(test_listener_on_the_services_own_address_is_reported),
		stage_test(test_other_listeners_are_neither_registered_nor_reported),
		stage_test(test_listener_of_another_namespace_is_not_registered),
		stage_test(test_listener_of_another_namespace_is_reported),
		stage_test(test_mptcp_listener_is_reported),
		stage_test(test_nothing_keeps_a_closed_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
