/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks after one service: its instances' checks, which of them take
 * connections, its cutovers, and what is done when the active color fails.
 * The agent has one for each service for ever, the command line one for the
 * time of a command.
 */
#ifndef BGSWITCH_SUPERVISOR_H
#define BGSWITCH_SUPERVISOR_H

#include <jansson.h>

#include "config/policy.h"
#include "drain/options.h"
#include "record/event.h"
#include "record/state.h"
#include "switch/cutover.h"
#include "switch/draining.h"
#include "switch/monitor.h"
#include "switch/quiet.h"
#include "switch/service_check.h"
#include "switch/stop.h"
#include "switch/warm.h"

struct supervisor;

/* What it needs of the process that it lives in. */
struct supervisor_host {
	struct prober *prober;
	const struct datapath *datapath;
	struct event_log *log;
	/* Acts by itself: rotation, failover by health, taking back a split. The agent does. */
	bool autonomous;
	/* May be taken while it is held; each needs its release. -1: EXIT_BUSY, try again. */
	int (*lock)(const char *operation, struct failure *failure, void *data);
	void (*unlock)(void *data);
	/* Writes the state file. `operation` NULL: none is under way any more. */
	int (*save)(const struct supervisor *supervisor, const struct operation *operation,
		    struct failure *failure, void *data);
	/* Writes into it which color will be stopped, or is; NULL: none any more. */
	int (*save_stop)(const struct supervisor *supervisor, const struct pending_stop *stop,
			 struct failure *failure, void *data);
	/* Call supervisor_run_stop() while `fd` is readable; -1: no more. 0 or -errno. */
	int (*watch_stop)(struct supervisor *supervisor, int fd, void *data);
	/* A cutover has ended; history has it already. */
	void (*ended)(struct supervisor *supervisor, const struct cutover *cutover, void *data);
	/* Deadlines may have changed; NULL: nobody asks. */
	void (*moved)(struct supervisor *supervisor, void *data);
	const char *history_directory, *history_name;
	void *data;
};

struct supervisor {
	const struct supervisor_host *host;
	char name[BGS_NAME_SIZE];
	__u32 slot;
	struct policy *policy; /* owned */
	struct bgs_endpoint listen[BGS_MAX_LISTEN];
	size_t listen_count;
	struct monitor **monitors; /* owned, each by itself: probes point to them */
	size_t monitor_count;
	enum health health[BGS_COLORS]; /* as last announced */
	bool rotation_due; /* an instance's health changed, or the instances did */
	struct cutover cutover;
	struct drain_host drain_host; /* of the cutover's drains */
	struct draining_oldest oldest;
	struct quiet quiet;
	struct warm warm; /* the color to be stopped */
	unsigned long long kept_listeners; /* warming_listeners() of it when it was safe; or 0 */
	struct stop *stop; /* its command, while it runs */
	bool holds_checks; /* of that color: they may be all that is left of its connections */
	struct bgs_route route; /* as last seen: when it differs, somebody else has changed it */
	int previous; /* color to roll back to; -1: none */
	/*
	 * No move without an operator: after one (not again until all was well for a
	 * soak, or an operator acts), and after one forced a color that was unhealthy
	 * (until it is healthy).
	 */
	enum { LATCH_NONE, LATCH_FORCED, LATCH_FAILOVER, LATCH_ROLLBACK } latch;
	unsigned long long latched_until; /* of LATCH_FAILOVER; 0: not known yet */
	char alarm[EVENT_TEXT]; /* empty: none */
	unsigned long long retry; /* the lock was taken; 0: no need */
	bool has_service_check;
	struct service_check_result service_check;
	void *user; /* the host's own */
};

/* Takes over `policy` (from malloc), also when it fails. */
struct supervisor *supervisor_new(const struct supervisor_host *host, const struct service *service,
				  struct policy *policy, struct failure *failure);
void supervisor_free(struct supervisor *supervisor); /* NULL is fine */

/*
 * After a change by others: the service as it is now. Takes over `policy`.
 * Checks of instances that stay go on; a soak whose route was changed ends.
 */
int supervisor_update(struct supervisor *supervisor, const struct service *service,
		      struct policy *policy, struct failure *failure);

/* After supervisor_deadline(), a monotonic time in milliseconds; 0: none. */
void supervisor_tick(struct supervisor *supervisor);
unsigned long long supervisor_deadline(const struct supervisor *supervisor);
unsigned long long supervisor_now(void);

/*
 * An operator's words. The caller holds the lock. A request that cannot begin
 * fails; how one ends comes by `ended`, maybe within the call.
 */
int supervisor_begin(struct supervisor *supervisor, const struct cutover_request *request,
		     struct failure *failure);
/*
 * Fills in what the service's policy says: of the drain what `options` do not
 * say, the soak unless it is given, and the gate's time.
 */
int supervisor_complete_request(const struct supervisor *supervisor,
				struct cutover_request *request, bool has_soak,
				const struct drain_options *options, struct failure *failure);
/* EXIT_BUSY in `failure`: what is under way, and how to end it. Returns -1. */
int supervisor_busy(const struct supervisor *supervisor, struct failure *failure);
/* Ends a soak that a change to `to` supersedes, before anybody waits for that change's end. */
void supervisor_make_way(struct supervisor *supervisor, enum bgs_color to);
/* Fills in a request to go back to the previous color. */
int supervisor_rollback_request(const struct supervisor *supervisor,
				struct cutover_request *request, struct failure *failure);
/*
 * Drains a color that gets no new connections, with no cutover under way. Begins,
 * and ends by `ended`, as a cutover does: with the verb "drain", and nothing flips.
 * Fails with EXIT_REFUSED where the color gets some, with EXIT_BUSY during a cutover.
 */
int supervisor_drain(struct supervisor *supervisor, enum bgs_color color,
		     const struct drain_options *options, uid_t uid, struct failure *failure);
int supervisor_promote(struct supervisor *supervisor, struct failure *failure);
int supervisor_abort(struct supervisor *supervisor, uid_t uid, struct failure *failure);
/* Ends a soak that nobody waits for, because of what `text` says. */
void supervisor_supersede(struct supervisor *supervisor, const char *text);
int supervisor_split(struct supervisor *supervisor, unsigned int basis_points, uid_t uid,
		     struct failure *failure);

/* Goes on with, or gives up, what another process left behind. The lock is held. */
void supervisor_adopt(struct supervisor *supervisor, const struct operation *operation);

/*
 * What another process was to stop: goes on with it, or, without autonomy, leaves
 * it to whoever comes next unless the color is used again.
 */
void supervisor_resume_stop(struct supervisor *supervisor, const struct pending_stop *pending);
void supervisor_run_stop(struct supervisor *supervisor);

/* Has every instance been checked once? */
bool supervisor_has_looked(const struct supervisor *supervisor);

/* "steady", "checking", "draining", "soaking" */
const char *supervisor_state(const struct supervisor *supervisor);

/* What `status` shows beside the maps; see supervisor_json.c. The caller owns it. */
json_t *supervisor_json(const struct supervisor *supervisor);

#endif
