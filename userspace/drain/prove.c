/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walk over sockets is no snapshot: a socket that ends may make the walk skip
 * its neighbour, or see it twice. The gauges say how many there were before it
 * and after it, and so which counts it can have found; others are not believed.
 */
#include "census.h"
#include "datapath/map.h"
#include "datapath/services.h"
#include "drain/acts.h"

#define ATTEMPTS 8

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

static int count_failed(struct failure *failure, enum bgs_color color, int err)
{
	return failure_errno(failure, -err, "run it as root", "connections of %s cannot be counted",
			     color_name(color));
}

/* What is on its way to becoming a connection: as much as was seen at any time. */
static void keep_handshakes(struct connection_counts *counts, const struct connection_counts *first)
{
	counts->handshaking = larger(counts->handshaking, first->handshaking);
	counts->cookies = counts->cookies || first->cookies;
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
	keep_handshakes(counts, &first);
	return err;
}

/* Gauges, walk, gauges. `*agree`: the walk found what it can have found. */
static int count_twice(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		       struct connection_counts *counts, bool *agree, struct failure *failure)
{
	struct connection_counts before;
	const struct census_color *found;
	unsigned long long walked;
	struct census census;
	int err = look(datapath, slot, color, &before);

	if (err)
		return count_failed(failure, color, err);
	if (census_take(&census, datapath, failure))
		return -1;
	found = &census.colors[slot][color];
	walked = found->held + found->queued;
	err = connections_count_color(datapath, slot, color, counts);
	keep_handshakes(counts, &before);
	counts->handshaking = larger(counts->handshaking, found->handshaking);
	*agree = walked >= smaller(held(&before), held(counts)) &&
		 walked <= larger(held(&before), held(counts));
	if (!*agree && walked > held(counts)) /* in doubt there are more */
		counts->established = walked - counts->accept_queue;
	counts->untagged = census_untagged(&census, slot, color, counts->accept_queue);
	census_free(&census);
	return err ? count_failed(failure, color, err) : 0;
}

int connections_prove(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		      struct connection_counts *counts, struct failure *failure)
{
	const char *missing = datapath_missing_accounting(datapath);
	bool agree = false;

	if (missing)
		return failure_set(failure, EXIT_SYSTEM, "see 'bgswitch status'", "%s", missing);
	for (int attempt = 0; attempt < ATTEMPTS && !agree; attempt++) {
		if (count_twice(datapath, slot, color, counts, &agree, failure))
			return -1;
	}
	return 0;
}
