/* SPDX-License-Identifier: GPL-2.0-only */
/* HTTP without TLS and without redirects: the check that runs ten thousand times a second. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/http_expect.h"
#include "check/http_request.h"
#include "check/probe.h"

struct http {
	struct connection *connection; /* while it runs */
	regex_t *regex;
	char *request;
	size_t length;
};

static void release(struct probe *probe)
{
	struct http *http = probe->private;

	if (!http->connection)
		return;
	http_answer_free(&http->connection->answer);
	socket_give(&probe->prober->sockets, &probe->prober->watches, http->connection);
	http->connection = NULL;
}

/* What came before it went wrong: a wrong status says more than how it went on. */
static void tell_answer(const struct probe *probe, struct check_result *result)
{
	const struct http *http = probe->private;
	const struct http_answer *answer = &http->connection->answer;

	if (answer->header_complete) {
		result->status = answer->parser.status_code;
		http_expect_status(probe->check, result->status, result);
	}
	probe_keep_body(result, answer->beginning, answer->body_length);
}

static void fail(struct probe *probe, struct check_result *result)
{
	if (((const struct http *)probe->private)->connection)
		tell_answer(probe, result);
	release(probe);
	probe_end(probe, result);
}

static void succeed(struct probe *probe, struct check_result *result)
{
	const struct http *http = probe->private;
	const struct http_answer *answer = &http->connection->answer;

	http_expect_judge(probe->check, http->regex, answer->parser.status_code, answer, result);
	release(probe);
	probe_end(probe, result);
}

static void start(struct probe *probe);

static void fail_errno(struct probe *probe, int error)
{
	const struct http *http = probe->private;
	struct check_result result = {};

	if (http->connection && http->connection->connected_ns) {
		probe_fail_errno(&result, error);
	} else if (error == ECONNREFUSED && probe_next_address(probe)) {
		release(probe);
		start(probe);
		return;
	} else {
		probe_fail_connect(probe, &result, error);
	}
	fail(probe, &result);
}

/* 0, or -errno: -EAGAIN while there is something left to send. */
static int send_request(struct probe *probe)
{
	const struct http *http = probe->private;
	struct connection *connection = http->connection;
	ssize_t sent;

	while (connection->sent < http->length) {
		sent = send(connection->fd, http->request + connection->sent,
			    http->length - connection->sent, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == ENOTCONN ? -EAGAIN : -errno;
		if (!connection->connected_ns)
			connection->connected_ns = probe_now();
		connection->sent += (size_t)sent;
	}
	return 0;
}

/* Reads what there is; edge-triggered, so to the end unless the answer is complete before. */
static void receive(struct probe *probe)
{
	struct http *http = probe->private;
	struct connection *connection = http->connection;
	struct http_answer *answer = &connection->answer;
	struct prober *prober = probe->prober;
	struct check_result result = {};
	ssize_t got;

	for (;;) {
		got = recv(connection->fd, prober->buffer, sizeof(prober->buffer), 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
			return;
		if (got < 0) {
			fail_errno(probe, errno);
			return;
		}
		if (got ? !http_answer_feed(answer, prober->buffer, (size_t)got, &result)
			: !http_answer_close(answer, &result)) {
			fail(probe, &result);
			return;
		}
		if (answer->complete) {
			succeed(probe, &result);
			return;
		}
	}
}

static void http_ready(struct watch *watch, uint32_t events)
{
	struct connection *connection = (struct connection *)watch;
	struct probe *probe = connection->probe;
	int err = send_request(probe);

	(void)events; /* may be of the socket's former life: the calls say what is true */
	if (err == -EAGAIN && !connection->connected_ns)
		return;
	/* A server may answer and close before it has read everything. */
	if (err && err != -EAGAIN && err != -EPIPE && err != -ECONNRESET) {
		fail_errno(probe, -err);
		return;
	}
	receive(probe);
}

static int try_connect(struct probe *probe)
{
	const struct probe_address *address = &probe->addresses[probe->address_now];
	struct prober *prober = probe->prober;
	struct http *http = probe->private;
	struct connection *connection =
		socket_take(&prober->sockets, &prober->watches, address->any.sa_family, http_ready);

	if (!connection)
		return -errno;
	http->connection = connection;
	connection->probe = probe;
	http_answer_init(&connection->answer, !strcmp(http_request_method(probe->check), "HEAD"),
			 http_expect_body(probe->check));
	if (connect(connection->fd, &address->any, address->length) && errno != EINPROGRESS)
		return -errno;
	return 0;
}

/* On loopback the handshake is done when connect() returns: the request goes out at once. */
static void start(struct probe *probe)
{
	int err = try_connect(probe);

	if (!err)
		err = send_request(probe);
	if (err && err != -EAGAIN && err != -EPIPE && err != -ECONNRESET)
		fail_errno(probe, -err);
}

static int http_prepare(struct probe *probe, struct failure *failure)
{
	struct http *http = calloc(1, sizeof(*http));
	char address[ENDPOINT_TEXT];

	probe->private = http;
	if (!http)
		return failure_errno(failure, ENOMEM, "free some memory", "cannot add a check");
	http->request =
		http_request_build(probe->check, probe_address_text(probe, address), failure);
	if (!http->request)
		return -1;
	http->length = strlen(http->request);
	return http_expect_prepare(probe->check, &http->regex, failure);
}

static void how_far(const struct probe *probe, struct check_result *result)
{
	const struct http *http = probe->private;
	const struct connection *connection = http->connection;

	if (!connection->connected_ns)
		probe_fail(result, "no connection within %s", probe_timeout(probe));
	else if (connection->answer.received)
		probe_fail(result, "answer not complete within %s (%zu bytes received)",
			   probe_timeout(probe), connection->answer.received);
	else
		probe_fail(result,
			   "no answer within %s (connected in %.1f ms, %s, 0 bytes received)",
			   probe_timeout(probe),
			   (double)(connection->connected_ns - probe->begun_ns) / 1e6,
			   connection->sent < http->length ? "request not taken" : "request sent");
}

static void http_expire(struct probe *probe, struct check_result *result)
{
	how_far(probe, result);
	tell_answer(probe, result);
	release(probe);
}

static void http_describe(const struct probe *probe, char sent[CHECK_TEXT])
{
	char text[ENDPOINT_TEXT];

	snprintf(sent, CHECK_TEXT, "%s %s to %s", http_request_method(probe->check),
		 http_request_path(probe->check), probe_address_text(probe, text));
}

static void http_dispose(struct probe *probe)
{
	struct http *http = probe->private;

	if (!http)
		return;
	secret_wipe(http->request);
	http_expect_free(http->regex);
	free(http);
}

const struct probe_way probe_http = {
	.prepare = http_prepare,
	.begin = start,
	.expire = http_expire,
	.stop = release,
	.describe = http_describe,
	.dispose = http_dispose,
};
