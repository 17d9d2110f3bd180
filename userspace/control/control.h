/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's socket: Varlink (https://varlink.org), that is JSON objects ended
 * by NUL. Every client is bounded in message size, calls, memory and time, and
 * none is waited for.
 */
#ifndef BGSWITCH_CONTROL_H
#define BGSWITCH_CONTROL_H

#include <sys/types.h>

#include <jansson.h>
#include <systemd/sd-event.h>

#include "failure.h"

#define CONTROL_INTERFACE "org.bgswitch"
#define CONTROL_MAX_MESSAGE (64 * 1024) /* from a client */
#define CONTROL_MAX_CLIENTS 64 /* and 16 of one user other than root */
#define CONTROL_MAX_PENDING (1024 * 1024) /* bytes not yet taken by a client; more ends it */
#define CONTROL_IDLE_MS 30000 /* without a call under way */
#define CONTROL_MESSAGE_MS 5000 /* from a message's first byte to its NUL */

struct control;
struct call; /* one method call under way */

enum control_access { CONTROL_READS, CONTROL_CHANGES };

struct control_method {
	const char *name; /* without the interface */
	enum control_access access;
	/*
	 * Answers now or later; `parameters` is an object, valid during the call.
	 * The call lives until call_reply() or call_fail().
	 */
	void (*run)(struct call *call, const json_t *parameters, void *data);
};

struct control_setup {
	const char *path; /* of the socket; what is left of a dead agent there is replaced */
	const char *description; /* the interface in Varlink's own language */
	const struct control_method *methods; /* ended by one without a name */
	const char *operators, *readers; /* groups; NULL: only root */
	void *data; /* for `run` */
};

/* Borrows the strings and methods. NULL with `failure` set. */
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

/* Calls `gone` if the client goes away before the end of the call, which then is invalid. */
void call_on_gone(struct call *call, void (*gone)(struct call *call, void *data), void *data);

/* Each takes over `parameters`. */
void call_continue(struct call *call, json_t *parameters); /* only with call_wants_more() */
void call_reply(struct call *call, json_t *parameters); /* the last one */
void call_fail(struct call *call, const char *error, json_t *parameters); /* name without the interface */

/* org.bgswitch.Failed {code, what, next}: a struct failure, for the exit code and message of a command. */
void call_fail_with(struct call *call, const struct failure *failure);

#endif
