/* SPDX-License-Identifier: GPL-2.0-only */
/* Which service a lookup belongs to. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <linux/bpf.h>

#include "lib/stage.h"
#include "lib/test.h"

#define V4_CLIENT "10.9.8.7:40000"
#define V6_CLIENT "[2001:db8::7]:40000"

static const struct bgs_flags flags = { .failover = 1 };

static const char *from(const char *local)
{
	return *local == '[' ? V6_CLIENT : V4_CLIENT;
}

#define assert_goes(stage, local, expected)                                                        \
	do {                                                                                       \
		int place = stage_lookup(stage, from(local), local);                               \
                                                                                                   \
		if (place != (expected))                                                           \
			fail_msg("%s goes to %d, expected %d", local, place, expected);            \
	} while (0)

/* A service whose blue listens, and takes everything; returns the listener's place. */
static int declare(struct stage *stage, const char *name, const char *listen, unsigned int port)
{
	char blue[32], green[32], address[32];

	snprintf(blue, sizeof(blue), ":%u", port);
	snprintf(green, sizeof(green), ":%u", port + 1);
	snprintf(address, sizeof(address), "[::]:%u", port);
	stage_service(stage, name, listen, blue, green, flags);
	return stage_listen(stage, address);
}

static void remove_service(const struct stage *stage, const char *name)
{
	const struct datapath *datapath = &stage->fixture.datapath;
	struct bgs_service service;
	struct failure failure;
	__u32 slot;

	assert_int_equal(service_find(datapath, name, &slot, &service, &failure), 0);
	assert_int_equal(service_remove(datapath, slot, &failure), 0);
}

static void test_exact_address_goes_before_the_wildcard(void **state)
{
	struct stage *stage = *state;
	int any = declare(stage, "any", "0.0.0.0:80,[::]:80", 8000);
	int exact = declare(stage, "exact", "10.0.0.1:80,[2001:db8::1]:80", 8100);

	assert_goes(stage, "10.0.0.1:80", exact);
	assert_goes(stage, "[2001:db8::1]:80", exact);
	assert_goes(stage, "10.0.0.2:80", any);
	assert_goes(stage, "[2001:db8::2]:80", any);
	remove_service(stage, "exact");
	assert_goes(stage, "10.0.0.1:80", any);
	assert_goes(stage, "[2001:db8::1]:80", any);
}

static void test_exact_address_stays_when_the_wildcard_goes(void **state)
{
	struct stage *stage = *state;
	int exact = declare(stage, "exact", "10.0.0.1:80", 8100);

	declare(stage, "any", "0.0.0.0:80,[::]:80", 8000);
	remove_service(stage, "any");
	assert_goes(stage, "10.0.0.1:80", exact);
	assert_goes(stage, "10.0.0.2:80", PASSED);
	assert_goes(stage, "[2001:db8::1]:80", PASSED);
}

static void test_wildcard_takes_its_own_family_only(void **state)
{
	struct stage *stage = *state;
	int v4 = declare(stage, "v4", "0.0.0.0:80", 8000);
	int v6 = declare(stage, "v6", "[::]:81", 8100);

	assert_goes(stage, "10.0.0.1:80", v4);
	assert_goes(stage, "[2001:db8::1]:80", PASSED);
	assert_goes(stage, "[2001:db8::1]:81", v6);
	assert_goes(stage, "10.0.0.1:81", PASSED);
}

static void test_undeclared_address_or_port_is_left_alone(void **state)
{
	struct stage *stage = *state;
	int exact = declare(stage, "exact", "10.0.0.1:80,[2001:db8::1]:80", 8000);

	assert_goes(stage, "10.0.0.1:80", exact);
	assert_goes(stage, "10.0.0.2:80", PASSED);
	assert_goes(stage, "[2001:db8::2]:80", PASSED);
	assert_goes(stage, "10.0.0.1:81", PASSED);
	assert_goes(stage, "10.0.0.1:65535", PASSED);
	/* The instance's own port stays reachable directly. */
	assert_goes(stage, "10.0.0.1:8000", PASSED);
	/* 80 in the other byte order */
	assert_goes(stage, "10.0.0.1:20480", PASSED);
}

static void test_other_protocols_are_left_alone(void **state)
{
	struct stage *stage = *state;
	int web = declare(stage, "web", "0.0.0.0:53", 8000);
	struct lookup_result result =
		fixture_lookup_udp(stage->fixture.steer, V4_CLIENT, "10.0.0.1:53");

	assert_int_equal(result.verdict, SK_PASS);
	assert_int_equal(result.cookie, 0);
	assert_goes(stage, "10.0.0.1:53", web);
}

static void test_one_flip_moves_every_listen_address(void **state)
{
	static const char *const addresses[] = { "10.3.3.3:80", "[2001:db8::3]:80", "10.0.0.1:81",
						 "[2001:db8::1]:82", "10.0.0.1:83" };
	struct stage *stage = *state;

	stage_service(stage, "web", "0.0.0.0:80,[::]:80,10.0.0.1:81,[2001:db8::1]:82,10.0.0.1:83",
		      ":8081", ":8082", flags);
	stage_listen(stage, "[::]:8081");
	stage_listen(stage, "[::]:8082");
	for (enum bgs_color color = BGS_COLORS; color-- > 0;) {
		stage_route(stage, color, 0);
		for (size_t i = 0; i < ROWS(addresses); i++)
			assert_goes(stage, addresses[i], (int)color);
	}
}

/* Lookups of "10.0.0.1:80" while services change: how many did not go where they may. */
struct watch {
	struct stage *stage;
	int allowed[2];
	atomic_bool done;
	unsigned long lookups, strays;
	pthread_t thread;
};

static void *look_up_all_the_time(void *data)
{
	struct watch *watch = data;

	while (!watch->done) {
		int place = stage_lookup(watch->stage, V4_CLIENT, "10.0.0.1:80");

		watch->strays += place != watch->allowed[0] && place != watch->allowed[1];
		watch->lookups++;
	}
	return NULL;
}

static void watch_start(struct watch *watch)
{
	assert_int_equal(pthread_create(&watch->thread, NULL, look_up_all_the_time, watch), 0);
}

static void watch_end(struct watch *watch)
{
	watch->done = true;
	pthread_join(watch->thread, NULL);
	if (watch->strays)
		fail_msg("%lu of %lu lookups went astray", watch->strays, watch->lookups);
}

/* Adds and removes a service whose green listens already and whose blue does not. */
static void come_and_go(struct stage *stage, const char *listen, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		stage_service(stage, "goes", listen, ":8100", ":8101", flags);
		remove_service(stage, "goes");
	}
}

/* Both share the entry of port 80 in `ports`. */
static void test_change_of_a_service_disturbs_no_neighbour_on_its_port(void **state)
{
	struct stage *stage = *state;
	int stays = declare(stage, "stays", "10.0.0.1:80", 8000);
	struct watch watch = { .stage = stage, .allowed = { stays, stays } };

	watch_start(&watch);
	come_and_go(stage, "10.0.0.2:80", 100);
	watch_end(&watch);
}

static void test_service_takes_an_address_from_a_wildcard_and_gives_it_back(void **state)
{
	struct stage *stage = *state;
	int any = declare(stage, "any", "0.0.0.0:80", 8000);
	int specific = stage_listen(stage, "127.0.0.1:8101");
	struct watch watch = { .stage = stage, .allowed = { any, specific } };

	watch_start(&watch);
	come_and_go(stage, "10.0.0.1:80", 100);
	watch_end(&watch);
}

/* Who was served by an ordinary listener until now is not refused meanwhile. */
static void test_service_is_whole_when_it_appears(void **state)
{
	struct stage *stage = *state;
	int green = stage_listen(stage, "127.0.0.1:8101");
	struct watch watch = { .stage = stage, .allowed = { PASSED, green } };

	watch_start(&watch);
	come_and_go(stage, "0.0.0.0:80,10.0.0.1:80", 100);
	watch_end(&watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_exact_address_goes_before_the_wildcard),
		stage_test(test_exact_address_stays_when_the_wildcard_goes),
		stage_test(test_wildcard_takes_its_own_family_only),
		stage_test(test_undeclared_address_or_port_is_left_alone),
		stage_test(test_other_protocols_are_left_alone),
		stage_test(test_one_flip_moves_every_listen_address),
		stage_test(test_change_of_a_service_disturbs_no_neighbour_on_its_port),
		stage_test(test_service_takes_an_address_from_a_wildcard_and_gives_it_back),
		stage_test(test_service_is_whole_when_it_appears),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
