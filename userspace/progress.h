/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a drain has come, for who waits: on a terminal one line that is
 * rewritten in place, elsewhere a line with the time, only when the numbers
 * changed and at most one a second.
 */
#ifndef BGSWITCH_PROGRESS_H
#define BGSWITCH_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#define PROGRESS_PAUSE_MS 1000 /* between lines, not on a terminal */
#define PROGRESS_TEXT 256

struct progress {
	FILE *out; /* NULL: nothing is shown */
	bool is_terminal;
	bool is_open; /* a line stands there that has no end yet */
	bool is_told; /* an event has said how many there are in the beginning */
	char shown[PROGRESS_TEXT]; /* the numbers */
	unsigned long long next; /* ms; 0: nothing was shown yet */
};

/* For standard error, as far as messages are wanted there. */
void progress_init(struct progress *progress);

/*
 * `object` as draining_progress() makes it; another one shows nothing. `now` is a
 * time in ms that never goes back.
 */
void progress_show(struct progress *progress, const json_t *object, unsigned long long now);

/* Before anything else is written there. */
void progress_clear(struct progress *progress);

#endif
