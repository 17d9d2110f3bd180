/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A color that a cutover left, from safe to stop until it is stopped, as a state
 * machine that knows neither clock nor kernel:
 *
 *   none -> kept -> stopping -> none
 *
 *   kept:     for `keep_ms`, so that a rollback finds it running; longer while
 *             something speaks against stopping it, which is said.
 *   stopping: its stop command runs.
 *
 * A color that gets new connections again is kept no more: nothing stops it.
 */
#ifndef BGSWITCH_WARM_H
#define BGSWITCH_WARM_H

#include <stdbool.h>
#include <sys/types.h>

#include "bgswitch/maps.h"
#include "record/event.h"

#define WARM_TEXT 256
#define WARM_LOOK_MS 1000 /* between looks; at least 9 times what one took */
#define WARM_SOON_MS 20 /* when only moments are in the way */
#define WARM_NEVER (~0ULL) /* as a time */

enum warm_state { WARM_NONE, WARM_KEPT, WARM_STOPPING };

/* What came of an attempt to stop it. */
enum warm_attempt {
	WARM_STARTED, /* the command runs: warm_ended() tells its end */
	WARM_SOON, /* something is in the way for a moment */
	WARM_BUSY, /* the service has something else to do */
	WARM_NOT_SAFE, /* `why` says what is in the way */
	WARM_NO_MORE, /* it is not to be stopped any more: `why` */
	WARM_CANNOT, /* the command cannot be run: `why` */
};

struct warm;

/* What it acts on. Times are milliseconds of a clock that never goes back. */
struct warm_host {
	unsigned long long (*now)(void *data);
	/* Is the color active, or has it a share? Cheap. */
	bool (*in_use)(void *data, enum bgs_color color);
	/* Starts the stop command if the color is safe to stop, and nothing can come between. */
	enum warm_attempt (*attempt)(void *data, const struct warm *warm, char why[WARM_TEXT]);
	/* Writes down what is to come, or that nothing is. False: later, it is asked again. */
	bool (*save)(void *data, const struct warm *warm);
	void (*announce)(void *data, enum event_kind kind, enum bgs_color color, const char *text);
	/* For history: how it ended. `reason` may be NULL. */
	void (*record)(void *data, const struct warm *warm, const char *outcome, const char *reason,
		       unsigned int duration_ms);
};

struct warm {
	const struct warm_host *host;
	void *data;
	/* Nobody is left to wait: what is not safe at once is not stopped, and has failed. */
	bool impatient;
	enum warm_state state;
	enum bgs_color color;
	uid_t uid; /* who asked for the cutover; (uid_t)-1: the agent by itself */
	long long since; /* when it became safe to stop, by the clock of now(): maybe negative */
	unsigned long long due, next; /* `next`: of another attempt, or save; 0: none is due */
	bool unsaved;
	char told[WARM_TEXT]; /* what is in the way, as it was said last */
};

void warm_init(struct warm *warm, const struct warm_host *host, void *data, bool impatient);

/* The color is safe to stop, and its command due in `keep_ms`; what was kept before is no more. */
void warm_begin(struct warm *warm, enum bgs_color color, uid_t uid, unsigned int keep_ms);
/* What another process began, `spent_ms` ago, and has written down. */
void warm_resume(struct warm *warm, enum bgs_color color, uid_t uid, unsigned int spent_ms,
		 unsigned int keep_ms);
/* The same, but it is left to others: only its use ends that. */
void warm_leave(struct warm *warm, enum bgs_color color);
/* The configuration has changed: `keep_ms` counts from the beginning. */
void warm_change(struct warm *warm, unsigned int keep_ms);
/* It is not stopped after all: `why` in words. Nothing to do unless it is kept. */
void warm_drop(struct warm *warm, const char *why);

/* After every event, and at warm_deadline() (0: none). */
void warm_step(struct warm *warm);
unsigned long long warm_deadline(const struct warm *warm);

/* The command ended; `text` says how. */
void warm_ended(struct warm *warm, const char *outcome, const char *text, unsigned int duration_ms);

/* Will this process stop it, or does it? Then it is worth waiting for. */
bool warm_is_to_come(const struct warm *warm);
/* Does the command of this color run? */
bool warm_is_stopping(const struct warm *warm, enum bgs_color color);
/* Milliseconds until it is due, at least 0; -1: nothing is to come. */
long long warm_left(const struct warm *warm, enum bgs_color color);

#endif
