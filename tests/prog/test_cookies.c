/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may have been sent a SYN cookie comes back to who sent it. The namespace's
 * tcp_syncookies is 2, so that each lookup is noted; time passes by notes that
 * are made older.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/cookies.h"
#include "datapath/map.h"
#include "lib/stage.h"
#include "lib/test.h"

#define LOCAL "10.0.0.1:80"
#define LOCAL6 "[2001:db8::1]:80"
#define CLIENT "10.9.8.7:40000"
#define CLIENT6 "[2001:db8::7]:40000"
#define SECOND_NS 1000000000ULL

static const struct bgs_flags flags = { .failover = 1 };

static void set_syncookies(char value)
{
	int fd = open("/proc/sys/net/ipv4/tcp_syncookies", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, &value, 1), 1);
	close(fd);
}

static struct stage *web(void **state, char syncookies)
{
	struct stage *stage = *state;

	set_syncookies(syncookies);
	stage_web(stage, flags);
	return stage;
}

static struct bgs_cookie_key key_of(const struct stage *stage)
{
	return (struct bgs_cookie_key){
		.address = { 0, 0, htonl(0xffff), htonl(0x0a090807) },
		.port = 40000,
		.slot = stage->slot,
	};
}

static bool find_note(const struct stage *stage, struct bgs_cookie *note)
{
	const struct bgs_cookie_key key = key_of(stage);

	return !map_get(stage->fixture.datapath.fds[PIN_COOKIES], &key, note);
}

/* The note of CLIENT, and the service's own, were made so many seconds earlier. */
static void age(const struct stage *stage, unsigned int seconds)
{
	const struct datapath *datapath = &stage->fixture.datapath;
	const struct bgs_cookie_key key = key_of(stage);
	struct bgs_rotation set;
	struct bgs_cookie note;

	assert_true(find_note(stage, &note));
	note.noted_ns -= seconds * SECOND_NS;
	assert_int_equal(map_put(datapath->fds[PIN_COOKIES], &key, &note), 0);
	assert_int_equal(map_get(datapath->fds[PIN_ROTATION], &stage->slot, &set), 0);
	set.cookie_ns[BGS_INSTANCE_COLOR(note.instance)] = note.noted_ns;
	assert_int_equal(map_put(datapath->fds[PIN_ROTATION], &stage->slot, &set), 0);
}

static bool pending(const struct stage *stage, enum bgs_color color)
{
	bool answer;

	assert_int_equal(cookies_pending(&stage->fixture.datapath, stage->slot, color, &answer), 0);
	return answer;
}

static void test_client_comes_back_to_the_color_that_answered_it(void **state)
{
	static const char *const clients[][2] = { { CLIENT, LOCAL }, { CLIENT6, LOCAL6 } };
	const struct stage *stage = web(state, '2');

	for (size_t i = 0; i < ROWS(clients); i++) {
		stage_route(stage, BGS_BLUE, 0);
		assert_int_equal(stage_lookup(stage, clients[i][0], clients[i][1]), BGS_BLUE);
		stage_route(stage, BGS_GREEN, 0);
		assert_int_equal(stage_lookup(stage, clients[i][0], clients[i][1]), BGS_BLUE);
	}
	assert_int_equal(stage_counters(stage).steered[BGS_BLUE], 2 * ROWS(clients));
}

static void test_another_port_is_another_client(void **state)
{
	const struct stage *stage = web(state, '2');

	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	stage_route(stage, BGS_GREEN, 0);
	assert_int_equal(stage_lookup(stage, "10.9.8.7:40001", LOCAL), BGS_GREEN);
	assert_int_equal(stage_lookup(stage, "10.9.8.8:40000", LOCAL), BGS_GREEN);
}

static void test_nothing_is_noted_while_no_cookie_is_sent(void **state)
{
	struct stage *stage = web(state, '0');
	struct bgs_cookie note;

	for (char setting = '0'; setting <= '1'; setting++) {
		set_syncookies(setting);
		assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
		assert_false(find_note(stage, &note));
		assert_false(pending(stage, BGS_BLUE));
	}
}

/* To the second: what a test takes between its steps is less. */
static void test_note_counts_for_its_time(void **state)
{
	const struct stage *stage = web(state, '2');

	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	stage_route(stage, BGS_GREEN, 0);
	age(stage, BGS_COOKIE_TTL_S - 1);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	assert_true(pending(stage, BGS_BLUE));
	age(stage, 1);
	assert_false(pending(stage, BGS_BLUE));
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_GREEN);
	assert_true(pending(stage, BGS_GREEN));
}

/* One that comes again and again does not keep the old color from ending. */
static void test_note_is_not_prolonged_by_its_use(void **state)
{
	const struct stage *stage = web(state, '2');
	struct bgs_cookie before, after;

	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	assert_true(find_note(stage, &before));
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	assert_true(find_note(stage, &after));
	assert_memory_equal(&before, &after, sizeof(before));
}

/* What it sends is dropped until then, and it sends it again. */
static void test_note_lasts_while_the_accept_queue_is_full(void **state)
{
	struct stage *stage = web(state, '2');
	int waiting;

	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	stage_route(stage, BGS_GREEN, 0);
	age(stage, BGS_COOKIE_TTL_S - 1);
	assert_int_equal(listen(stage->listeners[BGS_BLUE], 0), 0);
	waiting = connect_to("127.0.0.1:8081"); /* past the service */
	assert_true(waiting >= 0);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	age(stage, BGS_COOKIE_TTL_S - 1);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	close(waiting);
}

static void test_dead_listener_is_not_waited_for(void **state)
{
	struct stage *stage = web(state, '2');

	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	stage_route(stage, BGS_GREEN, 0);
	stage_close(stage, BGS_BLUE);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_GREEN);
}

/* The choice among instances changes with their number, and a note does not. */
static void test_client_comes_back_to_the_instance_beside_new_ones(void **state)
{
	struct stage *stage = *state;
	int chosen;

	set_syncookies('2');
	stage_service(stage, "web", "0.0.0.0:80", ":8081,:8082,:8083,:8084", ":9081", flags);
	stage_listen(stage, "[::]:8081");
	stage_listen(stage, "[::]:8082");
	chosen = stage_lookup(stage, CLIENT, LOCAL);
	assert_in_range(chosen, 0, 1);
	assert_int_equal(service_enable(&stage->fixture.datapath, stage->slot, BGS_BLUE,
					0xf & ~(1U << chosen)),
			 0);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), chosen);
}

static void test_services_have_notes_of_their_own(void **state)
{
	struct stage *stage = web(state, '2');
	__u32 first = stage->slot;

	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	stage_service(stage, "other", "0.0.0.0:81", ":9081", ":9082", flags);
	stage_listen(stage, "[::]:9081");
	assert_int_equal(stage_lookup(stage, CLIENT, "10.0.0.1:81"), 2);
	assert_true(stage->slot != first);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	assert_true(pending(stage, BGS_BLUE));
	assert_false(pending(stage, BGS_GREEN));
}

static void test_pending_says_why_it_cannot_tell(void **state)
{
	struct stage *stage = web(state, '2');
	bool answer;

	assert_int_equal(
		cookies_pending(&stage->fixture.datapath, BGS_MAX_SERVICES, BGS_BLUE, &answer),
		-ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_client_comes_back_to_the_color_that_answered_it),
		stage_test(test_another_port_is_another_client),
		stage_test(test_nothing_is_noted_while_no_cookie_is_sent),
		stage_test(test_note_counts_for_its_time),
		stage_test(test_note_is_not_prolonged_by_its_use),
		stage_test(test_note_lasts_while_the_accept_queue_is_full),
		stage_test(test_dead_listener_is_not_waited_for),
		stage_test(test_client_comes_back_to_the_instance_beside_new_ones),
		stage_test(test_services_have_notes_of_their_own),
		stage_test(test_pending_says_why_it_cannot_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
