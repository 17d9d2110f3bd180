/* SPDX-License-Identifier: GPL-2.0-only */
#include "status_connections.h"

#include <stdlib.h>
#include <string.h>

#include "datapath/cookies.h"
#include "datapath/map.h"

static int read_queues(struct status_connections *connections, struct failure *failure)
{
	int err = queues_of_all(connections->datapath, &connections->queues);

	return err ? failure_errno(failure, -err, "run it as root",
				   "the queues of listeners cannot be read")
		   : 0;
}

/* Sums them up by color, and forgets the queues: they are read again. */
static int keep_handshakes(struct status_connections *connections, struct failure *failure)
{
	connections->earlier = calloc(BGS_MAX_SERVICES, sizeof(*connections->earlier));
	if (!connections->earlier)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	for (size_t i = 0; i < connections->queues.count; i++) {
		const struct bgs_queue *queue = &connections->queues.items[i];

		connections->earlier[BGS_INSTANCE_SLOT(queue->instance)]
				    [BGS_INSTANCE_COLOR(queue->instance)] += queue->handshaking;
	}
	queues_free(&connections->queues);
	return 0;
}

/*
 * A connection moves from the SYN queue to the accept queue to the gauges. Each
 * is read after the packets that were under way at the look before have been
 * dealt with: none can be in between.
 */
static int read_in_order(struct status_connections *connections, struct failure *failure)
{
	map_wait_for_lookups();
	if (read_queues(connections, failure) || keep_handshakes(connections, failure))
		return -1;
	map_wait_for_lookups();
	if (census_take(&connections->census, connections->datapath, failure))
		return -1;
	return read_queues(connections, failure);
}

int status_connections_read(struct status_connections *connections, const struct datapath *datapath,
			    struct failure *failure)
{
	*connections = (struct status_connections){ .datapath = datapath };
	if (datapath_missing_accounting(datapath))
		return 0;
	if (read_in_order(connections, failure)) {
		status_connections_free(connections);
		return -1;
	}
	connections->known = true;
	return 0;
}

void status_connections_free(struct status_connections *connections)
{
	queues_free(&connections->queues);
	free(connections->earlier);
	census_free(&connections->census);
	*connections = (struct status_connections){};
}

/* The first queue of an instance, or of one behind it. */
static size_t first_queue(const struct status_connections *connections, __u32 number)
{
	size_t low = 0, high = connections->queues.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (connections->queues.items[middle].instance < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_instance(const struct status_connections *connections, __u32 number,
			 struct connection_counts *counts)
{
	struct connection_counts gauge;
	unsigned long long queued = 0;

	for (size_t i = first_queue(connections, number);
	     i < connections->queues.count && connections->queues.items[i].instance == number;
	     i++) {
		counts->handshaking += connections->queues.items[i].handshaking;
		queued += connections->queues.items[i].accept_queue;
	}
	connections_gauge(connections->datapath, number, &gauge); /* zeros for one that is gone */
	counts->accept_queue += queued;
	counts->established += gauge.established < queued ? 0 : gauge.established - queued;
	counts->closing += gauge.closing;
}

static json_t *number_or_null(bool known, unsigned long long number)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *counts_json(bool known, const struct connection_counts *counts)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "handshaking",
			 number_or_null(known, counts->handshaking), "accept_queue",
			 number_or_null(known, counts->accept_queue), "established",
			 number_or_null(known, counts->established), "closing",
			 number_or_null(known, counts->closing));
}

json_t *status_connections_instance(const struct status_connections *connections, __u32 number)
{
	struct connection_counts counts = {};

	if (connections->known)
		add_instance(connections, number, &counts);
	return counts_json(connections->known, &counts);
}

static unsigned long long larger(unsigned long long left, unsigned long long right)
{
	return left > right ? left : right;
}

static void count_color(const struct status_connections *connections, const struct service *service,
			enum bgs_color color, struct connection_counts *counts)
{
	const struct color_spec *spec = &service->spec.colors[color];
	const struct census *census = &connections->census;
	__u32 slot = service->slot;

	for (size_t place = 0; place < spec->count; place++) {
		if (color_has(spec, place))
			add_instance(connections, BGS_INSTANCE(slot, color, place), counts);
	}
	counts->handshaking =
		larger(counts->handshaking, larger(connections->earlier[slot][color],
						   census->colors[slot][color].handshaking));
	counts->untagged = census_untagged(census, slot, color, counts->accept_queue);
	cookies_pending(connections->datapath, slot, color, &counts->cookies);
}

json_t *status_connections_color(const struct status_connections *connections,
				 const struct service *service, enum bgs_color color, bool *zero)
{
	struct connection_counts counts = {};
	json_t *object;

	if (connections->known)
		count_color(connections, service, color, &counts);
	*zero = connections_is_zero(&counts);
	object = counts_json(connections->known, &counts);
	json_object_set_new(object, "untagged",
			    number_or_null(connections->known, counts.untagged));
	json_object_set_new(object, "syn_cookies",
			    connections->known ? json_boolean(counts.cookies) : json_null());
	return object;
}

json_t *status_safe_to_stop(const struct status_connections *connections,
			    const struct service *service, enum bgs_color color, bool zero)
{
	const struct bgs_service value = { .route = service->route,
					   .enabled = { service->enabled[BGS_BLUE],
							service->enabled[BGS_GREEN] },
					   .flags = service->spec.flags };

	if (!connections->known)
		return json_null();
	return json_boolean(zero &&
			    !color_receives(connections->datapath, service->slot, &value, color));
}
