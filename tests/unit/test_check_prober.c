/* SPDX-License-Identifier: GPL-2.0-only */
/* When checks begin: at once, at their interval, never twice at a time. */
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "check/socket_pool.h"
#include "check/timetable.h"
#include "lib/little_server.h"
#include "lib/probing.h"
#include "lib/sample.h"
#include "lib/test.h"

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static struct check check_of(enum check_kind kind, unsigned int interval_ms)
{
	struct check check;

	check_init(&check);
	check.kind = kind;
	check.interval_ms = interval_ms;
	check.fast_interval_ms = interval_ms / 4 ? interval_ms / 4 : 1;
	return check;
}

static int descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void test_the_timetable_is_in_order(void **state)
{
	enum { COUNT = 500 };
	struct timetable_entry entries[COUNT] = {};
	uint64_t due[COUNT], last = 0;
	struct timetable table = {};
	size_t left = COUNT;

	(void)state;
	srand(7);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(timetable_reserve(&table), 0);
		due[i] = (uint64_t)rand() % 1000;
		timetable_set(&table, &entries[i], due[i]);
	}
	for (size_t i = 0; i < COUNT; i += 3) { /* moves, either way */
		due[i] = (uint64_t)rand() % 1000;
		timetable_set(&table, &entries[i], due[i]);
	}
	for (size_t i = 1; i < COUNT; i += 5, left--)
		timetable_remove(&table, &entries[i]);
	assert_int_equal(table.count, left);
	timetable_remove(&table, &entries[1]); /* again: nothing happens */
	for (; left; left--) {
		const struct timetable_slot first = *timetable_first(&table);

		assert_true(first.due >= last);
		assert_true(first.due == due[first.entry - entries]);
		last = first.due;
		timetable_remove(&table, first.entry);
	}
	assert_null(timetable_first(&table));
	timetable_free(&table);
}

static void test_none_cannot_be_added(void **state)
{
	const struct check check = check_of(CHECK_NONE, 100);
	struct prober *prober = probing_start();
	struct endpoint endpoint;
	struct failure failure;

	(void)state;
	assert_int_equal(endpoint_parse(&endpoint, "127.0.0.1:1", "", &failure), 0);
	assert_null(prober_add(prober, &check, &endpoint, tally_result, NULL, &failure));
	assert_failure(failure, EXIT_USAGE, "'none' cannot be run");
	prober_free(prober);
	prober_free(NULL);
	probe_remove(NULL);
}

static void test_checks_come_at_their_interval(void **state)
{
	const struct check check = check_of(CHECK_HTTP, 50);
	struct prober *prober = probing_start();
	struct little_server server;
	struct tally tally;
	double begin = sample_now(), seconds;

	(void)state;
	little_start(&server, "127.0.0.1", LITTLE_CLOSE, answer, strlen(answer));
	probing_add(prober, &check, server.address, &tally);
	probing_await(prober, &tally, 1);
	assert_true(sample_now() - begin < 1e9); /* at once; a busy machine may take its time */
	begin = sample_now();
	probing_await(prober, &tally, 21);
	seconds = (sample_now() - begin) / 1e9;
	/* 19 full intervals and a part of one, each 5 % shorter at the most */
	assert_true(seconds > 0.85);
	assert_int_equal(tally.good, tally.ended);
	assert_true(prober_statistics(prober)->checks == tally.ended);
	assert_true(prober_statistics(prober)->failed == 0);
	prober_free(prober);
	little_stop(&server);
	assert_int_equal(server.connections, (int)tally.ended);
}

/* A server that takes one connection at a time would see a second one. */
static void test_a_slow_check_does_not_overlap_itself(void **state)
{
	struct check check = check_of(CHECK_HTTP, 10);
	struct prober *prober = probing_start();
	struct little_server server;
	struct tally tally;
	double begin = sample_now();

	(void)state;
	check.timeout_ms = 100;
	little_start(&server, "127.0.0.1", LITTLE_STAY, "", 0);
	probing_add(prober, &check, server.address, &tally);
	probing_await(prober, &tally, 5);
	assert_true(sample_now() - begin >= 0.5e9);
	assert_int_equal(tally.good, 0);
	prober_free(prober);
	little_stop(&server);
	assert_in_range(server.connections, 5, 6);
}

static void test_the_pace_can_be_changed(void **state)
{
	struct check check = check_of(CHECK_TCP, 600000);
	struct prober *prober = probing_start();
	struct little_server server;
	struct probe *probe;
	struct tally tally;

	(void)state;
	check.fast_interval_ms = 20;
	little_start(&server, "127.0.0.1", LITTLE_DEAF, "", 0);
	probe = probing_add(prober, &check, server.address, &tally);
	probing_await(prober, &tally, 1);
	probe_pace(probe, true);
	probing_await(prober, &tally, 6);
	probe_pace(probe, false);
	probing_await(prober, &tally, 7); /* the one that was planned already */
	probing_run(prober, 200);
	assert_int_equal(tally.ended, 7);
	probe_hurry(probe);
	probing_await(prober, &tally, 8);
	assert_int_equal(tally.good, 8);
	prober_free(prober);
	little_stop(&server);
}

/* A check that is asked for while one runs begins after that one has ended. */
static void test_hurry_waits_for_the_one_under_way(void **state)
{
	struct check check = check_of(CHECK_HTTP, 600000);
	struct prober *prober = probing_start();
	struct little_server server;
	struct probe *probe;
	struct tally tally;

	(void)state;
	check.timeout_ms = 100;
	little_start(&server, "127.0.0.1", LITTLE_STAY, "", 0);
	probe = probing_add(prober, &check, server.address, &tally);
	prober_run(prober); /* begins */
	probe_hurry(probe);
	probe_hurry(probe);
	probing_await(prober, &tally, 2);
	probing_run(prober, 150);
	assert_int_equal(tally.ended, 2);
	prober_free(prober);
	little_stop(&server);
	assert_int_equal(server.connections, 2);
}

struct remover {
	struct prober *prober;
	struct probe *probes[8];
	const struct check *check;
	struct endpoint endpoint;
	unsigned int called;
};

/* The first result removes them all, itself too, and adds one. */
static void remove_all(void *data, const struct check_result *result)
{
	struct remover *remover = data;
	struct failure failure;

	assert_true(result->ok);
	remover->called++;
	for (size_t i = 0; i < ROWS(remover->probes); i++) {
		probe_remove(remover->probes[i]);
		remover->probes[i] = NULL;
	}
	remover->probes[0] = prober_add(remover->prober, remover->check, &remover->endpoint,
					remove_all, remover, &failure);
	assert_non_null(remover->probes[0]);
	probe_hurry(remover->probes[0]);
	probe_pace(remover->probes[0], true);
}

static void test_callbacks_may_change_everything(void **state)
{
	static const enum check_kind kinds[] = { CHECK_TCP, CHECK_HTTP, CHECK_HTTP };

	(void)state;
	for (unsigned int kind = 0; kind < ROWS(kinds); kind++) {
		struct check check = check_of(kinds[kind], 100);
		struct remover remover = { .check = &check };
		struct little_server server;
		struct failure failure;
		struct pollfd ready;

		check.redirects = kind == 2;
		little_start(&server, "127.0.0.1", LITTLE_STAY, answer, strlen(answer));
		remover.prober = probing_start();
		assert_int_equal(endpoint_parse(&remover.endpoint, server.address, "", &failure),
				 0);
		for (size_t i = 0; i < ROWS(remover.probes); i++) {
			remover.probes[i] = prober_add(remover.prober, &check, &remover.endpoint,
						       remove_all, &remover, &failure);
			assert_non_null(remover.probes[i]);
		}
		ready = (struct pollfd){ .fd = prober_fd(remover.prober), .events = POLLIN };
		while (remover.called < 20) {
			assert_true(poll(&ready, 1, 10000) == 1);
			prober_run(remover.prober);
		}
		prober_free(remover.prober);
		little_stop(&server);
	}
}

static void test_two_hundred_of_all_kinds(void **state)
{
	enum { COUNT = 200 };
	static char *words[] = { "/bin/true", NULL };
	struct check checks[5] = { check_of(CHECK_TCP, 100), check_of(CHECK_HTTP, 100),
				   check_of(CHECK_HTTP, 200), check_of(CHECK_COMMAND, 500),
				   check_of(CHECK_TCP, 100) };
	int before = descriptors();
	struct prober *prober = probing_start();
	struct tally *tallies = calloc(COUNT, sizeof(*tallies));
	struct little_server server;

	(void)state;
	checks[2].redirects = 1;
	checks[3].command = words;
	for (int i = 0; i < 5; i++)
		checks[i].timeout_ms = 30000; /* an emulated machine takes its time */
	little_start(&server, "127.0.0.1", LITTLE_CLOSE, answer, strlen(answer));
	for (unsigned int i = 0; i < COUNT; i++)
		probing_add(prober, &checks[i % 5], i % 5 == 4 ? "127.0.0.1:1" : server.address,
			    &tallies[i]);
	probing_run(prober, 1000);
	for (unsigned int i = 0; i < COUNT; i++)
		probing_await(prober, &tallies[i], 2);
	for (unsigned int i = 0; i < COUNT; i++) {
		if (tallies[i].good != (i % 5 == 4 ? 0 : tallies[i].ended))
			fail_msg("%u: %s: %s", i, tallies[i].last.sent, tallies[i].last.error);
	}
	prober_free(prober);
	little_stop(&server);
	free(tallies);
	assert_int_equal(descriptors(), before);
}

/* Checks that were added together must not keep coming together. */
static void test_checks_are_spread_over_the_interval(void **state)
{
	enum { COUNT = 64, INTERVAL = 400 };
	const struct check check = check_of(CHECK_TCP, INTERVAL);
	struct prober *prober = probing_start();
	struct tally tallies[COUNT];
	struct little_server server;
	long long first = 0, last = 0;

	(void)state;
	little_start(&server, "127.0.0.1", LITTLE_DEAF, "", 0);
	for (int i = 0; i < COUNT; i++)
		probing_add(prober, &check, server.address, &tallies[i]);
	for (int i = 0; i < COUNT; i++)
		probing_await(prober, &tallies[i], 1);
	while (prober_statistics(prober)->checks < 2 * COUNT)
		probing_run(prober, 10);
	for (int i = 0; i < COUNT; i++) {
		long long ended = tallies[i].last.ended_ms;

		if (!first || ended < first)
			first = ended;
		if (ended > last)
			last = ended;
	}
	assert_true(last - first > INTERVAL / 2);
	prober_free(prober);
	little_stop(&server);
}

static void nobody(struct watch *watch, uint32_t events)
{
	(void)watch, (void)events;
}

/* Sockets are kept for the next check, and closed when none has needed them for a while. */
static void test_idle_sockets_are_trimmed(void **state)
{
	enum { COUNT = 8, KEPT = 3 };
	const uint64_t long_ns = 3600ull * 1000000000;
	struct connection *taken[COUNT];
	struct socket_pool pool = {};
	struct watches watches;
	int before = descriptors(), peak;

	(void)state;
	assert_int_equal(watches_open(&watches), 0);
	socket_pool_trim(&pool, &watches, 1);
	for (int i = 0; i < COUNT; i++) {
		taken[i] = socket_take(&pool, &watches, i % 2 ? AF_INET6 : AF_INET, nobody);
		assert_non_null(taken[i]);
	}
	peak = descriptors();
	for (int i = 0; i < COUNT; i++)
		socket_give(&pool, &watches, taken[i]);
	assert_int_equal(descriptors(), peak);
	socket_pool_trim(&pool, &watches, long_ns); /* they were in use in that time */
	assert_int_equal(descriptors(), peak);
	for (int i = 0; i < KEPT; i++)
		taken[i] = socket_take(&pool, &watches, AF_INET, nobody);
	assert_int_equal(descriptors(), peak); /* used again */
	for (int i = 0; i < KEPT; i++)
		socket_give(&pool, &watches, taken[i]);
	socket_pool_trim(&pool, &watches, 2 * long_ns);
	assert_int_equal(descriptors(), peak - COUNT + KEPT);
	socket_pool_close(&pool, &watches);
	watches_close(&watches);
	assert_int_equal(descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_timetable_is_in_order),
		cmocka_unit_test(test_none_cannot_be_added),
		cmocka_unit_test(test_checks_come_at_their_interval),
		cmocka_unit_test(test_a_slow_check_does_not_overlap_itself),
		cmocka_unit_test(test_the_pace_can_be_changed),
		cmocka_unit_test(test_hurry_waits_for_the_one_under_way),
		cmocka_unit_test(test_callbacks_may_change_everything),
		cmocka_unit_test(test_two_hundred_of_all_kinds),
		cmocka_unit_test(test_checks_are_spread_over_the_interval),
		cmocka_unit_test(test_idle_sockets_are_trimmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
