/* SPDX-License-Identifier: GPL-2.0-only */
/* What the agent knows, laid over what the maps say. */
#ifndef BGSWITCH_STATUS_HEALTH_H
#define BGSWITCH_STATUS_HEALTH_H

#include <jansson.h>
#include <sys/types.h>

/*
 * Fills in `status` (of status_json()): the agent, and with `health` (the
 * `services` of its method Health) state, alarm, operation, service check,
 * health and last checks. Services and instances are matched by name and address.
 */
void status_add_health(json_t *status, pid_t agent, const json_t *health);

/*
 * Without an agent: an instance that one took out of rotation comes back by
 * nobody. Adds a warning for each to `warnings` of `status`.
 */
void status_warn_of_rotation(json_t *status);

#endif
