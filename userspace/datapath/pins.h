/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pin directory: what may be in it, and in which order it comes and goes.
 *
 * `settings` is pinned last and removed first among the maps, so its presence
 * means that the rest is whole. Links come after it and go before it.
 */
#ifndef BGSWITCH_PINS_H
#define BGSWITCH_PINS_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

enum pin {
	/* maps; `settings` first, see above */
	PIN_SETTINGS,
	PIN_INTERFACES,
	PIN_LISTEN,
	PIN_PORTS,
	PIN_SERVICES,
	PIN_INSTANCES,
	PIN_BACKENDS,
	PIN_SOCKETS,
	PIN_SIBLINGS,
	PIN_ROTATION,
	PIN_COUNTERS,
	PIN_PREVIEW,
	PIN_PREFIXES,
	PIN_TAGS,
	PIN_CONNECTIONS,
	PIN_PROBES,
	PIN_COOKIES,
	PIN_MAPS,
	/* programs that are run, not attached */
	PIN_FLIP = PIN_MAPS,
	PIN_QUEUE,
	/* links */
	PIN_ADOPT,
	PIN_WALK,
	PIN_REGISTER,
	PIN_STEER,
	PIN_COUNT,
};

const char *pin_name(enum pin pin);

/* A descriptor of the pinned object, or -errno. */
int pin_open(const char *dir, enum pin pin);

/* Pins `fd`, in one step in place of what is there; 0 or -errno. */
int pin_put(const char *dir, enum pin pin, int fd);

/* 0 or -errno; removing what is not there is fine. */
int pin_remove(const char *dir, enum pin pin);

/* Removes all of ours, steering first, and the directory if nothing else is in it. */
int pins_remove_all(const char *dir, struct failure *failure);

/* Fails and names it if the directory holds anything that is not ours. */
int pins_check_foreign(const char *dir, struct failure *failure);

#endif
