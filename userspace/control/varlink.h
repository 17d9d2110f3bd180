/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Varlink's messages (https://varlink.org): JSON objects, each ended by a NUL
 * byte. No I/O here.
 */
#ifndef BGSWITCH_VARLINK_H
#define BGSWITCH_VARLINK_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "control/buffer.h"

#define VARLINK_SERVICE "org.varlink.service" /* the interface that every service has */
#define VARLINK_MAX_DEPTH 32 /* of objects and arrays in one another */
#define VARLINK_MAX_NAME 255 /* of an interface and its method, as in D-Bus */

/* ---- framing */

/* What has arrived; messages are looked for in what is new only. */
struct varlink_inbox {
	struct buffer bytes;
	size_t searched; /* of `bytes`, without a NUL */
	size_t limit; /* of one message, without its NUL */
};

/* Room to receive into, at least a byte; NULL without memory, or if the message is too long. */
char *varlink_inbox_room(struct varlink_inbox *inbox, size_t *length);
void varlink_inbox_added(struct varlink_inbox *inbox, size_t length);

/* Length of the whole message at buffer_front(), without its NUL; -1: none yet. */
ssize_t varlink_inbox_message(struct varlink_inbox *inbox);
void varlink_inbox_drop(struct varlink_inbox *inbox); /* that message */
void varlink_inbox_free(struct varlink_inbox *inbox);

/* ---- reading */

/* The JSON object in a message; NULL unless it is one: strict, no deeper than VARLINK_MAX_DEPTH. */
json_t *varlink_parse(const char *text, size_t length);

struct varlink_call {
	const char *method; /* whole: "org.bgswitch.Ping" */
	size_t interface; /* length of its interface's name */
	const json_t *parameters; /* an object; NULL: none given */
	bool more, oneway;
};

/*
 * Looks at an object as a call; `call` borrows from it. Returns NULL, or the
 * name of the member that is wrong.
 */
const char *varlink_read_call(struct varlink_call *call, const json_t *message);

/* ---- building; each takes over `parameters` (NULL: none); NULL without memory */

json_t *varlink_call(const char *method, json_t *parameters, bool more);
json_t *varlink_reply(json_t *parameters, bool continues);
json_t *varlink_error(const char *error, json_t *parameters);

/* Appends a message and its NUL; takes it over (NULL is an error). 0 or -ENOMEM. */
int varlink_append(struct buffer *buffer, json_t *message);

#endif
