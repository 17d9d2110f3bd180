/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One client: what it sends is read only while nothing else is to be done for
 * it, so that its calls are answered in order and the rest waits in the kernel.
 * Of the modules of the control socket only.
 */
#ifndef BGSWITCH_CONNECTION_H
#define BGSWITCH_CONNECTION_H

#include "control/access.h"
#include "control/control.h"
#include "control/listening.h"
#include "control/varlink.h"

struct control {
	sd_event *event;
	struct control_setup setup;
	struct access_groups groups;
	struct listening listening;
	sd_event_source *accepting, *pause;
	struct connection *connections[CONTROL_MAX_CLIENTS];
	size_t connection_count;
};

/* What a client is waited for; decides how long. */
enum connection_phase {
	PHASE_ACCEPTED,
	PHASE_CALL, /* for us: as long as it takes */
	PHASE_SENDING,
	PHASE_MESSAGE, /* a part of one is there */
	PHASE_IDLE,
};

struct connection {
	struct control *control;
	int fd;
	struct peer peer;
	bool stranger; /* had no right when it came */
	struct varlink_inbox inbox;
	struct buffer outbox;
	struct call *call; /* under way, or NULL */
	sd_event_source *io, *timer, *work;
	enum connection_phase phase;
	bool progress; /* since the timer was set */
	bool at_end; /* the client sends no more */
	bool hung_up; /* ... and reads no more */
	bool closing; /* once the outbox is empty */
	bool broken; /* at the next opportunity */
};

/* Takes over `fd` and `peer`, also when it fails; puts itself into control->connections. */
int connection_new(struct control *control, int fd, struct peer *peer);
void connection_end(struct connection *connection); /* a call under way is told */

/* Queues a message, which it takes over. Frees nothing: callers may go on using the connection. */
void connection_send(struct connection *connection, json_t *message);
void connection_wake(struct connection *connection); /* look again at what is to be done */
int connection_flush(struct connection *connection); /* as much as goes now; 0 or -errno */

struct call {
	struct connection *connection;
	bool more, oneway;
	void (*gone)(struct call *call, void *data);
	void *data;
};

/* Runs a client's message, or answers what is wrong with it. */
void call_begin(struct connection *connection, json_t *message);
void call_abandon(struct call *call); /* the client has gone; frees it */
/* An error of org.varlink.service; takes over `parameters`. */
void call_fail_service(struct call *call, const char *error, json_t *parameters);

extern const struct control_method builtin_methods[]; /* of org.varlink.service */

#endif
