/* SPDX-License-Identifier: GPL-2.0-only */
/* HTTP checks against servers that answer well, badly, slowly or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/little_server.h"
#include "lib/probing.h"
#include "lib/test.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define TIMEOUT 300 /* of checks that shall run into it */
#define PATIENT 5000 /* of those that shall not */

struct expectation {
	const char *name;
	const char *answer;
	enum little_behaviour behaviour;
	unsigned int timeout_ms;
	const char *error; /* part of it; "" when the check is good */
	unsigned int status;
	const char *body; /* NULL: none is looked at */
	/* of the check */
	const char *method, *contains, *regex;
	unsigned int redirects;
};

static const struct expectation rows[] = {
	{ "length", OK "Content-Length: 3\r\n\r\nok\n", LITTLE_CLOSE, PATIENT, "", 200, "ok" },
	{ "length, stays", OK "Content-Length: 3\r\n\r\nok\n", LITTLE_STAY, PATIENT, "", 200,
	  "ok" },
	{ "no length", OK "\r\nyes", LITTLE_CLOSE, PATIENT, "", 200, "yes" },
	{ "HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nyes", LITTLE_CLOSE, PATIENT, "", 200, "yes" },
	{ "chunked", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nye\r\n1\r\ns\r\n0\r\n\r\n",
	  LITTLE_STAY, PATIENT, "", 200, "yes" },
	{ "interim answer", "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nok",
	  LITTLE_STAY, PATIENT, "", 200, "ok" },
	{ "no content", "HTTP/1.1 204 No Content\r\n\r\n", LITTLE_STAY, PATIENT, "", 204, "" },
	{ "head", OK "Content-Length: 100\r\n\r\n", LITTLE_STAY, PATIENT, "", 200, "", "HEAD" },
	{ "dripped", OK "Content-Length: 2\r\n\r\nok", LITTLE_DRIP, PATIENT, "", 200, "ok" },
	{ "contains", OK "\r\nall is well", LITTLE_CLOSE, PATIENT, "", 200, "all is well", NULL,
	  "is well" },
	{ "matches", OK "\r\nload 7", LITTLE_CLOSE, PATIENT, "", 200, "load 7", NULL, NULL,
	  "^load [0-9]$" },
	{ "endless body", OK "\r\nfor ever", LITTLE_ENDLESS, PATIENT, "", 200, NULL },
	{ "bytes", OK "\r\n\xc3\xa4\xff\x1b[1m", LITTLE_CLOSE, PATIENT, "", 200, "\xc3\xa4??[1m" },

	{ "error", "HTTP/1.1 500 No\r\n\r\noops", LITTLE_CLOSE, PATIENT,
	  "status 500, expected 200-299", 500, "oops" },
	{ "redirect", "HTTP/1.1 302 No\r\nLocation: /\r\n\r\n", LITTLE_CLOSE, PATIENT,
	  "status 302, expected 200-299", 302, "" },
	{ "other text", OK "\r\nsick", LITTLE_CLOSE, PATIENT, "body does not contain 'ok'", 200,
	  "sick", NULL, "ok" },
	{ "other pattern", OK "\r\nload 77", LITTLE_CLOSE, PATIENT,
	  "body does not match '^load [0-9]$'", 200, "load 77", NULL, NULL, "^load [0-9]$" },
	{ "hangs", "", LITTLE_STAY, TIMEOUT, "no answer within 300ms (connected in ", 0, "" },
	{ "never accepts", "", LITTLE_DEAF, TIMEOUT, "request sent, 0 bytes received)", 0, "" },
	{ "slow header", OK "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n", LITTLE_DRIP,
	  TIMEOUT, "answer not complete within 300ms (", 0, "" },
	{ "slow body", OK "Content-Length: 9\r\n\r\nok", LITTLE_STAY, TIMEOUT,
	  "answer not complete within 300ms (40 bytes received)", 200, "ok" },
	{ "slow error", "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nno", LITTLE_STAY, TIMEOUT,
	  "status 503, expected 200-299", 503, "no" },
	{ "nothing", "", LITTLE_CLOSE, PATIENT, "connection closed without an answer", 0, "" },
	{ "half a header", OK "X-", LITTLE_CLOSE, PATIENT,
	  "connection closed in the header (19 bytes received)", 0, "" },
	{ "half a body", OK "Content-Length: 100\r\n\r\n0123456789", LITTLE_CLOSE, PATIENT,
	  "connection closed after 10 of 100 bytes of the body", 200, "0123456789" },
	{ "half a chunk", OK "Transfer-Encoding: chunked\r\n\r\n9\r\nye", LITTLE_CLOSE, PATIENT,
	  "connection closed in the body (2 bytes received, no end)", 200, "ye" },
	{ "only an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", LITTLE_CLOSE, PATIENT,
	  "connection closed in the header (25 bytes received)", 0, "" },
	{ "reset", OK, LITTLE_RESET, PATIENT, "connection reset by peer", 0, "" },
	{ "garbage", "SSH-2.0-OpenSSH_9.2\r\n", LITTLE_STAY, PATIENT, "not an HTTP answer: ", 0,
	  "SSH-2.0-OpenSSH_9.2" },
	{ "bad length", OK "Content-Length: ten\r\n\r\n", LITTLE_STAY, PATIENT,
	  "not an HTTP answer: invalid character in content-length header", 0, NULL },

	/* the same by libcurl */
	{ "curl: length", OK "Content-Length: 3\r\n\r\nok\n", LITTLE_STAY, PATIENT, "", 200, "ok",
	  .redirects = 1 },
	{ "curl: contains", OK "\r\nall is well", LITTLE_CLOSE, PATIENT, "", 200, "all is well",
	  .contains = "is well", .redirects = 1 },
	{ "curl: head", OK "Content-Length: 100\r\n\r\n", LITTLE_STAY, PATIENT, "", 200, "", "HEAD",
	  .redirects = 1 },
	{ "curl: endless body", OK "\r\nfor ever", LITTLE_ENDLESS, PATIENT, "", 200, NULL,
	  .redirects = 1 },
	{ "curl: error", "HTTP/1.1 500 No\r\n\r\noops", LITTLE_CLOSE, PATIENT,
	  "status 500, expected 200-299", 500, "oops", .redirects = 1 },
	{ "curl: redirects for ever", "HTTP/1.1 302 No\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
	  LITTLE_CLOSE, PATIENT, "more than 2 redirects", 302, "", .redirects = 2 },
	{ "curl: hangs", "", LITTLE_STAY, TIMEOUT, "no answer within 300ms (connected in ", 0, "",
	  .redirects = 1 },
	{ "curl: slow body", OK "Content-Length: 9\r\n\r\nok", LITTLE_STAY, TIMEOUT,
	  "answer not complete within 300ms (40 bytes received)", 200, "ok", .redirects = 1 },
	{ "curl: nothing", "", LITTLE_CLOSE, PATIENT, "connection closed without an answer", 0, "",
	  .redirects = 1 },
	{ "curl: half a header", OK "X-", LITTLE_CLOSE, PATIENT,
	  "connection closed in the header (", 0, "", .redirects = 1 },
	{ "curl: half a body", OK "Content-Length: 100\r\n\r\n0123456789", LITTLE_CLOSE, PATIENT,
	  "connection closed after 10 of 100 bytes of the body", 200, "0123456789",
	  .redirects = 1 },
	{ "curl: garbage", "SSH-2.0-OpenSSH_9.2\r\n", LITTLE_CLOSE, PATIENT,
	  "not an HTTP answer: ", 0, NULL, .redirects = 1 },
};

static void check_row(const struct expectation *row)
{
	struct little_server server;
	struct check_result result;
	struct check check;

	check_init(&check);
	check.kind = CHECK_HTTP;
	check.timeout_ms = row->timeout_ms;
	check.method = (char *)row->method;
	check.body_contains = (char *)row->contains;
	check.body_regex = (char *)row->regex;
	check.redirects = row->redirects;
	little_start(&server, "127.0.0.1", row->behaviour, row->answer, strlen(row->answer));
	result = probing_once(&check, server.address);
	little_stop(&server);
	if (!strstr(result.error, row->error) || result.ok != !*row->error)
		fail_msg("%s: '%s', not '%s'", row->name, result.error, row->error);
	assert_row(result.ok == !*result.error, row->name);
	if (result.status != row->status)
		fail_msg("%s: status %u, not %u", row->name, result.status, row->status);
	if (row->body && strcmp(result.body, row->body))
		fail_msg("%s: body '%s', not '%s'", row->name, result.body, row->body);
	assert_row(row->timeout_ms == PATIENT || result.duration_us >= TIMEOUT * 1000, row->name);
	assert_row(result.duration_us < PATIENT * 1000, row->name);
}

static void test_each_answer_has_its_result(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		check_row(&rows[i]);
}

static struct check http_check(void)
{
	struct check check;

	check_init(&check);
	check.kind = CHECK_HTTP;
	check.timeout_ms = PATIENT;
	return check;
}

static void test_an_endless_header_is_cut_off(void **state)
{
	static const char line[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
	char *header = calloc(1, 1 << 20);

	(void)state;
	for (unsigned int redirects = 0; redirects < 2; redirects++) {
		struct check check = http_check();
		struct little_server server;
		struct check_result result;
		size_t length = (size_t)sprintf(header, OK);

		check.redirects = redirects;
		while (length < 500000)
			length += (size_t)sprintf(header + length, "%s", line);
		little_start(&server, "127.0.0.1", LITTLE_STAY, header, length);
		result = probing_once(&check, server.address);
		little_stop(&server);
		assert_string_equal(result.error, "header longer than 16384 bytes");
	}
	free(header);
}

static void test_a_redirect_is_followed_when_it_may(void **state)
{
	static const char redirect[] =
		"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/next\r\n"
		"Content-Length: 4\r\n\r\nold\n";
	static const char answer[] = OK "Content-Length: 3\r\n\r\nnew";
	struct check check = http_check();
	struct little_server server;
	struct check_result result;

	(void)state;
	check.redirects = 1;
	check.body_contains = "new";
	little_start(&server, "127.0.0.1", LITTLE_CLOSE, redirect, strlen(redirect));
	server.later = answer;
	result = probing_once(&check, server.address);
	little_stop(&server);
	assert_string_equal(result.error, "");
	assert_int_equal(result.status, 200);
	assert_string_equal(result.body, "new");
	/* to the instance, whatever host the redirect names */
	assert_contains(server.request, "GET /next HTTP/1.1\r\nHost: elsewhere.test\r\n");
}

static void test_the_request_is_complete(void **state)
{
	static const char answer[] = OK "Content-Length: 0\r\n\r\n";

	(void)state;
	for (unsigned int redirects = 0; redirects < 2; redirects++) {
		struct check check = http_check();
		struct little_server server;
		struct check_result result;
		char text[256];

		check.redirects = redirects;
		check.path = "/health?full=1";
		check.headers[0] = (struct check_header){ "Authorization",
							  { SECRET_ENVIRONMENT, "TEST_TOKEN" } };
		check.header_count = 1;
		setenv("TEST_TOKEN", "Bearer 7f3a", 1);
		little_start(&server, "127.0.0.1", LITTLE_STAY, answer, strlen(answer));
		result = probing_once(&check, server.address);
		little_stop(&server);
		assert_string_equal(result.error, "");
		assert_contains(server.request, "GET /health?full=1 HTTP/1.1\r\n");
		snprintf(text, sizeof(text), "\r\nHost: %s\r\n", server.address);
		assert_contains(server.request, text);
		assert_contains(server.request, "\r\nConnection: close\r\n");
		assert_contains(server.request, "\r\nUser-Agent: bgswitch/");
		assert_contains(server.request, "\r\nAuthorization: Bearer 7f3a\r\n");
		snprintf(text, sizeof(text), "GET /health?full=1 to %s", server.address);
		assert_string_equal(result.sent, text);
	}
}

static void test_what_could_forge_a_request_is_refused(void **state)
{
	static const struct {
		const char *method, *path, *host, *name, *value, *words;
	} refused[] = {
		{ "GET / HTTP/1.0\r\nX:", NULL, NULL, NULL, NULL, "is not an HTTP method" },
		{ NULL, "/a b", NULL, NULL, NULL, "is not a path" },
		{ NULL, "/a\r\nX: y", NULL, NULL, NULL, "is not a path" },
		{ NULL, "a", NULL, NULL, NULL, "is not a path" },
		{ NULL, NULL, "a\r\nX: y", NULL, NULL, "is not a host" },
		{ NULL, NULL, "user@a", NULL, NULL, "is not a host" },
		{ NULL, NULL, NULL, "X y", "z", "is not the name of a header" },
		{ NULL, NULL, NULL, "Host", "z", "header Host is made by bgswitch itself" },
		{ NULL, NULL, NULL, "content-length", "1", "is made by bgswitch itself" },
		{ NULL, NULL, NULL, "X", "z\r\nY: z", "control characters" },
	};
	struct prober *prober = probing_start();
	struct endpoint endpoint;
	struct failure failure;

	(void)state;
	assert_int_equal(endpoint_parse(&endpoint, "127.0.0.1:1", "", &failure), 0);
	for (size_t i = 0; i < ROWS(refused); i++) {
		struct check check = http_check();

		check.method = (char *)refused[i].method;
		check.path = (char *)refused[i].path;
		check.host = (char *)refused[i].host;
		check.headers[0] = (struct check_header){ (char *)refused[i].name,
							  { .text = (char *)refused[i].value } };
		check.header_count = refused[i].name ? 1 : 0;
		assert_null(prober_add(prober, &check, &endpoint, tally_result, NULL, &failure));
		assert_failure(failure, EXIT_USAGE, refused[i].words);
	}
	prober_free(prober);
}

static void test_a_bad_pattern_is_refused(void **state)
{
	struct prober *prober = probing_start();
	struct check check = http_check();
	struct endpoint endpoint;
	struct failure failure;

	(void)state;
	assert_int_equal(endpoint_parse(&endpoint, "127.0.0.1:1", "", &failure), 0);
	check.body_regex = "(";
	assert_null(prober_add(prober, &check, &endpoint, tally_result, NULL, &failure));
	assert_failure(failure, EXIT_USAGE, "regular expression '('");
	prober_free(prober);
}

/* Bare ports: 127.0.0.1 first, then ::1. */
static void test_a_bare_port_is_found_in_both_families(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "::1" };
	static const char answer[] = OK "Content-Length: 2\r\n\r\nok";

	(void)state;
	for (unsigned int i = 0; i < 6; i++) {
		struct check check = http_check();
		struct little_server server;
		struct check_result result;
		char port[16];

		check.redirects = i / 2 == 1;
		check.kind = i / 2 == 2 ? CHECK_TCP : CHECK_HTTP;
		little_start(&server, hosts[i % 2], LITTLE_STAY, answer, strlen(answer));
		snprintf(port, sizeof(port), ":%u", server.port);
		result = probing_once(&check, port);
		little_stop(&server);
		assert_string_equal(result.error, "");
		assert_contains(result.sent, server.address);
	}
}

static void test_refusals_say_so(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "[::1]", "", "0.0.0.0", "[::]" };

	(void)state;
	for (unsigned int i = 0; i < ROWS(hosts) * 3; i++) {
		struct check check = http_check();
		struct little_server server;
		struct check_result result;
		char address[32];

		check.redirects = i % 3 == 1;
		check.kind = i % 3 == 2 ? CHECK_TCP : CHECK_HTTP;
		little_start(&server, "127.0.0.1", LITTLE_DEAF, "", 0);
		little_stop(&server); /* its port is free now */
		snprintf(address, sizeof(address), "%s:%u", hosts[i / 3], server.port);
		result = probing_once(&check, address);
		assert_string_equal(result.error, "connection refused");
		assert_int_equal(result.status, 0);
		assert_false(result.ok);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_answer_has_its_result),
		cmocka_unit_test(test_an_endless_header_is_cut_off),
		cmocka_unit_test(test_a_redirect_is_followed_when_it_may),
		cmocka_unit_test(test_the_request_is_complete),
		cmocka_unit_test(test_what_could_forge_a_request_is_refused),
		cmocka_unit_test(test_a_bad_pattern_is_refused),
		cmocka_unit_test(test_a_bare_port_is_found_in_both_families),
		cmocka_unit_test(test_refusals_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
