/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections are counted from the end of the handshake to their end, each one once. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/connections.h"
#include "drain/acts.h"
#include "lib/sample.h"
#include "lib/stage.h"
#include "lib/test.h"

#define PATIENCE_NS 10e9

static const struct bgs_flags flags = {};

struct pair {
	int client, server;
};

static struct connection_counts counts(const struct stage *stage, enum bgs_color color)
{
	struct connection_counts now;

	assert_int_equal(
		connections_count_color(&stage->fixture.datapath, stage->slot, color, &now), 0);
	return now;
}

static bool equal(const struct connection_counts *left, const struct connection_counts *right)
{
	return left->accept_queue == right->accept_queue &&
	       left->established == right->established && left->closing == right->closing;
}

/* The last packets may still be on their way when a system call returns. */
static void assert_becomes(const struct stage *stage, enum bgs_color color,
			   unsigned int accept_queue, unsigned int established,
			   unsigned int closing, const char *when)
{
	const struct connection_counts wanted = { .accept_queue = accept_queue,
						  .established = established,
						  .closing = closing };
	double deadline = sample_now() + PATIENCE_NS;
	struct connection_counts now = counts(stage, color);

	while (!equal(&now, &wanted) && sample_now() < deadline) {
		sched_yield();
		now = counts(stage, color);
	}
	if (!equal(&now, &wanted))
		fail_msg("%s: %llu queued, %llu established, %llu closing", when, now.accept_queue,
			 now.established, now.closing);
}

static int accept_one(int listener)
{
	struct pollfd event = { .fd = listener, .events = POLLIN };

	assert_int_equal(poll(&event, 1, 10000), 1);
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static struct pair open_pair(const struct stage *stage, int place, const char *address)
{
	struct pair pair = { .client = connect_to(address) };

	assert_true(pair.client >= 0);
	pair.server = accept_one(stage->listeners[place]);
	assert_true(pair.server >= 0);
	return pair;
}

static void reset_on_close(int fd)
{
	static const struct linger linger = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* How a connection may end, and what is left of it after each step. */
enum step { SERVER_CLOSES, SERVER_SHUTS, CLIENT_CLOSES, CLIENT_RESETS, SERVER_RESETS, NOTHING };

static void take_step(struct pair *pair, enum step step)
{
	switch (step) {
	case SERVER_RESETS:
		reset_on_close(pair->server);
		/* fallthrough */
	case SERVER_CLOSES:
		close(pair->server);
		pair->server = -1;
		break;
	case SERVER_SHUTS:
		shutdown(pair->server, SHUT_WR);
		break;
	case CLIENT_RESETS:
		reset_on_close(pair->client);
		/* fallthrough */
	case CLIENT_CLOSES:
		close(pair->client);
		pair->client = -1;
		break;
	case NOTHING:
		break;
	}
}

static void test_every_way_to_end_is_counted_once(void **state)
{
	static const struct {
		const char *name;
		enum step steps[3];
		unsigned int established[3]; /* after each; a closing one ends at once here */
	} rows[] = {
		{ "server first", { SERVER_CLOSES, CLIENT_CLOSES, NOTHING }, { 0, 0, 0 } },
		{ "client first", { CLIENT_CLOSES, SERVER_CLOSES, NOTHING }, { 1, 0, 0 } },
		{ "server shuts, client closes",
		  { SERVER_SHUTS, CLIENT_CLOSES, SERVER_CLOSES },
		  { 1, 0, 0 } },
		{ "client resets", { CLIENT_RESETS, SERVER_CLOSES, NOTHING }, { 0, 0, 0 } },
		{ "server resets", { SERVER_RESETS, CLIENT_CLOSES, NOTHING }, { 0, 0, 0 } },
		{ "server shuts, server closes",
		  { SERVER_SHUTS, SERVER_CLOSES, CLIENT_CLOSES },
		  { 1, 0, 0 } },
	};
	static const char *const addresses[] = { "127.0.0.1:80", "[::1]:80" };
	struct stage *stage = *state;

	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(rows) * 2; i++) {
		const char *name = rows[i / 2].name;
		struct pair pair = open_pair(stage, BGS_BLUE, addresses[i % 2]);

		assert_becomes(stage, BGS_BLUE, 0, 1, 0, name);
		for (int k = 0; k < 3; k++) {
			take_step(&pair, rows[i / 2].steps[k]);
			assert_becomes(stage, BGS_BLUE, 0, rows[i / 2].established[k], 0, name);
		}
	}
}

/* More than the client's side takes: it stays until the client reads. */
static void fill_and_shut(int fd)
{
	static char much[1 << 20];

	assert_true(send(fd, much, sizeof(much), MSG_DONTWAIT) > 0);
	shutdown(fd, SHUT_WR);
}

/* The client does not say goodbye: the kernel keeps the server's end for a while. */
static void test_what_the_application_let_go_is_closing(void **state)
{
	struct stage *stage = *state;
	static char much[1 << 20];
	struct pair pair;

	stage_web(stage, flags);
	pair = open_pair(stage, BGS_BLUE, "127.0.0.1:80");
	/* More than the client's side takes: it stays until the client reads. */
	assert_true(send(pair.server, much, sizeof(much), MSG_DONTWAIT) > 0);
	close(pair.server);
	assert_becomes(stage, BGS_BLUE, 0, 0, 1, "closed with data to send");
	close(pair.client);
	assert_becomes(stage, BGS_BLUE, 0, 0, 0, "reset by the client");
}

/* Both ends have shut their half, and the process has more than it has read: its end would reset.
 */
static void test_what_a_close_would_reset_is_held(void **state)
{
	static const char *const addresses[] = { "127.0.0.1:80", "[::1]:80" };
	struct stage *stage = *state;
	char bytes[8];

	stage_web(stage, flags);
	for (int linger = 0; linger < 2; linger++) {
		struct pair pair = open_pair(stage, BGS_BLUE, addresses[linger]);

		assert_int_equal(send(pair.client, "request", 7, 0), 7);
		shutdown(pair.client, SHUT_WR);
		if (linger) {
			reset_on_close(pair.server);
			assert_int_equal(recv(pair.server, bytes, 7, MSG_WAITALL), 7);
		}
		fill_and_shut(pair.server);
		assert_becomes(stage, BGS_BLUE, 0, 1, 0, linger ? "linger" : "unread");
		close(pair.server);
		assert_becomes(stage, BGS_BLUE, 0, 0, 0, "closed, and so reset");
		close(pair.client);
	}
}

static void test_what_both_ends_have_shut_is_closing(void **state)
{
	struct stage *stage = *state;
	struct pair pair;
	char bytes[8];

	stage_web(stage, flags);
	pair = open_pair(stage, BGS_BLUE, "127.0.0.1:80");
	assert_int_equal(send(pair.client, "request", 7, 0), 7);
	shutdown(pair.client, SHUT_WR);
	assert_int_equal(recv(pair.server, bytes, 7, MSG_WAITALL), 7);
	fill_and_shut(pair.server);
	assert_becomes(stage, BGS_BLUE, 0, 0, 1, "all is read");
	close(pair.server);
	assert_becomes(stage, BGS_BLUE, 0, 0, 1, "closed, with data to send");
	close(pair.client);
	assert_becomes(stage, BGS_BLUE, 0, 0, 0, "reset by the client");
}

static void test_accept_queue_ends_with_its_listener(void **state)
{
	struct stage *stage = *state;
	int clients[4];

	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(clients); i++)
		clients[i] = connect_to("127.0.0.1:80");
	assert_becomes(stage, BGS_BLUE, 4, 0, 0, "four wait");
	close(accept_one(stage->listeners[BGS_BLUE]));
	assert_becomes(stage, BGS_BLUE, 3, 0, 0, "one was taken and closed");
	stage_close(stage, BGS_BLUE);
	assert_becomes(stage, BGS_BLUE, 0, 0, 0, "the listener is gone");
	for (size_t i = 0; i < ROWS(clients); i++)
		close(clients[i]);
}

static void test_colors_are_told_apart(void **state)
{
	struct stage *stage = *state;
	struct pair blue[3], green[2];

	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(blue); i++)
		blue[i] = open_pair(stage, BGS_BLUE, "127.0.0.1:80");
	stage_route(stage, BGS_GREEN, 0);
	for (size_t i = 0; i < ROWS(green); i++)
		green[i] = open_pair(stage, BGS_GREEN, "[::1]:80");
	assert_becomes(stage, BGS_BLUE, 0, 3, 0, "blue");
	assert_becomes(stage, BGS_GREEN, 0, 2, 0, "green");
	for (size_t i = 0; i < ROWS(blue); i++) {
		close(blue[i].server);
		close(blue[i].client);
	}
	assert_becomes(stage, BGS_BLUE, 0, 0, 0, "blue, later");
	assert_becomes(stage, BGS_GREEN, 0, 2, 0, "green, later");
	for (size_t i = 0; i < ROWS(green); i++) {
		close(green[i].server);
		close(green[i].client);
	}
}

/* A service that goes and another that gets its numbers: the old one's ends are not the new one's.
 */
static void test_a_reused_number_starts_with_zero(void **state)
{
	struct stage *stage = *state;
	struct failure failure;
	struct pair pair;

	stage_web(stage, flags);
	pair = open_pair(stage, BGS_BLUE, "127.0.0.1:80");
	assert_becomes(stage, BGS_BLUE, 0, 1, 0, "before");
	assert_int_equal(service_remove(&stage->fixture.datapath, stage->slot, &failure), 0);
	stage_service(stage, "web", "0.0.0.0:80", ":8081", ":8082", flags);
	assert_becomes(stage, BGS_BLUE, 0, 0, 0, "declared anew");
	close(pair.server);
	close(pair.client);
	assert_becomes(stage, BGS_BLUE, 0, 0, 0, "after");
}

static int note_tag(const struct bgs_connection *connection, void *data)
{
	unsigned int *tags = data;

	tags[connection->tag] += connection->kind == BGS_CONNECTION_HELD;
	return 0;
}

static void test_a_walk_knows_what_is_older_than_the_tag(void **state)
{
	struct stage *stage = *state;
	unsigned int tags[3] = {};
	struct pair old, new;

	stage_listen(stage, "127.0.0.1:8081");
	old.client = connect_to("127.0.0.1:8081");
	old.server = accept_one(stage->listeners[0]);
	stage_service(stage, "web", "0.0.0.0:80", "127.0.0.1:8081", ":8082", flags);
	new = open_pair(stage, 0, "127.0.0.1:80");
	assert_int_equal(connections_each(&stage->fixture.datapath, note_tag, tags), 0);
	assert_int_equal(tags[BGS_UNTAGGED], 1);
	assert_int_equal(tags[BGS_TAGGED], 1);
	close(old.client);
	close(old.server);
	close(new.client);
	close(new.server);
}

static void test_proof_and_gauges_agree(void **state)
{
	struct stage *stage = *state;
	struct connection_counts proved;
	struct failure failure;
	struct pair pairs[50];
	int waiting;

	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(pairs); i++)
		pairs[i] = open_pair(stage, BGS_BLUE, i % 2 ? "127.0.0.1:80" : "[::1]:80");
	waiting = connect_to("127.0.0.1:80");
	assert_int_equal(connections_prove(&stage->fixture.datapath, stage->slot, BGS_BLUE, &proved,
					   &failure),
			 0);
	assert_int_equal(proved.established, ROWS(pairs));
	assert_int_equal(proved.accept_queue, 1);
	assert_false(connections_is_zero(&proved));
	for (size_t i = 0; i < ROWS(pairs); i++) {
		close(pairs[i].server);
		close(pairs[i].client);
	}
	close(waiting);
	stage_close(stage, BGS_BLUE);
	assert_int_equal(connections_prove(&stage->fixture.datapath, stage->slot, BGS_BLUE, &proved,
					   &failure),
			 0);
	assert_true(connections_is_zero(&proved));
}

static bool is_reset(int fd)
{
	struct pollfd event = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&event, 1, 0) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) < 0 &&
	       errno == ECONNRESET;
}

static unsigned int resets(const struct pair *pairs, size_t count)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += is_reset(pairs[i].client);
	return sum;
}

static void test_cut_resets_one_color_alone(void **state)
{
	struct stage *stage = *state;
	struct pair blue[20], green[20];
	struct failure failure;
	unsigned int cut, sum = 0;

	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(blue); i++)
		blue[i] = open_pair(stage, BGS_BLUE, i % 2 ? "127.0.0.1:80" : "[::1]:80");
	stage_route(stage, BGS_GREEN, 0);
	for (size_t i = 0; i < ROWS(green); i++)
		green[i] = open_pair(stage, BGS_GREEN, i % 2 ? "127.0.0.1:80" : "[::1]:80");
	for (int round = 0; round < 4; round++) {
		assert_int_equal(connections_cut(&stage->fixture.datapath, stage->slot, BGS_BLUE,
						 0xffffffff, 7, &cut, &failure),
				 0);
		assert_true(cut <= 7);
		sum += cut;
	}
	assert_int_equal(sum, ROWS(blue));
	assert_int_equal(resets(blue, ROWS(blue)), ROWS(blue));
	assert_int_equal(resets(green, ROWS(green)), 0);
	assert_becomes(stage, BGS_BLUE, 0, 0, 0, "blue");
	assert_becomes(stage, BGS_GREEN, 0, ROWS(green), 0, "green");
	for (size_t i = 0; i < ROWS(blue); i++) {
		close(blue[i].server);
		close(blue[i].client);
		close(green[i].server);
		close(green[i].client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_every_way_to_end_is_counted_once),
		stage_test(test_what_the_application_let_go_is_closing),
		stage_test(test_what_a_close_would_reset_is_held),
		stage_test(test_what_both_ends_have_shut_is_closing),
		stage_test(test_accept_queue_ends_with_its_listener),
		stage_test(test_colors_are_told_apart),
		stage_test(test_a_reused_number_starts_with_zero),
		stage_test(test_a_walk_knows_what_is_older_than_the_tag),
		stage_test(test_proof_and_gauges_agree),
		stage_test(test_cut_resets_one_color_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
