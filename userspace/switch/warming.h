/* SPDX-License-Identifier: GPL-2.0-only */
/* What a service's stops act through: its route, its connections, its stop commands. */
#ifndef BGSWITCH_WARMING_H
#define BGSWITCH_WARMING_H

#include <jansson.h>

#include "failure.h"
#include "switch/cutover.h"
#include "switch/warm.h"

struct supervisor;

void warming_init(struct supervisor *supervisor);
/* At the supervisor's end: a command that runs is killed; what is to come stays written down. */
void warming_close(struct supervisor *supervisor);

/* A cutover has ended: the color that it left may have to be stopped. */
void warming_after(struct supervisor *supervisor, const struct cutover *cutover);
/* The same for one that another process drove. */
void warming_begin(struct supervisor *supervisor, enum bgs_color color, uid_t uid);
/* The policy has changed. */
void warming_follow(struct supervisor *supervisor);

/* Must the color's checks wait, so that it can be told whether it has other connections? */
bool warming_holds(const struct supervisor *supervisor, enum bgs_color color);

/* Fails with EXIT_BUSY while the color is being stopped: it cannot be given connections. */
int warming_allows(const struct supervisor *supervisor, enum bgs_color color,
		   struct failure *failure);

/* null, {"in_ms"}, or {"running": true}; the caller owns it. */
json_t *warming_json(const struct supervisor *supervisor, enum bgs_color color);

/* ---- warming_look.c, for warming.c */

/*
 * May it be stopped now? WARM_STARTED: yes, nothing is started yet. The lock is
 * held, so that what was seen stays so.
 */
enum warm_attempt warming_look(struct supervisor *supervisor, const struct warm *warm,
			       char why[WARM_TEXT]);
/* Has the color active, or a share? */
bool warming_has_share(const struct bgs_route *route, enum bgs_color color);
/* Which sockets listen for it now, in one number: others give another one. 0: none, or unknown. */
unsigned long long warming_listeners(const struct supervisor *supervisor, enum bgs_color color);

#endif
