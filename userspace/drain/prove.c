/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walk over sockets is no snapshot: a socket that ends may make the walk skip
 * its neighbour, or see it twice. The gauges say how many there were before it
 * and after it, and so which counts it can have found; others are not believed.
 */
#include <errno.h>

#include "attribution.h"
#include "datapath/map.h"
#include "datapath/services.h"
#include "drain/acts.h"

#define ATTEMPTS 8

struct walking {
	__u32 slot;
	enum bgs_color color;
	unsigned long long handshaking; /* also with listeners that are not registered */
	unsigned long long held; /* in accept queues, too: what gauges count */
	unsigned long long untagged; /* of whatever color */
};

static bool is_ours(const struct walking *walking, const struct bgs_connection *connection)
{
	return connection->tag == BGS_TAGGED &&
	       BGS_INSTANCE_SLOT(connection->instance) == walking->slot &&
	       BGS_INSTANCE_COLOR(connection->instance) == walking->color;
}

static int note(const struct bgs_connection *connection, void *data)
{
	struct walking *walking = data;

	if (connection->kind == BGS_CONNECTION_CLOSING)
		return 0;
	if (connection->kind == BGS_CONNECTION_HANDSHAKE)
		walking->handshaking += is_ours(walking, connection);
	else if (connection->tag != BGS_TAGGED)
		walking->untagged++;
	else
		walking->held += is_ours(walking, connection);
	return 0;
}

static unsigned long long held(const struct connection_counts *counts)
{
	return counts->established + counts->accept_queue;
}

static unsigned long long larger(unsigned long long left, unsigned long long right)
{
	return left > right ? left : right;
}

static unsigned long long smaller(unsigned long long left, unsigned long long right)
{
	return left < right ? left : right;
}

/*
 * Looks at the SYN queues, and only when all packets that were under way then
 * have been dealt with at what a handshake becomes: none can be in between.
 */
static int look(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		struct connection_counts *counts)
{
	struct connection_counts first;
	int err;

	map_wait_for_lookups();
	err = connections_count_color(datapath, slot, color, &first);
	if (err)
		return err;
	map_wait_for_lookups();
	err = connections_count_color(datapath, slot, color, counts);
	counts->handshaking = larger(counts->handshaking, first.handshaking);
	counts->cookies = counts->cookies || first.cookies;
	return err;
}

/* Gauges, walk, gauges. `*agree`: the walk found what it can have found. */
static int count_twice(const struct datapath *datapath, struct walking *walking,
		       struct connection_counts *counts, bool *agree)
{
	struct connection_counts before;
	int err = look(datapath, walking->slot, walking->color, &before);

	if (!err)
		err = connections_each(datapath, note, walking);
	if (!err)
		err = connections_count_color(datapath, walking->slot, walking->color, counts);
	if (err)
		return err;
	counts->handshaking =
		larger(counts->handshaking, larger(before.handshaking, walking->handshaking));
	counts->cookies = counts->cookies || before.cookies;
	*agree = walking->held >= smaller(held(&before), held(counts)) &&
		 walking->held <= larger(held(&before), held(counts));
	if (!*agree && walking->held > held(counts)) /* in doubt there are more */
		counts->established = walking->held - counts->accept_queue;
	return 0;
}

int connections_prove(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		      struct connection_counts *counts, struct failure *failure)
{
	const char *missing = datapath_missing_accounting(datapath);
	struct walking walking = { .slot = slot, .color = color };
	bool agree = false;

	if (missing)
		return failure_set(failure, EXIT_SYSTEM, "see 'bgswitch status'", "%s", missing);
	for (int attempt = 0; attempt < ATTEMPTS && !agree; attempt++) {
		int err;

		walking.handshaking = walking.held = walking.untagged = 0;
		err = count_twice(datapath, &walking, counts, &agree);
		if (err)
			return failure_errno(failure, -err, "run it as root",
					     "connections of %s cannot be counted",
					     color_name(color));
	}
	return walking.untagged
		       ? attribution_count(datapath, slot, color, &counts->untagged, failure)
		       : 0;
}
