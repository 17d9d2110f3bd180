/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Several listeners of one instance, with SO_REUSEPORT. The kernel's test run
 * cannot choose among them, so clients connect for real, over loopback.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/stage.h"
#include "lib/test.h"

#define LOCAL "127.0.0.1:80"
#define WORKERS 8

static const struct bgs_flags flags = {};

static void declare_web(struct stage *stage)
{
	stage_service(stage, "web", "0.0.0.0:80,[::]:80", ":8081", ":8082", flags);
}

static void open_workers(int workers[WORKERS], const char *address)
{
	for (int i = 0; i < WORKERS; i++)
		workers[i] = listen_on(address, SOCKET_REUSEPORT);
}

static void assert_connects(const char *address, const int *workers, size_t count)
{
	int fd = connect_to(address);

	if (fd < 0)
		fail_msg("connect to %s: %s", address, strerror(-fd));
	accepted_by(workers, count);
	close(fd);
}

static void test_closing_any_worker_leaves_the_others_serving(void **state)
{
	struct stage *stage = *state;
	int workers[WORKERS];

	declare_web(stage);
	open_workers(workers, "127.0.0.1:8081");
	/* The first holds the instance's own place, the others are siblings. */
	for (int closed = 0; closed < WORKERS; closed++) {
		assert_connects(LOCAL, workers + closed, WORKERS - closed);
		close(workers[closed]);
	}
	assert_int_equal(connect_to(LOCAL), -ECONNREFUSED);
	assert_int_equal(stage_counters(stage).steered[BGS_BLUE], WORKERS);
	assert_int_equal(stage_counters(stage).refused, 1);
	assert_int_equal(stage_counters(stage).errors, 0);
}

static void test_worker_that_comes_back_serves(void **state)
{
	struct stage *stage = *state;
	int workers[WORKERS];

	declare_web(stage);
	open_workers(workers, "127.0.0.1:8081");
	for (int i = 0; i < 3 * BGS_MAX_SIBLINGS; i++) {
		int *worker = &workers[i % WORKERS];

		close(*worker);
		*worker = listen_on("127.0.0.1:8081", SOCKET_REUSEPORT);
		assert_connects(LOCAL, workers, WORKERS);
	}
	for (int i = 0; i < WORKERS; i++)
		close(workers[i]);
	assert_int_equal(connect_to(LOCAL), -ECONNREFUSED);
	workers[0] = listen_on("127.0.0.1:8081", SOCKET_REUSEPORT);
	assert_connects(LOCAL, workers, 1);
	close(workers[0]);
}

static void test_workers_of_one_group_share_the_connections(void **state)
{
	struct stage *stage = *state;
	int workers[WORKERS], taken[WORKERS] = {};

	declare_web(stage);
	open_workers(workers, "127.0.0.1:8081");
	for (int i = 0; i < 100 * WORKERS; i++) {
		int fd = connect_to(LOCAL);

		assert_true(fd >= 0);
		taken[accepted_by(workers, WORKERS)]++;
		close(fd);
	}
	for (int i = 0; i < WORKERS; i++) {
		assert_in_range(taken[i], 1, 300);
		close(workers[i]);
	}
}

static void test_families_have_workers_of_their_own(void **state)
{
	struct stage *stage = *state;
	int v4, v6;

	declare_web(stage);
	v4 = listen_on("0.0.0.0:8081", SOCKET_REUSEPORT);
	v6 = listen_on("[::]:8081", SOCKET_REUSEPORT | SOCKET_V6ONLY);
	assert_connects(LOCAL, &v4, 1);
	assert_connects("[::1]:80", &v6, 1);
	close(v4);
	assert_int_equal(connect_to(LOCAL), -ECONNREFUSED);
	assert_connects("[::1]:80", &v6, 1);
	close(v6);
	assert_int_equal(connect_to("[::1]:80"), -ECONNREFUSED);
}

static void test_dual_stack_worker_takes_over_from_an_ipv4_one(void **state)
{
	struct stage *stage = *state;
	int v4, dual;

	declare_web(stage);
	v4 = listen_on("0.0.0.0:8081", SOCKET_REUSEPORT);
	dual = listen_on("[::]:8081", SOCKET_REUSEPORT);
	assert_connects("[::1]:80", &dual, 1);
	close(v4);
	assert_connects(LOCAL, &dual, 1);
	close(dual);
	assert_int_equal(connect_to(LOCAL), -ECONNREFUSED);
}

static void test_place_of_a_dual_stack_worker_may_be_taken_by_one_of_ipv6(void **state)
{
	struct stage *stage = *state;
	int v4, v6, dual;

	declare_web(stage);
	v4 = listen_on("0.0.0.0:8081", SOCKET_REUSEPORT);
	v6 = listen_on("[::]:8081", SOCKET_REUSEPORT | SOCKET_V6ONLY);
	dual = listen_on("[::]:8081", SOCKET_REUSEPORT);
	close(dual);
	dual = listen_on("[::]:8081", SOCKET_REUSEPORT | SOCKET_V6ONLY);
	close(v4);
	assert_int_equal(connect_to(LOCAL), -ECONNREFUSED);
	assert_int_equal(stage_counters(stage).errors, 0);
	close(v6);
	assert_connects("[::1]:80", &dual, 1);
	close(dual);
}

/* 5 instances of 65 workers each die at once; the sixth has one, which lives. */
static void test_living_instance_is_found_behind_any_number_of_dead_workers(void **state)
{
	enum { DEAD = 5, EACH = BGS_MAX_SIBLINGS + 1 };
	static int workers[DEAD][EACH];
	struct stage *stage = *state;
	char address[32];
	int living;

	stage_service(stage, "web", "0.0.0.0:80", ":9000,:9001,:9002,:9003,:9004,:9005", ":8082",
		      flags);
	living = listen_on("127.0.0.1:9005", 0);
	for (int i = 0; i < 50; i++) {
		for (int instance = 0; instance < DEAD; instance++) {
			snprintf(address, sizeof(address), "127.0.0.1:%d", 9000 + instance);
			for (int k = 0; k < EACH; k++)
				workers[instance][k] = listen_on(address, SOCKET_REUSEPORT);
		}
		for (int instance = 0; instance < DEAD; instance++) {
			for (int k = 0; k < EACH; k++)
				close(workers[instance][k]);
		}
		assert_connects(LOCAL, &living, 1);
	}
	close(living);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_closing_any_worker_leaves_the_others_serving),
		stage_test(test_worker_that_comes_back_serves),
		stage_test(test_workers_of_one_group_share_the_connections),
		stage_test(test_families_have_workers_of_their_own),
		stage_test(test_dual_stack_worker_takes_over_from_an_ipv4_one),
		stage_test(test_place_of_a_dual_stack_worker_may_be_taken_by_one_of_ipv6),
		stage_test(test_living_instance_is_found_behind_any_number_of_dead_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
