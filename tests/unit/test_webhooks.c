/* SPDX-License-Identifier: GPL-2.0-only */
/* Webhooks against a real little HTTP server, in a thread of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "agent/webhook_queue.h"
#include "agent/webhooks.h"
#include "curl.h"
#include "lib/test.h"

/* What the server does with a connection: answers this status, or one of these. */
enum { END, HANG, HANG_UP, GARBAGE };

#define STEPS 8
#define LIMIT_US 10000000 /* nothing here takes that long */

struct server {
	int listener, steps[STEPS];
	unsigned short port;
	pthread_t thread;
	size_t count;
	char requests[STEPS][4096];
};

static const struct webhook_pace quick = {
	.timeout_ms = 5000,
	.first_delay_ms = 5,
	.longest_delay_ms = 20,
	.tries = 3,
	.queue = 4,
};

static size_t body_length(const char *request)
{
	const char *header = strcasestr(request, "content-length:");

	return header ? strtoul(header + strlen("content-length:"), NULL, 10) : 0;
}

/* Reads until the body is whole, or the client has closed. */
static void read_request(int fd, char *request, size_t size)
{
	size_t length = 0;
	ssize_t count;

	do {
		const char *end;

		count = recv(fd, request + length, size - 1 - length, 0);
		length += count > 0 ? count : 0;
		request[length] = '\0';
		end = strstr(request, "\r\n\r\n");
		if (end && strlen(end + 4) >= body_length(request))
			return;
	} while (count > 0);
}

static void answer(int fd, int step)
{
	char text[256], rest;

	if (step == HANG_UP)
		return;
	if (step == HANG) {
		while (recv(fd, &rest, 1, 0) > 0) /* until the client gives up */
			;
		return;
	}
	if (step == GARBAGE)
		snprintf(text, sizeof(text), "this is no HTTP\n");
	else
		snprintf(text, sizeof(text),
			 "HTTP/1.1 %d Whatever\r\nLocation: http://127.0.0.1:1/\r\n"
			 "Connection: close\r\nContent-Length: 2\r\n\r\nhm",
			 step);
	send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void *serve(void *data)
{
	struct server *server = data;

	for (size_t i = 0; i < STEPS && server->steps[i] != END; i++) {
		int fd = accept(server->listener, NULL, NULL);

		if (fd < 0)
			break; /* nobody came for ten seconds */
		read_request(fd, server->requests[server->count], sizeof(server->requests[0]));
		server->count++;
		answer(fd, server->steps[i]);
		close(fd);
	}
	return NULL;
}

static int listen_on_loopback(unsigned short *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval limit = { .tv_usec = 0, .tv_sec = LIMIT_US / 1000000 };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void server_start(struct server *server, const int steps[STEPS])
{
	*server = (struct server){};
	memcpy(server->steps, steps, sizeof(server->steps));
	server->listener = listen_on_loopback(&server->port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server)
{
	pthread_join(server->thread, NULL);
	close(server->listener);
}

struct bench {
	sd_event *event;
	struct config_agent agent;
	struct webhooks *hooks;
};

static void add_hook(struct bench *bench, unsigned short port)
{
	struct config_webhook *hook = &bench->agent.webhooks[bench->agent.webhook_count++];

	assert_true(asprintf(&hook->url, "http://127.0.0.1:%u/events", port) > 0);
}

static void begin(struct bench *bench, const struct webhook_pace *pace)
{
	struct failure failure = {};

	assert_true(sd_event_new(&bench->event) >= 0);
	bench->hooks = webhooks_new_paced(bench->event, &bench->agent, pace, &failure);
	assert_string_equal(failure.what, "");
	assert_non_null(bench->hooks);
}

static void end(struct bench *bench)
{
	webhooks_free(bench->hooks);
	sd_event_unref(bench->event);
	for (size_t i = 0; i < bench->agent.webhook_count; i++)
		free(bench->agent.webhooks[i].url);
}

static void say(struct bench *bench, const char *message)
{
	struct event event = { .kind = EVENT_SWITCHING, .service = "web", .color = BGS_GREEN };

	snprintf(event.message, sizeof(event.message), "%s", message);
	webhooks_send(bench->hooks, &event);
}

/* Runs the loop until `most` events wait. */
static void run(struct bench *bench, size_t most)
{
	while (webhooks_waiting(bench->hooks) > most)
		assert_true(sd_event_run(bench->event, LIMIT_US) > 0);
}

/* First of all tests: no other has loaded it yet. */
static void test_without_hooks_nothing_is_loaded(void **state)
{
	struct bench bench = {};

	(void)state;
	begin(&bench, &webhook_pace_default);
	say(&bench, "unheard");
	assert_int_equal(webhooks_count(bench.hooks), 0);
	assert_int_equal(webhooks_waiting(bench.hooks), 0);
	assert_null(curl);
	end(&bench);
}

static void test_events_arrive_in_order_with_headers_and_secrets(void **state)
{
	static const char *const messages[] = { "one", "two \"quoted\"", "three" };
	struct bench bench = {};
	struct config_webhook *hook = bench.agent.webhooks;
	struct server server;

	(void)state;
	server_start(&server, (const int[STEPS]){ 200, 204, 299 });
	assert_int_equal(setenv("BGSWITCH_TEST_TOKEN", "Bearer abc", 1), 0);
	add_hook(&bench, server.port);
	hook->headers[hook->header_count++] = (struct check_header){
		.name = (char *)"Authorization",
		.value = { SECRET_ENVIRONMENT, (char *)"BGSWITCH_TEST_TOKEN" },
	};
	begin(&bench, &quick);
	for (size_t i = 0; i < ROWS(messages); i++)
		say(&bench, messages[i]);
	assert_int_equal(webhooks_waiting(bench.hooks), 3);
	run(&bench, 0);
	server_end(&server);
	assert_int_equal(server.count, ROWS(messages));
	for (size_t i = 0; i < ROWS(messages); i++) {
		const char *request = server.requests[i];
		json_t *body = json_loads(strstr(request, "\r\n\r\n") + 4, 0, NULL);

		assert_ptr_equal(strstr(request, "POST /events HTTP/1.1\r\n"), request);
		assert_contains(request, "\r\nContent-Type: application/json\r\n");
		assert_contains(request, "\r\nAuthorization: Bearer abc\r\n");
		assert_string_equal(json_string_value(json_object_get(body, "message")),
				    messages[i]);
		assert_string_equal(json_string_value(json_object_get(body, "event")), "switching");
		json_decref(body);
	}
	assert_int_equal(webhooks_statistics(bench.hooks, 0)->delivered, 3);
	end(&bench);
}

static const struct {
	int steps[STEPS];
	unsigned int delivered, retried, failed;
	const char *error; /* in words */
} outcomes[] = {
	{ { 200 }, 1, 0, 0, "" },
	{ { 500, 200 }, 1, 1, 0, "status 500" },
	{ { 503, 500, 201 }, 1, 2, 0, "status 500" },
	{ { 429, 200 }, 1, 1, 0, "status 429" },
	{ { 408, 200 }, 1, 1, 0, "status 408" },
	{ { HANG_UP, 200 }, 1, 1, 0, "Empty reply" },
	{ { GARBAGE, 200 }, 1, 1, 0, "HTTP/0.9" },
	{ { 500, 500, 500 }, 0, 2, 1, "status 500" },
	{ { 404 }, 0, 0, 1, "status 404" },
	{ { 400 }, 0, 0, 1, "status 400" },
	{ { 302 }, 0, 0, 1, "status 302" },
};

static void test_what_may_pass_is_tried_again_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(outcomes); i++) {
		const struct webhook_statistics *statistics;
		struct bench bench = {};
		struct server server;
		char row[32];

		snprintf(row, sizeof(row), "%d, %d", outcomes[i].steps[0], outcomes[i].steps[1]);
		server_start(&server, outcomes[i].steps);
		add_hook(&bench, server.port);
		begin(&bench, &quick);
		say(&bench, "text");
		run(&bench, 0);
		server_end(&server);
		statistics = webhooks_statistics(bench.hooks, 0);
		assert_row(statistics->delivered == outcomes[i].delivered, row);
		assert_row(statistics->retried == outcomes[i].retried, row);
		assert_row(statistics->failed == outcomes[i].failed, row);
		assert_contains(statistics->last_error, outcomes[i].error);
		end(&bench);
	}
}

static void test_next_event_follows_one_that_was_given_up(void **state)
{
	struct bench bench = {};
	struct server server;

	(void)state;
	server_start(&server, (const int[STEPS]){ 500, 500, 500, 500, 200 });
	add_hook(&bench, server.port);
	begin(&bench, &quick);
	say(&bench, "lost");
	say(&bench, "kept");
	run(&bench, 0);
	server_end(&server);
	assert_contains(server.requests[2], "\"lost\"");
	assert_contains(server.requests[3], "\"kept\"");
	assert_contains(server.requests[4], "\"kept\""); /* it has all its tries */
	assert_int_equal(webhooks_statistics(bench.hooks, 0)->failed, 1);
	assert_int_equal(webhooks_statistics(bench.hooks, 0)->delivered, 1);
	end(&bench);
}

static void test_server_that_hangs_is_left_in_time(void **state)
{
	struct webhook_pace pace = quick;
	struct bench bench = {};
	struct server server;

	(void)state;
	pace.timeout_ms = 100;
	server_start(&server, (const int[STEPS]){ HANG, 200 });
	add_hook(&bench, server.port);
	begin(&bench, &pace);
	say(&bench, "text");
	run(&bench, 0);
	server_end(&server);
	assert_int_equal(webhooks_statistics(bench.hooks, 0)->delivered, 1);
	assert_contains(webhooks_statistics(bench.hooks, 0)->last_error, "timed out");
	end(&bench);
}

static void test_server_that_refuses_is_given_up(void **state)
{
	struct bench bench = {};
	unsigned short port;

	(void)state;
	close(listen_on_loopback(&port));
	add_hook(&bench, port);
	begin(&bench, &quick);
	say(&bench, "text");
	run(&bench, 0);
	assert_int_equal(webhooks_statistics(bench.hooks, 0)->failed, 1);
	assert_int_equal(webhooks_statistics(bench.hooks, 0)->retried, 2);
	assert_contains(webhooks_statistics(bench.hooks, 0)->last_error, "connect");
	end(&bench);
}

/* Nobody accepts, and the loop does not run: sending must not wait, nor grow. */
static void test_queue_is_bounded_and_the_oldest_make_room(void **state)
{
	struct bench bench = {};
	const struct webhook_statistics *statistics;
	unsigned short port;
	int listener = listen_on_loopback(&port);
	char text[16];

	(void)state;
	add_hook(&bench, port);
	begin(&bench, &quick);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "%d", i);
		say(&bench, text);
	}
	statistics = webhooks_statistics(bench.hooks, 0);
	assert_int_equal(statistics->waiting, quick.queue + 1);
	assert_int_equal(statistics->dropped, 10 - quick.queue - 1);
	end(&bench); /* with a request under way */
	close(listener);
}

static void test_slow_hook_delays_no_other(void **state)
{
	struct bench bench = {};
	struct server slow, fast;

	(void)state;
	server_start(&slow, (const int[STEPS]){ HANG });
	server_start(&fast, (const int[STEPS]){ 200, 200 });
	add_hook(&bench, slow.port);
	add_hook(&bench, fast.port);
	begin(&bench, &quick);
	say(&bench, "one");
	say(&bench, "two");
	run(&bench, 2); /* those of the slow one */
	assert_int_equal(webhooks_statistics(bench.hooks, 1)->delivered, 2);
	assert_int_equal(webhooks_statistics(bench.hooks, 0)->waiting, 2);
	end(&bench);
	server_end(&slow);
	server_end(&fast);
}

static void test_secret_that_cannot_be_read_is_named(void **state)
{
	struct bench bench = {};
	struct config_webhook *hook = bench.agent.webhooks;
	struct failure failure;

	(void)state;
	unsetenv("BGSWITCH_TEST_TOKEN");
	add_hook(&bench, 1);
	hook->headers[hook->header_count++] = (struct check_header){
		.name = (char *)"Authorization",
		.value = { SECRET_ENVIRONMENT, (char *)"BGSWITCH_TEST_TOKEN" },
	};
	assert_true(sd_event_new(&bench.event) >= 0);
	assert_null(webhooks_new(bench.event, &bench.agent, &failure));
	assert_contains(failure.what, "BGSWITCH_TEST_TOKEN");
	end(&bench);
}

static void test_delay_doubles_up_to_its_limit(void **state)
{
	static const unsigned int delays[] = { 1000,  2000,  4000,  8000, 16000,
					       32000, 60000, 60000, 60000 };

	(void)state;
	for (unsigned int i = 0; i < ROWS(delays); i++)
		assert_int_equal(webhook_delay_ms(&webhook_pace_default, i + 1), delays[i]);
	assert_int_equal(webhook_pace_default.tries, ROWS(delays) + 1);
	assert_int_equal(webhook_delay_ms(&webhook_pace_default, 4000000000u), 60000);
}

static void test_queue_keeps_order_around_its_end(void **state)
{
	struct webhook_queue queue;
	char text[16];

	(void)state;
	assert_true(webhook_queue_init(&queue, 3));
	for (int i = 0; i < 8; i++) {
		struct body *body;

		snprintf(text, sizeof(text), "%d", i);
		body = body_new(text);
		assert_int_equal(webhook_queue_push(&queue, body), i >= 3);
		body_unref(body);
	}
	for (int i = 5; i < 8; i++) {
		struct body *body = webhook_queue_pop(&queue);

		snprintf(text, sizeof(text), "%d", i);
		assert_string_equal(body->text, text);
		body_unref(body);
	}
	assert_null(webhook_queue_pop(&queue));
	webhook_queue_free(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_hooks_nothing_is_loaded),
		cmocka_unit_test(test_events_arrive_in_order_with_headers_and_secrets),
		cmocka_unit_test(test_what_may_pass_is_tried_again_and_nothing_else),
		cmocka_unit_test(test_next_event_follows_one_that_was_given_up),
		cmocka_unit_test(test_server_that_hangs_is_left_in_time),
		cmocka_unit_test(test_server_that_refuses_is_given_up),
		cmocka_unit_test(test_queue_is_bounded_and_the_oldest_make_room),
		cmocka_unit_test(test_slow_hook_delays_no_other),
		cmocka_unit_test(test_secret_that_cannot_be_read_is_named),
		cmocka_unit_test(test_delay_doubles_up_to_its_limit),
		cmocka_unit_test(test_queue_keeps_order_around_its_end),
	};

	/* libcurl would go through it. */
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
