/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cutover, as a state machine that knows neither clock nor kernel:
 *
 *   idle -> checking -> switching -> draining -> soaking -> idle
 *
 *   checking:  the gate. The target's checks decide; a refusal changes nothing.
 *   switching: the flip, within one step.
 *   draining:  the target serves, and the other color's connections end. The
 *              soak has begun as well; a drain may outlast it.
 *   soaking:   the rest of the soak, without a drain or after it.
 *
 * If the target fails while it drains or soaks, everything goes back, once;
 * without a soak nobody looks. A drain may be asked for alone, too: it begins in
 * `draining`, and nothing flips.
 *
 * The agent and the command line drive the same one through struct
 * cutover_host; unit tests do so with a clock of their own. Call
 * cutover_drain_step() and cutover_step() after every event: a check that ended,
 * the moment cutover_deadline() names, an operator's word.
 */
#ifndef BGSWITCH_CUTOVER_H
#define BGSWITCH_CUTOVER_H

#include <sys/types.h>

#include "bgswitch/maps.h"
#include "drain/drain.h"
#include "failure.h"
#include "record/event.h"
#include "switch/health.h"

enum cutover_state {
	CUTOVER_IDLE,
	CUTOVER_CHECKING,
	CUTOVER_SWITCHING,
	CUTOVER_DRAINING,
	CUTOVER_SOAKING,
};

enum cutover_outcome {
	OUTCOME_COMPLETE,
	OUTCOME_CUT, /* complete, and connections were reset at the deadline */
	OUTCOME_KEPT, /* complete, and connections were left at the deadline */
	OUTCOME_REFUSED, /* by the gate; nothing changed */
	OUTCOME_ROLLED_BACK, /* by itself; new connections go where they went before */
	OUTCOME_ABORTED, /* by an operator; likewise */
	OUTCOME_SUPERSEDED, /* another change ended it; that one decides */
	OUTCOME_FAILED, /* the kernel, or the disk; `changed` says where new connections go */
};

/* "complete", "refused", "rolled-back", ... */
const char *cutover_outcome_name(enum cutover_outcome outcome);
/* What a command ends with. */
enum exit_code cutover_exit_code(enum cutover_outcome outcome);
/* Did it come to its end, so that what it asked for is so? */
bool cutover_is_done(enum cutover_outcome outcome);

struct cutover_request {
	char verb[16]; /* "set", "rollback", "failover", "drain" */
	enum bgs_color to;
	bool dry_run; /* to the end of the gate and no further */
	bool force; /* no gate; and no rollback until the target was healthy once */
	unsigned int soak_ms; /* 0: none */
	unsigned int ready_timeout_ms; /* of the gate */
	bool drains; /* the color other than `to`, after the flip */
	struct drain_policy drain;
	bool drained; /* before it was resumed, and that color was safe to stop */
	uid_t uid; /* (uid_t)-1: the agent by itself */
};

struct cutover;

/* What it acts on. Times are milliseconds of a clock that never goes back. */
struct cutover_host {
	unsigned long long (*now)(void *data);
	/* The target's checks that began after cutover_begin(). */
	enum verdict (*gate)(void *data, enum bgs_color color);
	enum health (*health)(void *data, enum bgs_color color);
	/* Why it is not healthy, in words; valid until the next call. */
	const char *(*reason)(void *data, enum bgs_color color);
	/* Where new connections go now. */
	int (*route)(void *data, struct bgs_route *route, struct failure *failure);
	/* Writes down what is about to happen (before a flip) or has (after it). */
	int (*record)(void *data, const struct cutover *cutover, struct failure *failure);
	int (*flip)(void *data, struct bgs_route route, struct failure *failure);
	/* Why a color gets new clients, though it is not active and has no share; NULL: none. */
	const char *(*receives)(void *data, enum bgs_color color);
	void (*announce)(void *data, enum event_kind kind, int color, const char *text);
	/* The end; `cutover` is idle and may be begun anew from here. */
	void (*finished)(void *data, const struct cutover *cutover);
};

struct cutover {
	const struct cutover_host *host;
	const struct drain_host *drain_host;
	void *data; /* of `host` */
	enum cutover_state state;
	struct cutover_request request;
	struct bgs_route before; /* where new connections went */
	bool flipped; /* by this cutover, and not back again */
	bool switched; /* it has flipped, back again or not */
	bool was_healthy; /* the target, at the gate or at any time since the flip */
	bool told_alarm; /* that both colors are unhealthy */
	struct drain drain; /* DRAIN_IDLE: there was none */
	bool receives; /* the other color gets new clients, so that it can never be safe to stop */
	unsigned long long began, deadline; /* `deadline`: of the gate, or of the soak */
	/* how it ended */
	enum cutover_outcome outcome;
	bool changed; /* new connections go elsewhere than before it */
	char text[EVENT_TEXT]; /* why, in words; empty: nothing to add */
	struct failure failure; /* with OUTCOME_FAILED and OUTCOME_REFUSED */
	unsigned long long duration;
};

void cutover_init(struct cutover *cutover, const struct cutover_host *host,
		  const struct drain_host *drain_host, void *data);

/* Only when idle. May come to its end within the call. */
void cutover_begin(struct cutover *cutover, const struct cutover_request *request);

/* Only drains the color other than `to`, which is active. Only when idle; may end in the call. */
void cutover_drain(struct cutover *cutover, const struct cutover_request *request);

/*
 * Goes on after a flip that another process made: `left` milliseconds of its
 * soak, and with its drain as the request has it. May end within the call.
 */
void cutover_resume(struct cutover *cutover, const struct cutover_request *request,
		    struct bgs_route before, unsigned int left);

/* Looks after connections: needs no lock, and changes no state but the drain's own. */
void cutover_drain_step(struct cutover *cutover);
void cutover_step(struct cutover *cutover);
/* Would a step do something now? Then, and only then, it needs the lock. */
bool cutover_is_due(const struct cutover *cutover);
/* When to step without an event; 0: no such moment. */
unsigned long long cutover_deadline(const struct cutover *cutover);

/* Draining or soaking: what was asked for has happened, and may be superseded. */
bool cutover_is_watching(const struct cutover *cutover);
/* Only a drain is left: where new connections go is no matter of the cutover any more. */
bool cutover_is_settled(const struct cutover *cutover);
/* Was the color other than `to` safe to stop at the end of its drain? */
bool cutover_has_drained(const struct cutover *cutover);
/* Milliseconds until the deadline of what it does now, at least 0; -1: there is none. */
long long cutover_left(const struct cutover *cutover);

/* Ends the soak now, as passed; a drain goes on. Fails (EXIT_USAGE) when nothing soaks. */
int cutover_promote(struct cutover *cutover, struct failure *failure);
/*
 * Undoes what is under way. Fails (EXIT_USAGE) when nothing is; when the way
 * back fails, the cutover ends with OUTCOME_FAILED, and new connections stay.
 */
int cutover_abort(struct cutover *cutover, struct failure *failure);
/* Somebody else changed where new connections go: `text` says what. Nothing to do when idle. */
void cutover_supersede(struct cutover *cutover, const char *text);

#endif
