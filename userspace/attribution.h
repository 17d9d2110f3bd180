/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose connections are that have no valid tag: those older than bgswitch, or
 * of an instance that is declared no more. A connection is a color's for
 * certain when every process that has it open, or the nearest of its ancestors
 * that holds a listener, holds listeners of that color and of no other.
 */
#ifndef BGSWITCH_ATTRIBUTION_H
#define BGSWITCH_ATTRIBUTION_H

#include <stdbool.h>
#include <sys/types.h>

#include "datapath/connections.h"
#include "failure.h"

#define ATTRIBUTION_NO_SLOT BGS_MAX_SERVICES

struct attributed {
	struct bgs_connection connection;
	pid_t pid; /* of a process that has it open; 0: none was seen */
	__u32 slot; /* of the service; ATTRIBUTION_NO_SLOT: of none */
	unsigned int colors; /* bit i: it may be of color i */
	bool certain; /* one color, by its process */
};

/*
 * All connections without a valid tag that some process has open, or that wait
 * in an accept queue, in `*found` (free() it): how many, or -1. Those of which
 * nothing certain is known may be of each color that has their port.
 */
ssize_t attribution_read(const struct datapath *datapath, struct attributed **found,
			 struct failure *failure);

/* Does it count as `untagged` of this color? */
bool attribution_concerns(const struct attributed *attributed, __u32 slot, enum bgs_color color);

/* How many do; 0, or -1 with `failure` set. */
int attribution_count(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		      unsigned long long *count, struct failure *failure);

#endif
