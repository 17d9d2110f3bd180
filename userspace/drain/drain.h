/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waiting for a color's connections to end, as a state machine that knows
 * neither clock nor kernel. What is asked for happens by shares: of the 2^32
 * places that a hash of the cookie gives a connection, the first `share` are due.
 * Without `over_ms` all are due at once.
 *
 *   gently (close_idle_ms): from the beginning, a share that grows over `over_ms`
 *   by force: at the deadline; the share grows over the `over_ms` before it
 */
#ifndef BGSWITCH_DRAIN_H
#define BGSWITCH_DRAIN_H

#include <stdbool.h>

#include "config/policy.h"
#include "datapath/connections.h"
#include "failure.h"

#define DRAIN_ALL 0xffffffffU /* share */
/*
 * Pauses between looks, and between closes; at least 9 times what one took, but
 * closes that are to be spread over a time come in DRAIN_SLICES parts or more.
 */
#define DRAIN_SLICES 20
#define DRAIN_COUNT_MS 50 /* at the gauges; of resets as well */
#define DRAIN_CLOSE_MS 250 /* of idle connections */
#define DRAIN_CUT_MS 10 /* between resets while all that are due do not fit one batch */
#define DRAIN_CUT_BATCH 1000 /* resets in a batch */
#define DRAIN_OVER_IDLE_MS 1000 /* idle for so long, when `over_ms` alone asks for closes */
/* After the deadline, without fewer being left; SYN cookies need their time. */
#define DRAIN_GIVE_UP_MS (BGS_COOKIE_TTL_S * 1000 + 2000)

enum drain_state {
	DRAIN_IDLE, /* none was begun */
	DRAIN_WAITING,
	DRAIN_SAFE, /* proved: nothing is left */
	DRAIN_KEPT, /* the deadline came, and the rest stays: DEADLINE_KEEP, or resets did not do */
	DRAIN_FAILED, /* counting failed; `failure` says why */
	DRAIN_STOPPED, /* given up by drain_stop() */
};

/* What it acts on. Each returns 0, or -1 with `failure` set. */
struct drain_host {
	unsigned long long (*now)(void *data); /* ms, monotonic */
	/* Cheap; may be wrong for an instant; does not know of untagged ones. */
	int (*count)(void *data, enum bgs_color color, struct connection_counts *counts,
		     struct failure *failure);
	/* Exact, and not cheap: asked when count() says zero. */
	int (*prove)(void *data, enum bgs_color color, struct connection_counts *counts,
		     struct failure *failure);
	/* Closes idle connections that are due; `*closed` says how many. */
	int (*close_idle)(void *data, enum bgs_color color, unsigned int idle_ms,
			  unsigned int share, unsigned int *closed, struct failure *failure);
	/* Resets connections that are due, `most` at the most. */
	int (*cut)(void *data, enum bgs_color color, unsigned int share, unsigned int most,
		   unsigned int *cut, struct failure *failure);
	/* Closes or resets failed; said once of a drain, which goes on waiting. */
	void (*warn)(void *data, const struct failure *failure);
	void *data;
};

struct drain {
	const struct drain_host *host;
	enum bgs_color color;
	struct drain_policy policy;
	enum drain_state state;
	struct connection_counts counts; /* as last seen; exact once the state is final */
	unsigned long long began, ended; /* ms; `ended` once the state is final */
	unsigned long long deadline; /* 0: none */
	unsigned long long next_count, next_prove, next_close, next_cut;
	unsigned long long closed, cut; /* gently; by force */
	unsigned long long fewest, give_up; /* left after the deadline; when to give up then */
	bool is_past; /* the deadline */
	bool warned;
	struct failure failure;
};

/* Begins; may be over within the call. An `over_ms` beyond the timeout is cut to it. */
void drain_begin(struct drain *drain, const struct drain_host *host, enum bgs_color color,
		 const struct drain_policy *policy);
/* Does what is due. */
void drain_step(struct drain *drain);
/* When to step next, ms; 0: it does not wait. */
unsigned long long drain_next(const struct drain *drain);
/* Gives up waiting, if it does; what is open stays. */
void drain_stop(struct drain *drain);
/* When resets begin, ms; 0: there will be none. */
unsigned long long drain_resets_at(const struct drain *drain);
/* How many the end of the color's processes would cut, as last seen. */
unsigned long long drain_left(const struct drain *drain);

/* "3 handshaking, 2 queued, 118 established, 1 untagged"; "nothing": returns `text`. */
#define DRAIN_TEXT 160
const char *drain_counts_text(char text[DRAIN_TEXT], const struct connection_counts *counts);

#endif
