/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's socket: Varlink (https://varlink.org), that is JSON objects ended
 * by NUL. Every client is bounded in message size, calls, memory and time, and
 * none is waited for.
 */
#ifndef BGSWITCH_CONTROL_H
#define BGSWITCH_CONTROL_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>
#include <systemd/sd-event.h>

#include "failure.h"

#define CONTROL_INTERFACE "org.bgswitch"
#define CONTROL_MAX_MESSAGE (64 * 1024) /* from a client */
#define CONTROL_MAX_CLIENTS 64 /* the last 16 of them root's or our own user's only */
#define CONTROL_MAX_OF_USER 16 /* of one other user; those without any right count as one */
#define CONTROL_MAX_PENDING (1024 * 1024) /* bytes not yet taken, beyond which a stream ends */
#define CONTROL_IDLE_MS 30000 /* without a call under way, or without taking what is pending */
#define CONTROL_MESSAGE_MS 5000 /* from a message's first byte to its NUL */

struct control;
struct call; /* one method call under way */

enum control_access { CONTROL_READS, CONTROL_CHANGES };

struct control_method {
	const char *name; /* without the interface */
	enum control_access access;
	/*
	 * Answers now or later; `parameters` is an object, valid until `run` returns.
	 * The call lives until it is answered. NULL: not implemented.
	 */
	void (*run)(struct call *call, const json_t *parameters, void *data);
};

struct control_setup {
	const char *path; /* of the socket; what is left of a dead agent there is replaced */
	const char *description; /* the interface in Varlink's own language */
	const struct control_method *methods; /* ended by one without a name */
	const char *operators, *readers; /* groups; NULL: only root */
	void *data; /* for `run` */
	unsigned int idle_ms, message_ms; /* 0: as above; tests wait less */
};

/* Borrows the path, the description and the methods. NULL with `failure` set. */
struct control *control_new(sd_event *event, const struct control_setup *setup,
			    struct failure *failure);
void control_free(struct control *control); /* removes the socket; NULL is fine */

/* Other groups from now on (after a reload); connected clients are judged anew at each call. */
int control_set_groups(struct control *control, const char *operators, const char *readers,
		       struct failure *failure);

struct call_peer {
	pid_t pid;
	uid_t uid;
};
const struct call_peer *call_peer(const struct call *call);
bool call_wants_more(const struct call *call); /* replies with "continues" are welcome */

/*
 * Calls `gone` if the client goes away before the end of the call, which is
 * invalid once that returns. A client that does not want an answer may go.
 */
void call_on_gone(struct call *call, void (*gone)(struct call *call, void *data), void *data);

/* Each takes over `parameters`. */
void call_continue(struct call *call, json_t *parameters); /* only with call_wants_more() */
void call_reply(struct call *call, json_t *parameters); /* the last one */
/* `error` without the interface */
void call_fail(struct call *call, const char *error, json_t *parameters);

/* org.bgswitch.Failed {code, what, next}: for the exit code and the message of a command. */
void call_fail_with(struct call *call, const struct failure *failure);

/* org.varlink.service.InvalidParameter and ExpectedMore */
void call_fail_parameter(struct call *call, const char *parameter);
void call_fail_expected_more(struct call *call);

#endif
