/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of the cutover. */
#ifndef BGSWITCH_CUTOVER_PRIVATE_H
#define BGSWITCH_CUTOVER_PRIVATE_H

#include "switch/cutover.h"

/* Says it, unless this is a dry run. */
void cutover_announce(struct cutover *cutover, enum event_kind kind, int color, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));

/* Begins the drain and says so; it waits, is over, or there is none. */
void cutover_begin_drain(struct cutover *cutover);
/* Says how it ended; what history should know is in `text`. */
void cutover_tell_drain(struct cutover *cutover);
/* What the drain makes of a cutover that is complete otherwise. */
enum cutover_outcome cutover_drain_outcome(const struct cutover *cutover);

#endif
