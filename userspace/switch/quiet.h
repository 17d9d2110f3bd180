/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our own checks are connections of a color as well: while they may be all
 * that is left of it, and when its deadline is near, none begins. Not for
 * long, though: a color whose last client stays for hours is still checked.
 */
#ifndef BGSWITCH_QUIET_H
#define BGSWITCH_QUIET_H

#include <stdbool.h>

struct supervisor;

struct quiet {
	unsigned long long since; /* ms: no check runs on the held color; 0: one may */
	unsigned long long round; /* ms: when it was held last because little is left; 0: not */
};

/* After anything that may have changed: holds checks, and lets them go. */
void quiet_hold_checks(struct supervisor *supervisor);

/* Have all that are held ended, and is there nothing left of them? */
bool quiet_is_left_alone(const struct supervisor *supervisor);

#endif
