/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connections of instances: gauges that the kernel side keeps (O(1) each)
 * together with the queues of listeners (queues.h), and a walk over the sockets
 * of the network namespace, which is exact and costs as much as there are.
 */
#ifndef BGSWITCH_CONNECTIONS_H
#define BGSWITCH_CONNECTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "bgswitch/maps.h"
#include "datapath/datapath.h"

/* How many; what is in one of them is not in another. */
struct connection_counts {
	unsigned long long handshaking; /* SYN_RECV */
	bool cookies; /* SYN cookies are out: only the clients know of those handshakes */
	unsigned long long accept_queue;
	unsigned long long established; /* a process has them open, half-closed ones too */
	unsigned long long closing; /* the application let go; they cannot be lost by its end */
	unsigned long long untagged; /* older than the tag, maybe of this color; by a walk only */
};

/* Nothing that the end of the color's processes would cut. `closing` does not matter. */
bool connections_is_zero(const struct connection_counts *counts);

/* Why there are no gauges, or NULL: then walks are all there is. */
const char *datapath_missing_accounting(const struct datapath *datapath);

/*
 * A color's, from queues and gauges; `untagged` is 0, as only a walk finds those.
 * 0 or -errno; -ENODATA: no gauges.
 */
int connections_count_color(const struct datapath *datapath, __u32 slot, enum bgs_color color,
			    struct connection_counts *counts);

/* An instance's, from its gauge: those in its accept queue are among `established`. */
int connections_gauge(const struct datapath *datapath, __u32 number,
		      struct connection_counts *counts);

/* An instance begins with zero, and is forgotten. 0 or -errno. */
int connections_declare(const struct datapath *datapath, __u32 number, __u64 serial);
int connections_forget(const struct datapath *datapath, __u32 number);

/*
 * Walks the sockets at our ports; a non-zero return of `each` ends it and is
 * returned. 0 or -errno. Sockets that come or go meanwhile may be missed or
 * seen twice by kernels before 6.17: compare with the gauges, see
 * connections_prove() in drain/acts.h.
 */
int connections_each(const struct datapath *datapath,
		     int (*each)(const struct bgs_connection *connection, void *data), void *data);

/* A jiffy in microseconds: 10000 (HZ=100) to 1000. */
unsigned int connections_jiffy_us(void);

/* Milliseconds in a number of jiffies, saturating. */
unsigned int connections_jiffies_ms(__u32 jiffies);

#endif
