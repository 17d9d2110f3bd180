/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a client of the control socket, in pieces of any size: what is
 * answered is Varlink, no more of it than was asked, the connection ends, and
 * nothing is left behind. The first byte decides on the pieces and the end.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"
#include "control/interface.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_TURNS 1000000

static char directory[] = "/tmp/bgswitch-fuzz-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static sd_event *event;
static struct control *control;
static struct call *held; /* answered once the client has said everything */

/* ---- the server */

static void answer(struct call *call, const json_t *parameters, void *data)
{
	(void)data;
	if (call_wants_more(call))
		call_continue(call, json_deep_copy(parameters));
	call_reply(call, json_deep_copy(parameters));
}

static void forget(struct call *call, void *data)
{
	(void)data;
	if (call != held)
		abort();
	held = NULL;
}

static void hold(struct call *call, const json_t *parameters, void *data)
{
	(void)parameters, (void)data;
	if (held)
		abort(); /* one call at a time */
	held = call;
	call_on_gone(call, forget, NULL);
}

static const struct control_method methods[] = {
	{ "Check", CONTROL_READS, answer },
	{ "Set", CONTROL_CHANGES, hold },
	{ "Split", CONTROL_CHANGES, NULL },
	{},
};

static void stop(void)
{
	char path[sizeof(directory) + sizeof("/control.sock.lock")];

	control_free(control);
	sd_event_unref(event);
	snprintf(path, sizeof(path), "%s/control.sock.lock", directory);
	unlink(path);
	rmdir(directory);
}

static void start(void)
{
	struct control_setup setup = { .path = address.sun_path,
				       .description = control_interface,
				       .methods = methods };
	struct failure failure;

	if (!mkdtemp(directory) || sd_event_new(&event) < 0)
		abort();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", directory);
	control = control_new(event, &setup, &failure);
	if (!control)
		abort();
	atexit(stop);
}

static void settle(void)
{
	for (int turns = 0; sd_event_run(event, 0) > 0; turns++)
		if (turns > MAX_TURNS)
			abort();
}

/* ---- the client */

struct replies {
	char *bytes;
	size_t length, capacity, count;
};

static void check_reply(const char *text, size_t length)
{
	json_t *reply = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(json_object_get(reply, "parameters")))
		abort();
	json_decref(reply);
}

static void check_replies(struct replies *replies)
{
	char *nul;

	while ((nul = memchr(replies->bytes, '\0', replies->length))) {
		size_t length = nul - replies->bytes;

		check_reply(replies->bytes, length);
		replies->length -= length + 1;
		memmove(replies->bytes, nul + 1, replies->length);
		replies->count++;
	}
}

/* Takes what is there; false once the server has closed the connection. */
static int take(int fd, struct replies *replies)
{
	ssize_t got;

	do {
		if (replies->capacity - replies->length < 65536) {
			replies->capacity = replies->length + 2 * 65536;
			replies->bytes = realloc(replies->bytes, replies->capacity);
			if (!replies->bytes)
				abort();
		}
		got = recv(fd, replies->bytes + replies->length,
			   replies->capacity - replies->length, MSG_DONTWAIT);
		if (got > 0)
			replies->length += got;
		check_replies(replies);
	} while (got > 0);
	return got < 0 && errno == EAGAIN;
}

static void release(void)
{
	struct call *call = held;

	held = NULL;
	if (call)
		call_reply(call, NULL);
}

static void send_pieces(int fd, const uint8_t *data, size_t size, size_t piece,
			struct replies *replies)
{
	while (size) {
		size_t length = size < piece ? size : piece;
		ssize_t sent = send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return; /* the server has had enough */
		if (sent > 0) {
			data += sent;
			size -= sent;
		} else {
			release(); /* the server does not read while a call is held */
		}
		settle();
		take(fd, replies);
	}
}

static void await_end(int fd, struct replies *replies)
{
	int turns = 0;

	shutdown(fd, SHUT_WR);
	do {
		settle();
		release();
		if (turns++ > MAX_TURNS)
			abort();
	} while (take(fd, replies));
}

/* A call may be answered twice at most: `answer` continues once. */
static size_t most_replies(const uint8_t *data, size_t size)
{
	size_t messages = 0;

	for (size_t i = 0; i < size; i++)
		messages += !data[i];
	return 2 * messages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replies replies = {};
	size_t piece;
	int fd;

	if (!control)
		start();
	if (!size)
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		abort();
	/* At most some fifty pieces: one byte at a time takes forever. */
	piece = (data[0] >> 1) + 1 + size / 50;
	send_pieces(fd, data + 1, size - 1, piece, &replies);
	if (data[0] & 1)
		await_end(fd, &replies);
	close(fd);
	for (settle(); held; settle())
		release(); /* oneway calls whose client has gone */
	if (replies.count > most_replies(data + 1, size - 1))
		abort();
	free(replies.bytes);
	return 0;
}
