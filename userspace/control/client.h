/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line's side of the agent's socket; blocking. */
#ifndef BGSWITCH_CLIENT_H
#define BGSWITCH_CLIENT_H

#include <stdbool.h>

#include <jansson.h>

#include "failure.h"

#define CLIENT_TIMEOUT_MS 5000 /* for the connection, and for each reply unless it `waits` */

/*
 * A connected descriptor; -1 with `failure` set (EXIT_AGENT) when an agent is
 * there and cannot be reached; CLIENT_NO_AGENT when there is none: no socket,
 * or nobody behind it.
 */
#define CLIENT_NO_AGENT (-2)
int client_connect(const char *path, struct failure *failure);

struct client_call {
	const char *method; /* without the interface */
	json_t *parameters; /* taken over; NULL: none */
	bool waits; /* replies may take any time */
	unsigned int timeout_ms; /* for each of them otherwise; 0: CLIENT_TIMEOUT_MS */
	int stop_fd; /* readable: give up waiting; -1: none (0 is standard input) */
	/* With it, asks for "more": called for each reply that continues. */
	void (*progress)(const json_t *parameters, void *data);
	void *data;
};

/*
 * Calls and returns the last reply's parameters (json_decref() it), or NULL with
 * `failure` set: an org.bgswitch.Failed of the agent as it came, NoSuchService
 * as EXIT_USAGE, a right that is missing as EXIT_SYSTEM, anything else as
 * EXIT_AGENT. Given up by `stop_fd`: NULL with failure code EXIT_DONE. After a
 * failure that was not the agent's answer only close() is left.
 */
json_t *client_call(int fd, const struct client_call *call, struct failure *failure);

#endif
