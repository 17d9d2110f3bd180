/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs the command that stops a color: once, without a shell, and without
 * waiting for it. Whoever asks for it must know that the color is safe to stop.
 *
 * The command reads nothing, and finds PATH, HOME and LANG as we have them, and
 * BGSWITCH_SERVICE and BGSWITCH_COLOR: nothing else of the agent's environment,
 * which may hold secrets. It leads a process group: what it leaves there when it
 * ends is killed; what is to live on needs a session of its own (setsid(1)).
 *
 *   stop = stop_new("web", BGS_BLUE, argv, 30000, &failure);
 *   while (!stop_is_over(stop)) {
 *           poll(stop_fd(stop), POLLIN);
 *           stop_run(stop);
 *   }
 *   outcome = *stop_outcome(stop);
 *   stop_free(stop);
 */
#ifndef BGSWITCH_STOP_H
#define BGSWITCH_STOP_H

#include <stdbool.h>

#include "bgswitch/maps.h"
#include "failure.h"

#define STOP_GRACE_MS 5000 /* from SIGTERM, when time is up, to SIGKILL */
#define STOP_TEXT 256

enum stop_end {
	STOP_DONE, /* exit status 0 */
	STOP_EXITED, /* another one: `number` */
	STOP_KILLED, /* by a signal that was not ours: `number` */
	STOP_TIMED_OUT, /* ended by us, however it ended then */
	STOP_NOT_STARTED, /* no such program, no permission: `number` is the errno */
};

struct stop_outcome {
	enum stop_end end;
	int number;
	unsigned int duration_ms;
	/*
	 * In words, fit to be shown: "exit status 5: Unit app@blue.service not loaded.":
	 * what happened, and the last line that was written. "done" if all is well.
	 */
	char text[STOP_TEXT];
};

struct stop;

/*
 * Starts the command; `argv` is only borrowed for the call. NULL with `failure`
 * if memory or descriptors are out. A program that cannot be started is an
 * outcome, told like any other: by stop_fd() and stop_run().
 */
struct stop *stop_new(const char *service, enum bgs_color color, char *const argv[],
		      unsigned int timeout_ms, struct failure *failure);

/* Readable when stop_run() has something to do, and no more after the end; closed by stop_free().
 */
int stop_fd(const struct stop *stop);

/* Takes output, sees to the time limit, and to the end. Never waits. */
void stop_run(struct stop *stop);

bool stop_is_over(const struct stop *stop);

/* Valid until stop_free(); NULL before the end. */
const struct stop_outcome *stop_outcome(const struct stop *stop);

/*
 * Kills what still runs, group and all, and leaves no zombie: waits for the end,
 * a second at the most (a process may sleep in the kernel). NULL is fine.
 */
void stop_free(struct stop *stop);

#endif
