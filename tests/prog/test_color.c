/* SPDX-License-Identifier: GPL-2.0-only */
/* Which color a client gets: route, split, affinity. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/stage.h"
#include "lib/test.h"

#define CLIENTS 20000
#define LOCAL "10.0.0.1:80"

static const struct bgs_flags by_client = { .failover = 1 };
static const struct bgs_flags by_connection = { .failover = 1, .by_connection = 1 };

static const char *v6_client(unsigned int number)
{
	static char text[64];

	snprintf(text, sizeof(text), "[2001:db8::%x:%x]:40000", number >> 8, number & 255);
	return text;
}

/* Notes each client's color; returns how many got green. */
static unsigned int ask_all(const struct stage *stage, __u8 colors[CLIENTS])
{
	unsigned int green = 0;

	for (unsigned int i = 0; i < CLIENTS; i++) {
		int place = stage_lookup(stage, client(i), LOCAL);

		assert_in_range(place, BGS_BLUE, BGS_GREEN);
		colors[i] = place;
		green += place == BGS_GREEN;
	}
	return green;
}

static void test_without_split_all_go_to_the_active_color(void **state)
{
	struct stage *stage = *state;
	static __u8 colors[CLIENTS];

	stage_web(stage, by_client);
	assert_int_equal(ask_all(stage, colors), 0);
	stage_route(stage, BGS_GREEN, 0);
	assert_int_equal(ask_all(stage, colors), CLIENTS);
}

static void test_full_split_sends_all_to_standby(void **state)
{
	struct stage *stage = *state;
	static __u8 colors[CLIENTS];

	stage_web(stage, by_client);
	stage_route(stage, BGS_BLUE, BGS_SPLIT_MAX);
	assert_int_equal(ask_all(stage, colors), CLIENTS);
	stage_route(stage, BGS_GREEN, BGS_SPLIT_MAX);
	assert_int_equal(ask_all(stage, colors), 0);
}

/* Of 20,000 clients one basis point is two: as many as not may be in it. */
static void test_smallest_and_largest_part_leave_most_where_they_are(void **state)
{
	struct stage *stage = *state;
	static __u8 colors[CLIENTS];

	stage_web(stage, by_client);
	stage_route(stage, BGS_BLUE, 1);
	assert_in_range(ask_all(stage, colors), 0, 12);
	stage_route(stage, BGS_BLUE, BGS_SPLIT_MAX - 1);
	assert_in_range(ask_all(stage, colors), CLIENTS - 12, CLIENTS);
}

/* Three standard deviations: 3 * sqrt(0.5 * 0.5 / 20,000) is about one percent. */
static void assert_share(unsigned int standby, unsigned int split)
{
	long expected = (long)CLIENTS * split / BGS_SPLIT_MAX;

	if (labs((long)standby - expected) > CLIENTS / 100)
		fail_msg("split %u: %u of %d went to standby, expected about %ld", split, standby,
			 CLIENTS, expected);
}

static void test_raising_the_split_moves_no_client_back(void **state)
{
	static const unsigned int splits[] = { 1,    10,   100,	 500,  1000, 2500,
					       5000, 7500, 9000, 9900, 9999, 10000 };
	struct stage *stage = *state;
	static __u8 before[CLIENTS], now[CLIENTS];

	stage_web(stage, by_client);
	for (size_t i = 0; i < ROWS(splits); i++) {
		stage_route(stage, BGS_BLUE, splits[i]);
		assert_share(ask_all(stage, now), splits[i]);
		for (unsigned int k = 0; k < CLIENTS; k++) {
			if (before[k] == BGS_GREEN && now[k] != BGS_GREEN)
				fail_msg("split %u moves client %s back", splits[i], client(k));
		}
		memcpy(before, now, sizeof(before));
	}
}

/* The same clients are on standby, whichever color that is. */
static void test_share_is_that_of_standby_whichever_it_is(void **state)
{
	struct stage *stage = *state;
	static __u8 blue_active[CLIENTS], green_active[CLIENTS];

	stage_web(stage, by_client);
	stage_route(stage, BGS_BLUE, 2500);
	assert_share(ask_all(stage, blue_active), 2500);
	stage_route(stage, BGS_GREEN, 2500);
	assert_share(CLIENTS - ask_all(stage, green_active), 2500);
	for (unsigned int i = 0; i < CLIENTS; i++)
		assert_int_not_equal(blue_active[i], green_active[i]);
}

static void test_ipv6_clients_are_split_as_well(void **state)
{
	struct stage *stage = *state;
	unsigned int green = 0;

	stage_web(stage, by_client);
	stage_route(stage, BGS_BLUE, 3000);
	for (unsigned int i = 0; i < CLIENTS; i++)
		green += stage_lookup(stage, v6_client(i), "[2001:db8:1::1]:80") == BGS_GREEN;
	assert_share(green, 3000);
}

/* Of 1,000 ports of one client, how many connections go to green? */
static unsigned int ask_ports(const struct stage *stage, unsigned int number)
{
	unsigned int green = 0;
	char text[32];

	for (unsigned int port = 20000; port < 21000; port++) {
		snprintf(text, sizeof(text), "10.1.%u.%u:%u", number >> 8, number & 255, port);
		green += stage_lookup(stage, text, LOCAL) == BGS_GREEN;
	}
	return green;
}

static void test_a_client_keeps_its_color(void **state)
{
	struct stage *stage = *state;
	unsigned int on_green = 0;

	stage_web(stage, by_client);
	stage_route(stage, BGS_BLUE, 5000);
	for (unsigned int number = 0; number < 20; number++) {
		unsigned int green = ask_ports(stage, number);

		assert_true(green == 0 || green == 1000);
		on_green += green == 1000;
	}
	assert_in_range(on_green, 1, 19);
}

static void test_by_connection_the_same_client_gets_both(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, by_connection);
	stage_route(stage, BGS_BLUE, 5000);
	for (unsigned int number = 0; number < 20; number++)
		assert_in_range(ask_ports(stage, number), 430, 570);
}

static void test_steered_connections_are_counted_by_color(void **state)
{
	struct stage *stage = *state;
	static __u8 colors[CLIENTS];
	struct bgs_counters counters;
	unsigned int green;

	stage_web(stage, by_client);
	stage_route(stage, BGS_BLUE, 2000);
	green = ask_all(stage, colors);
	counters = stage_counters(stage);
	assert_int_equal(counters.steered[BGS_GREEN], green);
	assert_int_equal(counters.steered[BGS_BLUE], CLIENTS - green);
	assert_int_equal(counters.failover, 0);
	assert_int_equal(counters.refused, 0);
	assert_int_equal(counters.passed, 0);
	assert_int_equal(counters.errors, 0);
	assert_int_equal(counters.previewed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_without_split_all_go_to_the_active_color),
		stage_test(test_full_split_sends_all_to_standby),
		stage_test(test_smallest_and_largest_part_leave_most_where_they_are),
		stage_test(test_raising_the_split_moves_no_client_back),
		stage_test(test_share_is_that_of_standby_whichever_it_is),
		stage_test(test_ipv6_clients_are_split_as_well),
		stage_test(test_a_client_keeps_its_color),
		stage_test(test_by_connection_the_same_client_gets_both),
		stage_test(test_steered_connections_are_counted_by_color),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
