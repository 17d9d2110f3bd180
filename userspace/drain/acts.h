/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is done to connections of a color: exact counts of them, gentle closes,
 * resets. The hands of drain.h.
 */
#ifndef BGSWITCH_DRAIN_ACTS_H
#define BGSWITCH_DRAIN_ACTS_H

#include "datapath/connections.h"
#include "failure.h"

/* Is a connection among the first `share` of 2^32? By its cookie, the same each time. */
bool connection_is_due(const struct bgs_connection *connection, unsigned int share);

/*
 * Resets the color's connections that are due (accept queue and established,
 * closing ones are left), `most` at the most: SOCK_DESTROY over sock_diag(7), by
 * tuple and cookie, so that no other socket can be hit. `*cut` says how many.
 */
int connections_cut(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		    unsigned int share, unsigned int most, unsigned int *cut,
		    struct failure *failure);

/*
 * Closes the color's connections that are due and idle for `idle_ms` or longer,
 * through the application: its read sees the end of the file, the client gets
 * FIN. One with a request in flight is not touched. Needs ptrace rights over
 * the application (pidfd_getfd(2), Linux 5.6).
 */
int connections_close_idle(const struct datapath *datapath, __u32 slot, enum bgs_color color,
			   unsigned int idle_ms, unsigned int share, unsigned int *closed,
			   struct failure *failure);

/*
 * The truth about a color, by queues, gauges and a walk that have to agree; a
 * walk that was disturbed is repeated. Zero here means: nothing was under way
 * anywhere in the kernel either (see map_wait_for_lookups()).
 */
int connections_prove(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		      struct connection_counts *counts, struct failure *failure);

#endif
