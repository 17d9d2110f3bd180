/* SPDX-License-Identifier: GPL-2.0-only */
/* What the agent does without being asked. */
#ifndef BGSWITCH_AUTONOMY_H
#define BGSWITCH_AUTONOMY_H

#include "switch/supervisor.h"

/*
 * Takes unhealthy instances out of rotation and healthy ones back; moves
 * traffic off an active color that is unhealthy, once; takes back the share of
 * an unhealthy standby; raises an alarm when there is nowhere to go.
 */
void autonomy_act(struct supervisor *supervisor);

/*
 * For commands that switch without an agent: instances of the color that passed
 * their checks are in rotation again, whatever an agent saw before. None is
 * taken out, for nobody would bring it back.
 */
void autonomy_admit(const struct supervisor *supervisor, enum bgs_color color);

/* After a cutover: may there be another one without an operator? */
void autonomy_latch(struct supervisor *supervisor, const struct cutover *cutover);

#endif
