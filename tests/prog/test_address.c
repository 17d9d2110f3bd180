/* SPDX-License-Identifier: GPL-2.0-only */
/* Which listeners serve which declaration, and for clients of which family. */
#include <stdio.h>
#include <unistd.h>

#include "lib/stage.h"
#include "lib/test.h"

#define V4 (1 << BGS_V4)
#define V6 (1 << BGS_V6)
#define BOTH (V4 | V6)

static const struct bgs_flags flags = {};

static const struct {
	const char *declared, *opened;
	int options;
	unsigned int serves;
} rows[] = {
	/* a bare port: any address */
	{ ":8081", "0.0.0.0:8081", 0, V4 },
	{ ":8081", "127.0.0.1:8081", 0, V4 },
	{ ":8081", "[::]:8081", 0, BOTH },
	{ ":8081", "[::]:8081", SOCKET_V6ONLY, V6 },
	{ ":8081", "[::1]:8081", 0, V6 },
	{ ":8081", "[::ffff:127.0.0.1]:8081", 0, V4 },
	{ ":8081", "127.0.0.1:8082", 0, 0 },
	/* a wildcard: any address of its family, and what else the listener serves */
	{ "0.0.0.0:8081", "0.0.0.0:8081", 0, V4 },
	{ "0.0.0.0:8081", "127.0.0.1:8081", 0, V4 },
	{ "0.0.0.0:8081", "[::]:8081", 0, BOTH },
	{ "0.0.0.0:8081", "[::]:8081", SOCKET_V6ONLY, 0 },
	{ "0.0.0.0:8081", "[::1]:8081", 0, 0 },
	{ "[::]:8081", "[::]:8081", SOCKET_V6ONLY, V6 },
	{ "[::]:8081", "[::]:8081", 0, BOTH },
	{ "[::]:8081", "[::1]:8081", 0, V6 },
	{ "[::]:8081", "127.0.0.1:8081", 0, 0 },
	/* a specific address: itself, or a wildcard listener that covers it */
	{ "127.0.0.1:8081", "127.0.0.1:8081", 0, V4 },
	{ "127.0.0.1:8081", "0.0.0.0:8081", 0, V4 },
	{ "127.0.0.1:8081", "[::]:8081", 0, BOTH },
	{ "127.0.0.1:8081", "[::]:8081", SOCKET_V6ONLY, 0 },
	{ "127.0.0.1:8081", "127.0.0.2:8081", 0, 0 },
	{ "127.0.0.1:8081", "[::ffff:127.0.0.1]:8081", 0, V4 },
	{ "[::1]:8081", "[::1]:8081", 0, V6 },
	{ "[::1]:8081", "[::]:8081", SOCKET_V6ONLY, V6 },
	{ "[::1]:8081", "[::]:8081", 0, BOTH },
	{ "[::1]:8081", "0.0.0.0:8081", 0, 0 },
};

/* A test that ran once for each row would load the programs as often: services come and go. */
static unsigned int served(const struct stage *stage, __u64 cookie)
{
	static const char *const ends[BGS_FAMILIES][2] = {
		[BGS_V4] = { "10.9.8.7:40000", "10.0.0.1:80" },
		[BGS_V6] = { "[2001:db8::7]:40000", "[2001:db8::1]:80" },
	};
	unsigned int families = 0;

	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++) {
		const struct lookup_result result =
			fixture_lookup(stage->fixture.steer, ends[family][0], ends[family][1], 1);

		assert_true(!result.cookie || result.cookie == cookie);
		families |= (result.cookie != 0) << family;
	}
	return families;
}

static void test_listeners_serve_declared_addresses(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct failure failure;
		unsigned int families;
		int fd;

		stage_service(stage, "web", "0.0.0.0:80,[::]:80", rows[i].declared, ":9", flags);
		fd = listen_on(rows[i].opened, rows[i].options);
		families = served(stage, cookie_of(fd));
		if (families != rows[i].serves)
			fail_msg("declared %s, opened %s: serves families %#x, expected %#x",
				 rows[i].declared, rows[i].opened, families, rows[i].serves);
		close(fd);
		assert_int_equal(service_remove(&stage->fixture.datapath, stage->slot, &failure),
				 0);
	}
}

static void test_best_declaration_gets_the_listener(void **state)
{
	struct stage *stage = *state;
	int any, exact;

	stage_service(stage, "web", "0.0.0.0:80", "0.0.0.0:8081", "127.0.0.2:8081", flags);
	exact = stage_listen(stage, "127.0.0.2:8081");
	any = stage_listen(stage, "127.0.0.3:8081");
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:80"), any);
	stage_route(stage, BGS_GREEN, 0);
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:80"), exact);
}

/* Of two specific addresses on one port the first declared gets it, and then the other. */
static void test_wildcard_listener_covers_the_next_when_the_first_is_removed(void **state)
{
	struct stage *stage = *state;
	const struct datapath *datapath = &stage->fixture.datapath;
	struct failure failure;
	__u32 first;
	int place;

	stage_service(stage, "a", "0.0.0.0:80", "127.0.0.1:8081", ":9", flags);
	first = stage->slot;
	stage_service(stage, "b", "0.0.0.0:81", "127.0.0.2:8081", ":10", flags);
	place = stage_listen(stage, "0.0.0.0:8081");
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:80"), place);
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:81"), REFUSED);
	assert_int_equal(service_remove(datapath, first, &failure), 0);
	stage_close(stage, place);
	place = stage_listen(stage, "0.0.0.0:8081");
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:81"), place);
}

static void test_number_used_again_knows_nothing_of_its_last_owner(void **state)
{
	struct stage *stage = *state;
	const struct datapath *datapath = &stage->fixture.datapath;
	struct failure failure;
	__u32 slot;

	stage_web(stage, flags);
	stage_lookup(stage, client(1), "10.0.0.1:80");
	slot = stage->slot;
	assert_int_equal(service_remove(datapath, slot, &failure), 0);
	stage_service(stage, "other", "0.0.0.0:90", ":9", ":10", flags);
	assert_int_equal(stage->slot, slot);
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		assert_false(instance_is_listening(datapath, BGS_INSTANCE(slot, color, 0)));
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:90"), REFUSED);
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:80"), PASSED);
	assert_int_equal(stage_counters(stage).steered[BGS_BLUE], 0);
	assert_int_equal(stage_counters(stage).refused, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_listeners_serve_declared_addresses),
		stage_test(test_best_declaration_gets_the_listener),
		stage_test(test_wildcard_listener_covers_the_next_when_the_first_is_removed),
		stage_test(test_number_used_again_knows_nothing_of_its_last_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
