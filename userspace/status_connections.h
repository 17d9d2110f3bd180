/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connections of every instance and color at one time, and what is safe to
 * stop, for `status`.
 */
#ifndef BGSWITCH_STATUS_CONNECTIONS_H
#define BGSWITCH_STATUS_CONNECTIONS_H

#include <jansson.h>

#include "census.h"
#include "datapath/queues.h"
#include "datapath/services.h"

struct status_connections {
	const struct datapath *datapath;
	bool known; /* false: this kernel counts none, and everything below is empty */
	struct queues queues;
	/* By slot: handshakes that were seen before packets that were under way arrived. */
	unsigned long long (*earlier)[BGS_COLORS];
	struct census census;
};

/* Reads what is read as a whole; gauges are read when they are asked for. */
int status_connections_read(struct status_connections *connections, const struct datapath *datapath,
			    struct failure *failure);
void status_connections_free(struct status_connections *connections);

/* {"handshaking", "accept_queue", "established", "closing"}, nulls where they are not known. */
json_t *status_connections_instance(const struct status_connections *connections, __u32 number);

/*
 * The same for a color, with "untagged" and "syn_cookies". `*zero`: nothing that
 * its end would cut.
 */
json_t *status_connections_color(const struct status_connections *connections,
				 const struct service *service, enum bgs_color color, bool *zero);

/*
 * true: none, and no new ones are sent there; false; null: not known. `zero` is
 * from the call above.
 */
json_t *status_safe_to_stop(const struct status_connections *connections,
			    const struct service *service, enum bgs_color color, bool zero);

#endif
