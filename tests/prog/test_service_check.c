/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections through the service's own address: who took them, and what is said of it. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "datapath/map.h"
#include "datapath/preview.h"
#include "datapath/trace.h"
#include "lib/stage.h"
#include "lib/test.h"
#include "switch/service_check.h"

#define PATIENCE_MS 10000

static const struct bgs_flags no_failover = {};

static struct bgs_endpoint endpoint(const char *text)
{
	struct endpoint parsed;
	struct failure failure;

	assert_int_equal(endpoint_parse(&parsed, text, "test", &failure), 0);
	return parsed.key;
}

static struct service_check *begin(const struct stage *stage, const char *address,
				   struct service_check_result *result)
{
	const struct bgs_endpoint listen = endpoint(address);

	return service_check_begin(&stage->fixture.datapath, stage->slot, &listen, result);
}

static void wait_for(const struct service_check *check)
{
	struct pollfd event = { .fd = service_check_fd(check), .events = POLLOUT };

	assert_int_equal(poll(&event, 1, PATIENCE_MS), 1);
}

static struct service_check_result check(const struct stage *stage, const char *address)
{
	struct service_check_result result;
	struct service_check *one = begin(stage, address, &result);

	if (!one)
		return result;
	wait_for(one);
	service_check_end(one, &result);
	return result;
}

static void assert_reached(const struct service_check_result *result, int color)
{
	assert_string_equal(result->error, "");
	assert_true(result->ok);
	assert_int_equal(result->reached, color);
	assert_true(result->ended_ms > 0);
}

static void test_says_which_color_took_it(void **state)
{
	static const struct {
		const char *listen, *address;
	} rows[] = {
		{ "0.0.0.0:80", "127.0.0.1:80" },
		{ "[::]:80", "[::1]:80" },
		{ "127.1.2.3:80", "127.1.2.3:80" },
	};
	struct stage *stage = *state;

	stage_service(stage, "web", "0.0.0.0:80,[::]:80", ":8081", ":8082", no_failover);
	stage_listen(stage, "[::]:8081"); /* takes IPv4 too: sockets of another family */
	stage_listen(stage, "[::]:8082");
	for (int repeat = 0; repeat < 50; repeat++) {
		for (size_t i = 0; i < ROWS(rows); i++) {
			struct service_check_result result;

			stage_route(stage, repeat & 1, 0);
			result = check(stage, rows[i].listen);
			assert_reached(&result, repeat & 1);
			assert_int_equal(result.expected, repeat & 1);
			assert_string_equal(result.address, rows[i].address);
			close(accept(stage->listeners[repeat & 1], NULL, NULL));
		}
	}
}

static void test_what_the_map_says(void **state)
{
	static const struct {
		enum bgs_color active;
		unsigned int split;
		int expected;
	} rows[] = {
		{ BGS_BLUE, 0, BGS_BLUE },
		{ BGS_GREEN, 0, BGS_GREEN },
		{ BGS_BLUE, BGS_SPLIT_MAX, BGS_GREEN },
		{ BGS_BLUE, 5000, -1 },
	};
	const struct preview preview = { .network = { .family = BGS_V6, .bits = 128 } };
	struct stage *stage = *state;
	struct service_check_result result;
	struct failure failure;

	stage_web(stage, no_failover);
	for (size_t i = 0; i < ROWS(rows); i++) {
		stage_route(stage, rows[i].active, rows[i].split);
		result = check(stage, "0.0.0.0:80");
		assert_true(result.ok);
		assert_int_equal(result.expected, rows[i].expected);
		assert_true(result.reached >= 0);
	}
	stage_route(stage, BGS_BLUE, 0);
	assert_int_equal(previews_add(&stage->fixture.datapath, stage->slot, &preview, 1, &failure),
			 0);
	result = check(stage, "0.0.0.0:80");
	assert_reached(&result, BGS_BLUE);
	assert_int_equal(result.expected, -1);
}

static void test_nobody_there_is_said_in_words(void **state)
{
	struct stage *stage = *state;
	struct service_check_result result;

	stage_service(stage, "web", "0.0.0.0:80,192.0.2.1:80", ":8081", ":8082", no_failover);
	result = check(stage, "0.0.0.0:80");
	assert_true(result.ok); /* nobody to steer to, and no connection that would be counted */
	assert_int_equal(result.reached, -1);
	assert_int_equal(stage_counters(stage).refused, 0);
	stage_listen(stage, "0.0.0.0:8081");
	result = check(stage, "192.0.2.1:80");
	assert_false(result.ok);
	assert_string_equal(result.error, "192.0.2.1:80: not an address of this host");
}

static void test_failover_is_as_the_map_says(void **state)
{
	struct stage *stage = *state;
	struct service_check_result result;

	stage_web(stage, (struct bgs_flags){ .failover = 1 });
	stage_close(stage, BGS_BLUE);
	result = check(stage, "0.0.0.0:80");
	assert_reached(&result, BGS_GREEN);
}

static void test_a_flip_meanwhile_makes_either_right(void **state)
{
	struct stage *stage = *state;
	struct service_check_result result;
	struct service_check *one;

	stage_web(stage, no_failover);
	one = begin(stage, "0.0.0.0:80", &result);
	assert_non_null(one);
	wait_for(one);
	stage_route(stage, BGS_GREEN, 0);
	service_check_end(one, &result);
	assert_reached(&result, BGS_BLUE);
	assert_int_equal(result.expected, -1);
}

static void test_a_listener_on_the_port_itself_is_found(void **state)
{
	struct stage *stage = *state;
	struct service_check_result result;

	stage_service(stage, "web", "0.0.0.0:80", ":8081", ":8082",
		      (struct bgs_flags){ .pass_when_empty = 1 });
	stage_listen(stage, "0.0.0.0:80");
	result = check(stage, "0.0.0.0:80");
	assert_false(result.ok);
	assert_contains(result.error, "127.0.0.1:80 was not taken by an instance of this service");
	assert_int_equal(result.reached, -1);
}

/* The map claims the other color behind the program's back: what a wrong switch looks like. */
static void test_the_wrong_color_is_found(void **state)
{
	struct stage *stage = *state;
	const struct datapath *datapath = &stage->fixture.datapath;
	struct service_check_result result;
	struct service_check *one;
	struct bgs_probe probe;
	__u32 place;

	stage_web(stage, no_failover);
	one = begin(stage, "0.0.0.0:80", &result);
	assert_non_null(one);
	wait_for(one);
	close(accept(stage->listeners[BGS_BLUE], NULL, NULL)); /* it has been noted by now */
	for (place = 0; place < BGS_PROBES; place++) {
		assert_int_equal(map_get(datapath->fds[PIN_PROBES], &place, &probe), 0);
		if (probe.taken_by)
			break;
	}
	assert_int_equal(probe.taken_by, BGS_INSTANCE(stage->slot, BGS_BLUE, 0) + 1);
	probe.taken_by = BGS_INSTANCE(stage->slot, BGS_GREEN, 0) + 1;
	assert_int_equal(map_put(datapath->fds[PIN_PROBES], &place, &probe), 0);
	service_check_end(one, &result);
	assert_false(result.ok);
	assert_string_equal(result.error, "127.0.0.1:80 went to green, the map says blue");
}

static void test_another_service_on_loopback_is_stepped_around(void **state)
{
	struct stage *stage = *state;
	struct service_check_result result;

	stage_service(stage, "other", "127.0.0.1:80,[::1]:80", ":9081", ":9082", no_failover);
	stage_web(stage, no_failover);
	result = check(stage, "0.0.0.0:80");
	assert_reached(&result, BGS_BLUE);
	assert_string_equal(result.address, "127.0.0.2:80");
	result = check(stage, "[::]:80");
	assert_true(result.ok); /* and nothing seen: IPv6 has no second loopback address */
	assert_int_equal(result.reached, -1);
}

static void test_without_registration_a_connection_is_enough(void **state)
{
	struct stage *stage = *state;
	int *link = &stage->fixture.datapath.fds[PIN_REGISTER];
	struct service_check_result result;

	stage_web(stage, no_failover);
	close(*link);
	*link = -1;
	assert_int_equal(pin_remove(stage->fixture.place.pin_dir, PIN_REGISTER), 0);
	result = check(stage, "0.0.0.0:80");
	assert_true(result.ok);
	assert_int_equal(result.reached, -1);
}

static void test_the_server_sees_an_orderly_end(void **state)
{
	struct stage *stage = *state;
	struct service_check_result result;
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	char byte;
	int server;

	stage_web(stage, no_failover);
	result = check(stage, "0.0.0.0:80");
	assert_reached(&result, BGS_BLUE);
	server = accept(stage->listeners[BGS_BLUE], (struct sockaddr *)&peer, &size);
	assert_true(server >= 0);
	/* Many servers log a reset as an error; this comes every few seconds. */
	assert_int_equal(recv(server, &byte, 1, 0), 0);
	close(server);
}

static void test_only_the_armed_connection_is_noted(void **state)
{
	struct stage *stage = *state;
	const struct datapath *datapath = &stage->fixture.datapath;
	__u32 number;
	int fd;

	stage_web(stage, no_failover);
	assert_int_equal(trace_arm(datapath, 1), 0);
	fd = connect_to("127.0.0.1:80");
	assert_int_equal(accepted_by(stage->listeners, 2), BGS_BLUE);
	close(fd);
	assert_int_equal(trace_read(datapath, 1, false, &number), -ENOENT);
	assert_int_equal(trace_read(datapath, 1 + BGS_PROBES, false, &number), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_says_which_color_took_it),
		stage_test(test_what_the_map_says),
		stage_test(test_nobody_there_is_said_in_words),
		stage_test(test_failover_is_as_the_map_says),
		stage_test(test_a_flip_meanwhile_makes_either_right),
		stage_test(test_a_listener_on_the_port_itself_is_found),
		stage_test(test_the_wrong_color_is_found),
		stage_test(test_another_service_on_loopback_is_stepped_around),
		stage_test(test_without_registration_a_connection_is_enough),
		stage_test(test_the_server_sees_an_orderly_end),
		stage_test(test_only_the_armed_connection_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
