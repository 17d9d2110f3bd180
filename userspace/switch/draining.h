/* SPDX-License-Identifier: GPL-2.0-only */
/* What a service's drains act through: its connections in the kernel. */
#ifndef BGSWITCH_DRAINING_H
#define BGSWITCH_DRAINING_H

#include <jansson.h>

#include "drain/drain.h"

struct supervisor;

/* What was found last; a walk over all connections is not done each time. */
struct draining_oldest {
	unsigned long long drain_began; /* of which drain, by its beginning */
	unsigned long long since_ms; /* CLOCK_MONOTONIC; 0: not known */
	unsigned long long next; /* walk */
};

/* For a supervisor, which has to outlive it. */
void draining_host(struct drain_host *host, struct supervisor *supervisor);

/* Why new clients come to this color, which is not active; NULL: none do. */
const char *draining_receives(const struct supervisor *supervisor, enum bgs_color color);

/*
 * How far the drain that is under way has come: {"service", "color",
 * "handshaking", "syn_cookies", "accept_queue", "established", "untagged", "oldest_ms",
 * "left_ms"}; the last two may be null. The caller owns it.
 */
json_t *draining_progress(struct supervisor *supervisor);

#endif
