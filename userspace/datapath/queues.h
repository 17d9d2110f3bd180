/* SPDX-License-Identifier: GPL-2.0-only */
/* What waits at registered listeners: handshakes, and connections for accept(). */
#ifndef BGSWITCH_QUEUES_H
#define BGSWITCH_QUEUES_H

#include <stddef.h>

#include "bgswitch/maps.h"
#include "datapath/datapath.h"

/* Listeners, each once, sorted by instance. Starts as zeros; queues_free() it. */
struct queues {
	struct bgs_queue *items;
	size_t count, room;
};

/*
 * Asks about those of a color, or of every instance: some microseconds for each
 * listener. Read queues before gauges: a connection moves only from the one to
 * the other, so that none is missed. 0 or -errno; -ENODATA: this kernel cannot.
 */
int queues_of_color(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		    struct queues *queues);
int queues_of_all(const struct datapath *datapath, struct queues *queues);

void queues_free(struct queues *queues);

#endif
