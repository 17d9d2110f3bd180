/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A service's supervisor for the time of a command: what the command line does
 * by itself when there is no agent. The caller holds the lock, unless it only
 * tries (dry run).
 */
#ifndef BGSWITCH_LOCAL_H
#define BGSWITCH_LOCAL_H

#include "record/files.h"
#include "switch/supervisor.h"

struct local;

struct local_setup {
	const struct datapath *datapath;
	const struct files *files;
	const char *service; /* NULL: the only one */
	bool dry_run; /* nothing is written, said or taken over from others */
	void (*show)(const struct event *event, void *data); /* NULL: they are only written down */
	/* draining_progress() of what is waited for, each time it was looked at; may be NULL. */
	void (*progress)(const json_t *progress, void *data);
	void *data; /* of both */
};

/* Starts the service's checks, and takes over what a killed command left under way. */
int local_open(struct local **local, const struct local_setup *setup, struct failure *failure);
void local_close(struct local *local); /* NULL is fine */

struct supervisor *local_supervisor(struct local *local);

/* Begins a cutover. The caller has completed the request: supervisor_complete_request(). */
int local_begin(struct local *local, const struct cutover_request *request,
		struct failure *failure);

/* Begins to drain a color: supervisor_drain(). */
int local_drain(struct local *local, enum bgs_color color, const struct drain_options *options,
		struct failure *failure);

/*
 * Runs until cutover or drain is over, or with `until_flip` until it drains or soaks. Returns 0,
 * or the number of the signal (SIGINT, SIGTERM, SIGHUP) that ended it: before
 * the flip nothing has changed then, after it the switch stands, unwatched.
 */
int local_run(struct local *local, bool until_flip);

/* result_json() of it. */
json_t *local_result(const struct local *local);

#endif
