/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One walk over the sockets at our ports, added up for every color: what the
 * gauges and queues are held against, and what they do not know of.
 */
#ifndef BGSWITCH_CENSUS_H
#define BGSWITCH_CENSUS_H

#include "attribution.h"

struct census_color {
	unsigned long long handshaking; /* with listeners that are not registered, too */
	unsigned long long queued; /* in accept queues, tagged */
	unsigned long long held; /* open in some process, tagged */
};

struct census {
	struct census_color (*colors)[BGS_COLORS]; /* by slot */
	struct attributed *untagged;
	size_t untagged_count;
};

/* 0, or -1 with `failure` set. Sockets that come or go meanwhile may be missed. */
int census_take(struct census *census, const struct datapath *datapath, struct failure *failure);
void census_free(struct census *census); /* zeros are fine */

/*
 * How many connections without a valid tag may be a color's. Those in an accept
 * queue count as far as they cannot be among the `accept_queue` that registered
 * listeners have: a listener that is not registered has them.
 */
unsigned long long census_untagged(const struct census *census, __u32 slot, enum bgs_color color,
				   unsigned long long accept_queue);

#endif
