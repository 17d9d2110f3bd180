/* SPDX-License-Identifier: GPL-2.0-only */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "control/varlink.h"
#include "text.h"

#define MAX_REPLY (64u * 1024 * 1024) /* the status of all services there can be */
#define NEXT_STATUS "see 'systemctl status bgswitch'"

/* ---- connecting */

static int fail_connect(const char *path, int error, struct failure *failure)
{
	/* The time limit of a blocking connect() ends with EAGAIN. */
	if (error == EAGAIN)
		return failure_set(failure, EXIT_AGENT, NEXT_STATUS,
				   "the agent at %s accepts nobody for %d ms", path,
				   CLIENT_TIMEOUT_MS);
	if (error == EACCES) /* it may be there, but not for us */
		return failure_errno(failure, error,
				     "run it as root, or as a member of the operators' group",
				     "cannot open the agent's socket %s", path);
	failure_errno(failure, error, NEXT_STATUS, "cannot reach the agent at %s", path);
	failure->code = EXIT_AGENT;
	return -1;
}

int client_connect(const char *path, struct failure *failure)
{
	const struct timeval limit = { .tv_sec = CLIENT_TIMEOUT_MS / 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return CLIENT_NO_AGENT; /* none can listen there either */
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		err = errno;
	while (!err && connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		if (errno != EINTR)
			err = errno;
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	if (err == ENOENT || err == ECONNREFUSED)
		return CLIENT_NO_AGENT;
	return fail_connect(path, err, failure);
}

/* ---- one call */

struct exchange {
	int fd, stop_fd;
	unsigned int timeout_ms;
	struct buffer outbox;
	struct varlink_inbox inbox;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1]; /* for messages */
	struct failure *failure;
};

static void name_peer(struct exchange *exchange)
{
	struct sockaddr_un address = {};
	socklen_t length = sizeof(address);

	getpeername(exchange->fd, (struct sockaddr *)&address, &length);
	snprintf(exchange->path, sizeof(exchange->path), "%.*s", (int)sizeof(address.sun_path),
		 address.sun_path);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Waits for the socket until `deadline` (-1: none); 0, or -1 with `failure`. */
static int await(struct exchange *exchange, short events, long long deadline)
{
	struct pollfd polled[] = { { .fd = exchange->fd, .events = events },
				   { .fd = exchange->stop_fd, .events = POLLIN } };
	struct failure *failure = exchange->failure;

	for (;;) {
		long long left = deadline < 0 ? -1 : deadline - now_ms();
		int ready = left < 0 && deadline >= 0 ? 0 : poll(polled, 2, (int)left);

		if (ready < 0 && errno != EINTR)
			return failure_errno(failure, errno, NEXT_STATUS, "cannot wait for %s",
					     exchange->path);
		if (ready > 0 && polled[1].revents)
			return failure_set(failure, EXIT_DONE,
					   "run 'bgswitch status' to see what became of it",
					   "no longer waiting for the agent at %s", exchange->path);
		if (ready > 0)
			return 0;
		if (!ready)
			return failure_set(failure, EXIT_AGENT, NEXT_STATUS,
					   "the agent at %s does not answer for %u ms",
					   exchange->path, exchange->timeout_ms);
	}
}

static int lost(struct exchange *exchange, int error)
{
	if (!error || error == EPIPE || error == ECONNRESET)
		return failure_set(exchange->failure, EXIT_AGENT, NEXT_STATUS,
				   "the agent at %s closed the connection", exchange->path);
	failure_errno(exchange->failure, error, NEXT_STATUS, "cannot talk to the agent at %s",
		      exchange->path);
	exchange->failure->code = EXIT_AGENT;
	return -1;
}

static int send_all(struct exchange *exchange)
{
	const long long deadline = now_ms() + exchange->timeout_ms;
	struct buffer *outbox = &exchange->outbox;

	while (buffer_length(outbox)) {
		ssize_t sent = send(exchange->fd, buffer_front(outbox), buffer_length(outbox),
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0)
			buffer_take(outbox, sent);
		else if (errno != EAGAIN && errno != EINTR)
			return lost(exchange, errno);
		else if (await(exchange, POLLOUT, deadline))
			return -1;
	}
	return 0;
}

static int not_understood(struct exchange *exchange)
{
	return failure_set(exchange->failure, EXIT_AGENT, NEXT_STATUS,
			   "the agent at %s sent what is no Varlink reply", exchange->path);
}

static int receive(struct exchange *exchange, long long deadline)
{
	size_t room;
	char *into = varlink_inbox_room(&exchange->inbox, &room);
	ssize_t length;

	if (!into)
		return failure_set(exchange->failure, EXIT_AGENT, NEXT_STATUS,
				   "the reply of the agent at %s does not fit", exchange->path);
	if (await(exchange, POLLIN, deadline))
		return -1;
	length = recv(exchange->fd, into, room, MSG_DONTWAIT);
	if (length > 0)
		varlink_inbox_added(&exchange->inbox, length);
	else if (!length || (errno != EAGAIN && errno != EINTR))
		return lost(exchange, length ? errno : 0);
	return 0;
}

/* The next reply, an object; NULL with `failure` */
static json_t *next_reply(struct exchange *exchange, bool waits)
{
	const long long deadline = waits ? -1 : now_ms() + exchange->timeout_ms;
	ssize_t length;
	json_t *reply;

	while ((length = varlink_inbox_message(&exchange->inbox)) < 0)
		if (receive(exchange, deadline))
			return NULL;
	reply = varlink_parse(buffer_front(&exchange->inbox.bytes), length);
	varlink_inbox_drop(&exchange->inbox);
	if (json_is_object(reply))
		return reply;
	json_decref(reply);
	not_understood(exchange);
	return NULL;
}

/* ---- errors that the agent answers */

static const char *member(const json_t *parameters, const char *name)
{
	const char *text = json_string_value(json_object_get(parameters, name));

	return text ? text : "";
}

static void take_failed(struct exchange *exchange, const json_t *parameters)
{
	json_int_t code = json_integer_value(json_object_get(parameters, "code"));
	const char *what = member(parameters, "what"), *next = member(parameters, "next");

	if (code < EXIT_USAGE || code > EXIT_BUSY || !*what)
		not_understood(exchange);
	else
		failure_set(exchange->failure, code, *next ? next : NEXT_STATUS, "%s", what);
}

static void take_error(struct exchange *exchange, const char *error, const json_t *parameters)
{
	struct failure *failure = exchange->failure;
	char shown[VARLINK_MAX_NAME + 1];

	if (!strcmp(error, CONTROL_INTERFACE ".Failed")) {
		take_failed(exchange, parameters);
		return;
	}
	if (!strcmp(error, CONTROL_INTERFACE ".NoSuchService")) {
		failure_set(failure, EXIT_USAGE, "see 'bgswitch service ls'",
			    "no service named '%s'", member(parameters, "service"));
		return;
	}
	if (!strcmp(error, VARLINK_SERVICE ".PermissionDenied")) {
		failure_set(failure, EXIT_SYSTEM,
			    "run it as root, or as a member of the operators' group",
			    "the agent at %s does not let this user do that", exchange->path);
		return;
	}
	snprintf(shown, sizeof(shown), "%s", error);
	text_defuse(shown);
	failure_set(failure, EXIT_AGENT,
		    "see that the agent is of this version: 'systemctl restart bgswitch'",
		    "the agent at %s answered %s", exchange->path, shown);
}

/* ---- replies */

/* 1: more will come; 0: `last` is set; -1 with `failure` */
static int take_reply(struct exchange *exchange, const struct client_call *call,
		      const json_t *reply, json_t **last)
{
	const json_t *error = json_object_get(reply, "error");
	json_t *parameters = json_object_get(reply, "parameters");
	bool continues = json_is_true(json_object_get(reply, "continues"));

	if (json_is_string(error)) {
		take_error(exchange, json_string_value(error), parameters);
		return -1;
	}
	if (error || !json_is_object(parameters) || (continues && !call->progress))
		return not_understood(exchange);
	if (continues)
		call->progress(parameters, call->data);
	else
		*last = json_incref(parameters);
	return continues;
}

static json_t *take_replies(struct exchange *exchange, const struct client_call *call)
{
	json_t *last = NULL, *reply;
	int more;

	do {
		reply = next_reply(exchange, call->waits);
		more = reply ? take_reply(exchange, call, reply, &last) : -1;
		json_decref(reply);
	} while (more > 0);
	return last;
}

json_t *client_call(int fd, const struct client_call *call, struct failure *failure)
{
	struct exchange exchange = {
		.fd = fd,
		.stop_fd = call->stop_fd,
		.timeout_ms = call->timeout_ms ? call->timeout_ms : CLIENT_TIMEOUT_MS,
		.inbox.limit = MAX_REPLY,
		.failure = failure,
	};
	char method[VARLINK_MAX_NAME + 1];
	json_t *last = NULL;

	name_peer(&exchange);
	snprintf(method, sizeof(method), CONTROL_INTERFACE ".%s", call->method);
	if (varlink_append(&exchange.outbox,
			   varlink_call(method, call->parameters, call->progress != NULL)))
		failure_errno(failure, ENOMEM, "free some memory and try again",
			      "cannot call the agent at %s", exchange.path);
	else if (!send_all(&exchange))
		last = take_replies(&exchange, call);
	buffer_free(&exchange.outbox);
	varlink_inbox_free(&exchange.inbox);
	return last;
}
