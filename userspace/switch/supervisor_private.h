/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of the supervisor. */
#ifndef BGSWITCH_SUPERVISOR_PRIVATE_H
#define BGSWITCH_SUPERVISOR_PRIVATE_H

#include "record/history.h"
#include "switch/supervisor.h"

#define SUPERVISOR_RETRY_MS 20 /* when the lock is taken: commands hold it for moments */

/* What its cutovers act through; see judgement.c for the gate and the health. */
extern const struct cutover_host supervisor_cutover_host;

/* After anything that may have changed: announces, steps the cutover, acts, sets paces. */
void supervisor_evaluate(struct supervisor *supervisor);

/*
 * The service's entry, if the slot is still its own: services come and go
 * before the agent hears of it. 0 or -errno.
 */
int supervisor_read(const struct supervisor *supervisor, struct bgs_service *service);

/* Somebody may have changed the route since we saw it: then a soak is about nothing any more. */
void supervisor_notice_others(struct supervisor *supervisor);

/* By the checks alone; unknown without any. */
enum health supervisor_checked_health(const struct supervisor *supervisor, enum bgs_color color);
/* And by whether there is a listener at all. */
enum health supervisor_health(const struct supervisor *supervisor, enum bgs_color color);
enum verdict supervisor_gate(const struct supervisor *supervisor, enum bgs_color color);

/* Why a color is not healthy, in words; returns `text`. */
const char *supervisor_reason(const struct supervisor *supervisor, enum bgs_color color,
			      char text[EVENT_TEXT]);

/* One that cannot be kept is worth an alarm, and no more. */
void supervisor_add_history(const struct supervisor *supervisor, const struct history_entry *entry);

/* An alarm is told once, and stands in `status` until it is cleared. */
void supervisor_alarm(struct supervisor *supervisor, const char *text);
void supervisor_clear_alarm(struct supervisor *supervisor);

#endif
