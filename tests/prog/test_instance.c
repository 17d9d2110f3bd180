/* SPDX-License-Identifier: GPL-2.0-only */
/* Which instance of a color takes a connection, and what happens when some are dead. */
#include <stdio.h>
#include <sys/socket.h>

#include "lib/stage.h"
#include "lib/test.h"

#define INSTANCES BGS_MAX_INSTANCES
#define LOCAL "10.0.0.1:80"
#define CLIENT "10.9.8.7:40000"

static const struct bgs_flags failover = { .failover = 1 };

/* Blue has 64 instances, listeners 0 to 63; green has one, listener 64. */
static void start_64(struct stage *stage, struct bgs_flags flags)
{
	char blue[INSTANCES * 8] = "", address[32];
	size_t length = 0;

	for (unsigned int i = 0; i < INSTANCES; i++)
		length += snprintf(blue + length, sizeof(blue) - length, "%s:%u", i ? "," : "",
				   9000 + i);
	stage_service(stage, "web", "0.0.0.0:80", blue, ":8082", flags);
	for (unsigned int i = 0; i < INSTANCES; i++) {
		snprintf(address, sizeof(address), "127.0.0.1:%u", 9000 + i);
		stage_listen(stage, address);
	}
	stage_listen(stage, "127.0.0.1:8082");
}

/* How many of `clients` connections each listener gets. */
static void ask(const struct stage *stage, unsigned int clients, unsigned int taken[])
{
	memset(taken, 0, (INSTANCES + 1) * sizeof(*taken));
	for (unsigned int i = 0; i < clients; i++) {
		int place = stage_lookup(stage, client(i), LOCAL);

		assert_in_range(place, 0, INSTANCES);
		taken[place]++;
	}
}

static void test_64_instances_share_evenly(void **state)
{
	unsigned int taken[INSTANCES + 1];
	struct stage *stage = *state;

	start_64(stage, failover);
	ask(stage, 400 * INSTANCES, taken);
	for (unsigned int i = 0; i < INSTANCES; i++) /* five standard deviations of 20 */
		assert_in_range(taken[i], 300, 500);
	assert_int_equal(taken[INSTANCES], 0);
}

static void test_one_client_is_spread_over_instances(void **state)
{
	unsigned int taken[INSTANCES] = {}, used = 0;
	struct stage *stage = *state;
	char text[32];

	start_64(stage, failover);
	for (unsigned int port = 20000; port < 21000; port++) {
		snprintf(text, sizeof(text), "10.1.1.1:%u", port);
		taken[stage_lookup(stage, text, LOCAL)]++;
	}
	for (unsigned int i = 0; i < INSTANCES; i++)
		used += taken[i] > 0;
	assert_int_equal(used, INSTANCES);
}

static void test_dead_instances_cost_no_connection(void **state)
{
	unsigned int taken[INSTANCES + 1];
	struct stage *stage = *state;
	struct bgs_counters counters;

	start_64(stage, failover);
	for (unsigned int i = 0; i < INSTANCES; i++) {
		if (i % 8)
			stage_close(stage, i);
	}
	ask(stage, 3200, taken);
	for (unsigned int i = 0; i < INSTANCES; i++)
		assert_in_range(taken[i], i % 8 ? 0 : 300, i % 8 ? 0 : 500);
	counters = stage_counters(stage);
	assert_int_equal(counters.steered[BGS_BLUE], 3200);
	assert_int_equal(counters.failover, 0);
	assert_int_equal(counters.errors, 0);
}

static void test_last_living_instance_is_found_at_once(void **state)
{
	struct stage *stage = *state;

	start_64(stage, (struct bgs_flags){});
	for (unsigned int i = 0; i < INSTANCES; i++) {
		if (i != 41)
			stage_close(stage, i);
	}
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), 41);
}

static void test_dead_color_fails_over_and_comes_back(void **state)
{
	struct stage *stage = *state;

	start_64(stage, failover);
	for (unsigned int i = 0; i < INSTANCES; i++)
		stage_close(stage, i);
	for (int i = 0; i < 10; i++)
		assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), INSTANCES);
	assert_int_equal(stage_counters(stage).failover, 10);
	assert_int_equal(stage_counters(stage).steered[BGS_GREEN], 10);
	stage_listen(stage, "127.0.0.1:9005");
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), INSTANCES + 1);
	assert_int_equal(stage_counters(stage).failover, 10);
}

static void test_dead_standby_fails_over_to_active(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, failover);
	stage_route(stage, BGS_BLUE, BGS_SPLIT_MAX);
	stage_close(stage, BGS_GREEN);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	assert_int_equal(stage_counters(stage).failover, 1);
}

static void test_on_empty_decides_when_no_listener_is_left(void **state)
{
	static const struct {
		struct bgs_flags flags;
		bool green_lives;
		int expected;
		const char *name;
	} rows[] = {
		{ { .failover = 0 }, true, REFUSED, "no failover, refuse" },
		{ { .failover = 0, .pass_when_empty = 1 }, true, PASSED, "no failover, pass" },
		{ { .failover = 1 }, false, REFUSED, "both dead, refuse" },
		{ { .failover = 1, .pass_when_empty = 1 }, false, PASSED, "both dead, pass" },
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < ROWS(rows); i++) {
		char name[8], local[32], blue[32], green[32], address[32];
		struct bgs_counters counters;

		snprintf(name, sizeof(name), "s%zu", i);
		snprintf(local, sizeof(local), "10.0.0.1:%zu", 80 + i);
		snprintf(blue, sizeof(blue), ":%zu", 8100 + i);
		snprintf(green, sizeof(green), ":%zu", 8200 + i);
		snprintf(address, sizeof(address), "127.0.0.1:%zu", 8200 + i);
		stage_service(stage, name, local, blue, green, rows[i].flags);
		if (rows[i].green_lives)
			stage_listen(stage, address);
		assert_row(stage_lookup(stage, CLIENT, local) == rows[i].expected, rows[i].name);
		counters = stage_counters(stage);
		assert_row(counters.refused == (rows[i].expected == REFUSED), rows[i].name);
		assert_row(counters.passed == (rows[i].expected == PASSED), rows[i].name);
		assert_row(!counters.failover && !counters.errors, rows[i].name);
		assert_row(!counters.steered[BGS_BLUE] && !counters.steered[BGS_GREEN],
			   rows[i].name);
	}
}

static void test_closed_listener_leaves_the_map_at_once(void **state)
{
	struct stage *stage = *state;
	const struct datapath *datapath = &stage->fixture.datapath;

	stage_web(stage, failover);
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		__u32 number = BGS_INSTANCE(stage->slot, color, 0);

		assert_true(instance_is_listening(datapath, number));
		stage_close(stage, color);
		assert_false(instance_is_listening(datapath, number));
	}
}

static void test_listener_after_shutdown_is_dead(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, failover);
	assert_int_equal(shutdown(stage->listeners[BGS_BLUE], SHUT_RDWR), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_GREEN);
	assert_int_equal(stage_counters(stage).failover, 3);
	assert_int_equal(stage_counters(stage).errors, 0);
}

static void test_listener_that_listens_again_is_alive(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, failover);
	/* More often than an instance has places for siblings. */
	for (unsigned int i = 0; i < BGS_MAX_SIBLINGS + 2; i++) {
		assert_int_equal(shutdown(stage->listeners[BGS_BLUE], SHUT_RDWR), 0);
		assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_GREEN);
		listen_again(stage->listeners[BGS_BLUE]);
		assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_64_instances_share_evenly),
		stage_test(test_one_client_is_spread_over_instances),
		stage_test(test_dead_instances_cost_no_connection),
		stage_test(test_last_living_instance_is_found_at_once),
		stage_test(test_dead_color_fails_over_and_comes_back),
		stage_test(test_dead_standby_fails_over_to_active),
		stage_test(test_on_empty_decides_when_no_listener_is_left),
		stage_test(test_closed_listener_leaves_the_map_at_once),
		stage_test(test_listener_after_shutdown_is_dead),
		stage_test(test_listener_that_listens_again_is_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
