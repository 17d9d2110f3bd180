/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a cutover acts on, as a test wants it: a clock that the test moves,
 * health that it sets, stores and records that fail when they are told to. All
 * that the cutover does is written into a trace:
 *
 *   say:checking save:switching flip:green say:switching ... save:nothing end:complete
 *
 * What a drain does of itself is not in it, but for resets: cut:NUMBER.
 */
#ifndef BGSWITCH_TESTS_FAKE_HOST_H
#define BGSWITCH_TESTS_FAKE_HOST_H

#include "switch/cutover.h"

#define FAKE_START 5000 /* milliseconds; its clock does not begin with 0 */

struct fake_host {
	struct cutover cutover;
	unsigned long long now;
	enum verdict verdict; /* of the gate */
	enum health health[BGS_COLORS];
	const char *reason;
	struct bgs_route route;
	bool route_fails, flip_fails, record_fails;
	bool late_record_fails; /* the one after a flip, only */
	bool receives; /* new clients come to the color that is drained */
	struct drain_host drain_host;
	struct connection_counts counts; /* of the color that is drained; resets take them away */
	bool count_fails;
	/* What the cutover did, in order; cut off when it is full. */
	char trace[2048];
	unsigned int deeds; /* words that were written there */
	char said[EVENT_TEXT]; /* the last announcement */
	unsigned int flips, ends;
	bool recorded; /* that a flip is about to happen, or has; not that it is over */
	bool record_is_open; /* the last record that was asked for says that something is under way
			      */
	/* Begun from within the end; NULL: nothing. Taken once. */
	const struct cutover_request *again;
	/* At the end, before anything begins anew; may be NULL. */
	void (*ended)(struct fake_host *fake);
};

/* Blue is active; both colors are healthy; the gate has not decided. */
void fake_init(struct fake_host *fake);

void fake_begin(struct fake_host *fake, const struct cutover_request *request);

/*
 * A step, of the drain first, and what cutover_is_due() promises of it: it does
 * something when it is due, and nothing (but to note that the target is healthy)
 * when not.
 */
void fake_step(struct fake_host *fake);

#endif
