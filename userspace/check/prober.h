/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs checks: many at once, each repeated at its interval with a little
 * jitter, none overlapping itself. One thread, never blocking; results come by
 * callback out of prober_run().
 */
#ifndef BGSWITCH_PROBER_H
#define BGSWITCH_PROBER_H

#include "check/check.h"
#include "endpoint.h"

struct prober;
struct probe; /* the repeated check of one instance */

/* NULL with `failure` set when descriptors or memory are out. */
struct prober *prober_new(struct failure *failure);
/* Ends all probes without callbacks. NULL is fine. */
void prober_free(struct prober *prober);

/* Readable whenever prober_run() has something to do. */
int prober_fd(const struct prober *prober);
void prober_run(struct prober *prober);

/*
 * `result` is valid during the call. The callback may add, pace, hurry and
 * remove probes, its own as well.
 */
typedef void probe_done(void *data, const struct check_result *result);

/*
 * Starts checking `instance` at its own address: a bare port and 0.0.0.0 mean
 * 127.0.0.1 (a bare port ::1 as well, when the first refuses), [::] means ::1.
 * The first check begins at once. `check` is borrowed and must outlive the
 * probe; secrets are read here. CHECK_NONE cannot be added.
 */
struct probe *prober_add(struct prober *prober, const struct check *check,
			 const struct endpoint *instance, probe_done *done, void *data,
			 struct failure *failure);
void probe_remove(struct probe *probe); /* no callback comes any more; NULL is fine */

/* Uses the fast interval from now on, or the normal one again. */
void probe_pace(struct probe *probe, bool fast);

/* A check that begins from now on: at once, or when the one under way has ended. */
void probe_hurry(struct probe *probe);

/* Begins no check until it is let go; one that is under way ends as usual. */
void probe_hold(struct probe *probe, bool held);
bool probe_is_running(const struct probe *probe);

struct prober_statistics {
	unsigned long long checks; /* ended */
	unsigned long long failed; /* of those */
	/* The first check of a probe has no plan, and so cannot be late. */
	unsigned long long late; /* begun later than planned by over a tenth of their interval */
	unsigned int worst_delay_us; /* of a beginning behind its plan */
};
const struct prober_statistics *prober_statistics(const struct prober *prober);

#endif
