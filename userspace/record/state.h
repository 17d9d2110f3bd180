/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state file: what must survive a reboot or is not in the maps. Maps are
 * the truth about what runs; the file repeats them (for the next boot) and adds
 * policies and the operations under way. Written to a temporary file, fsynced,
 * renamed. Only the holder of the lock writes.
 *
 *   {"format": 1, "boot_id": ..., "netns_cookie": ..., "attach": [NAME...],
 *    "services": {NAME: as in the configuration file; stop commands see policy_json()},
 *    "routes": {NAME: {"active", "split_bp", "previews"}},
 *    "operations": {NAME: ...}, "previous": {NAME: COLOR},
 *    "stops": {NAME: {"color", "since_ms", "listeners", "running", "uid"}}}
 */
#ifndef BGSWITCH_STATE_H
#define BGSWITCH_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "datapath/interfaces.h"
#include "datapath/preview.h"

#define STATE_DEFAULT_DIR "/var/lib/bgswitch"
#define STATE_NAME "state" /* see command_record_name() */
#define STATE_ENDING ".json"

struct state;

/*
 * Reads `directory`/`name`. One that is missing is empty. A damaged one is
 * renamed to NAME.damaged and named in `*warning` (free() it, NULL: nothing to
 * say). One of a newer format is refused. One of another network namespace of
 * this same boot is taken as empty.
 */
int state_open(struct state **state, const char *directory, const char *name, char **warning,
	       struct failure *failure);
void state_close(struct state *state); /* NULL is fine */

/* Makes the directory if it is missing (0755). */
int state_save(struct state *state, struct failure *failure);
/* After `detach all`: the file goes; events and history stay. */
int state_remove(const char *directory, const char *name, struct failure *failure);

/* Was it written in this boot? Then the maps know better; else they are gone. */
bool state_is_of_this_boot(const struct state *state);

/*
 * Takes over what the maps say: interfaces, services, routes. Policies of
 * services that stay are kept. All or nothing.
 */
int state_capture(struct state *state, const struct datapath *datapath, struct failure *failure);

/* The policy of a service; defaults if none was declared (and failover as `flags` have it). */
int state_policy(const struct state *state, const char *service, const struct bgs_flags *flags,
		 struct policy *policy, struct failure *failure);
void state_set_policy(struct state *state, const char *service, const struct policy *policy);

/* For the next boot: what was attached and declared, and where it went. */
int state_config(const struct state *state, struct config **config, struct failure *failure);
bool state_route(const struct state *state, const char *service, struct bgs_route *route);

/*
 * Preview networks can be many, so they have a file of their own beside NAME:
 * written at once by state_save_previews(), after a command changed them, and
 * read only by state_previews(), for the next boot: how many the service had,
 * in `*previews` (free() it), for previews_add(); or -1.
 */
int state_save_previews(const struct state *state, const struct datapath *datapath,
			struct failure *failure);
ssize_t state_previews(const struct state *state, const char *service, struct preview **previews,
		       char **warning, struct failure *failure);

/* An operation that outlives its process: written before the flip, changed after it. */
enum operation_phase { OPERATION_SWITCHING, OPERATION_SOAKING };

struct operation {
	enum operation_phase phase;
	char verb[16]; /* "set", "rollback", ... */
	struct bgs_route before; /* to go back to */
	enum bgs_color to;
	bool forced; /* past the gate, and not healthy since */
	long long began_ms, soak_until_ms; /* CLOCK_REALTIME */
	unsigned int soak_ms;
	/* Of the color that is left, from soak_until_ms - soak_ms on: the flip, or a later word. */
	bool draining;
	struct drain_policy drain;
	bool drained; /* ... and it was safe to stop: that is over */
	uid_t uid; /* (uid_t)-1: the agent by itself */
};

bool state_operation(const struct state *state, const char *service, struct operation *operation);
/* NULL: it has ended. */
void state_set_operation(struct state *state, const char *service,
			 const struct operation *operation);

/* A color that is safe to stop, kept warm until its stop command is due, as the policy says. */
struct pending_stop {
	enum bgs_color color;
	long long since_ms; /* CLOCK_REALTIME */
	uid_t uid; /* who asked for the cutover that left it; (uid_t)-1: the agent by itself */
	unsigned long long listeners; /* tells those that it had then from others; 0: not known */
	bool running; /* the command was started: never again, whatever became of it */
};

/* Of this boot: no process lives longer. */

bool state_stop(const struct state *state, const char *service, struct pending_stop *stop);
/* NULL: there is none any more. */
void state_set_stop(struct state *state, const char *service, const struct pending_stop *stop);

/* What `rollback` goes back to: the color active before the last complete change; -1: none. */
int state_previous(const struct state *state, const char *service);
void state_set_previous(struct state *state, const char *service, int color);

#endif
