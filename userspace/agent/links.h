/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells when network interfaces of this namespace come, go or change their names. */
#ifndef BGSWITCH_LINKS_H
#define BGSWITCH_LINKS_H

#include <systemd/sd-event.h>

#include "failure.h"

struct links;

/*
 * Calls `changed` from the loop, once for however many changes there were since
 * it was called last, and also for some that mean nothing (an interface that
 * goes up or down). NULL with `failure` set. Frees before `event` does.
 */
struct links *links_new(sd_event *event, void (*changed)(void *data), void *data,
			struct failure *failure);
void links_free(struct links *links); /* NULL is fine; `changed` may do it */

#endif
