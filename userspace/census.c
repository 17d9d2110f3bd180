/* SPDX-License-Identifier: GPL-2.0-only */
#include "census.h"

#include <stdlib.h>
#include <string.h>

struct counting {
	struct census *census;
	bool has_untagged;
};

static int note(const struct bgs_connection *connection, void *data)
{
	struct counting *counting = data;
	struct census_color *color;

	if (connection->kind == BGS_CONNECTION_CLOSING)
		return 0;
	if (connection->tag != BGS_TAGGED) {
		counting->has_untagged |= connection->kind != BGS_CONNECTION_HANDSHAKE;
		return 0;
	}
	color = &counting->census->colors[BGS_INSTANCE_SLOT(connection->instance)]
					 [BGS_INSTANCE_COLOR(connection->instance)];
	color->handshaking += connection->kind == BGS_CONNECTION_HANDSHAKE;
	color->queued += connection->kind == BGS_CONNECTION_QUEUED;
	color->held += connection->kind == BGS_CONNECTION_HELD;
	return 0;
}

static int walk(struct census *census, const struct datapath *datapath, struct failure *failure)
{
	struct counting counting = { .census = census };
	ssize_t count;
	int err = connections_each(datapath, note, &counting);

	if (err)
		return failure_errno(failure, -err, "run it as root",
				     "connections cannot be listed");
	if (!counting.has_untagged)
		return 0;
	count = attribution_read(datapath, &census->untagged, failure);
	census->untagged_count = count < 0 ? 0 : count;
	return count < 0 ? -1 : 0;
}

int census_take(struct census *census, const struct datapath *datapath, struct failure *failure)
{
	*census = (struct census){ .colors = calloc(BGS_MAX_SERVICES, sizeof(*census->colors)) };
	if (!census->colors)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	if (walk(census, datapath, failure)) {
		census_free(census);
		return -1;
	}
	return 0;
}

void census_free(struct census *census)
{
	free(census->colors);
	free(census->untagged);
	*census = (struct census){};
}

unsigned long long census_untagged(const struct census *census, __u32 slot, enum bgs_color color,
				   unsigned long long accept_queue)
{
	unsigned long long held = 0, queued = 0, beside;

	for (size_t i = 0; i < census->untagged_count; i++) {
		const struct attributed *item = &census->untagged[i];

		if (!attribution_concerns(item, slot, color))
			continue;
		if (item->connection.kind == BGS_CONNECTION_QUEUED)
			queued++;
		else
			held++;
	}
	beside = queued + census->colors[slot][color].queued;
	beside -= beside < accept_queue ? beside : accept_queue;
	/* Tagged ones, which have a registered listener, may have left its queue since the walk. */
	return held + (beside < queued ? beside : queued);
}
