/* SPDX-License-Identifier: GPL-2.0-only */
#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attribution.h"
#include "process.h"
#include "text.h"

struct listing {
	const struct listing_filter *filter;
	struct listed *items;
	size_t count, room;
};

static bool is_asked_for(const struct listing_filter *filter, const struct listed *listed)
{
	if (filter->slot != ATTRIBUTION_NO_SLOT && listed->slot != filter->slot)
		return false;
	return filter->color < 0 || listed->colors >> filter->color & 1;
}

static int add(struct listing *listing, const struct listed *listed)
{
	if (!is_asked_for(listing->filter, listed))
		return 0;
	if (listing->count == listing->room) {
		size_t room = listing->room ? 2 * listing->room : 256;
		struct listed *grown = reallocarray(listing->items, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		listing->items = grown;
		listing->room = room;
	}
	listing->items[listing->count++] = *listed;
	return 0;
}

static void set_instance(struct listed *listed, __u32 number)
{
	listed->connection.instance = number;
	listed->has_instance = true;
	listed->slot = BGS_INSTANCE_SLOT(number);
	listed->colors = 1U << BGS_INSTANCE_COLOR(number);
}

/* Those without a valid tag come from attribution_read(), unless they end. */
static int take(const struct bgs_connection *connection, void *data)
{
	struct listing *listing = data;
	struct listed listed = { .connection = *connection, .slot = ATTRIBUTION_NO_SLOT };

	if (connection->tag == BGS_TAGGED)
		set_instance(&listed, connection->instance);
	else if (connection->kind == BGS_CONNECTION_HELD ||
		 connection->kind == BGS_CONNECTION_QUEUED)
		return 0;
	return add(listing, &listed);
}

static int add_untagged(struct listing *listing, const struct datapath *datapath,
			struct failure *failure)
{
	struct attributed *found;
	ssize_t count = attribution_read(datapath, &found, failure);
	int err = 0;

	if (count < 0)
		return -1;
	for (ssize_t i = 0; i < count && !err; i++) {
		const struct listed listed = { .connection = found[i].connection,
					       .slot = found[i].slot,
					       .colors = found[i].colors };

		err = add(listing, &listed);
	}
	free(found);
	return err ? failure_set(failure, EXIT_SYSTEM, "free some", "out of memory") : 0;
}

static int compare(const void *left, const void *right)
{
	const struct listed *a = left, *b = right;

	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	if (a->colors != b->colors)
		return a->colors < b->colors ? -1 : 1;
	if (a->connection.instance != b->connection.instance)
		return a->connection.instance < b->connection.instance ? -1 : 1;
	return endpoint_compare(&a->connection.remote, &b->connection.remote);
}

static int name_processes(struct listing *listing)
{
	struct socket_owner *owners = calloc(listing->count + 1, sizeof(*owners));

	if (!owners)
		return -ENOMEM;
	for (size_t i = 0; i < listing->count; i++)
		owners[i].inode = listing->items[i].connection.inode;
	process_find_owners(owners, listing->count);
	for (size_t i = 0; i < listing->count; i++) {
		listing->items[i].pid = owners[i].pid;
		memcpy(listing->items[i].comm, owners[i].comm, sizeof(owners[i].comm));
	}
	free(owners);
	return 0;
}

static int collect(struct listing *listing, const struct datapath *datapath,
		   struct failure *failure)
{
	int err = connections_each(datapath, take, listing);

	if (err)
		return failure_errno(failure, -err, "see 'bgswitch status'",
				     "connections cannot be listed");
	if (add_untagged(listing, datapath, failure))
		return -1;
	err = name_processes(listing);
	return err ? failure_errno(failure, -err, "free some", "processes cannot be named") : 0;
}

ssize_t listing_read(const struct datapath *datapath, const struct listing_filter *filter,
		     struct listed **listed, struct failure *failure)
{
	struct listing listing = { .filter = filter };
	int err = collect(&listing, datapath, failure);

	if (err) {
		free(listing.items);
		return -1;
	}
	if (listing.count)
		qsort(listing.items, listing.count, sizeof(*listing.items), compare);
	*listed = listing.items;
	return listing.count;
}

const char *listed_state(const struct listed *listed)
{
	/* include/net/tcp_states.h; those that are not here cannot be seen by a walk */
	static const char *const names[] = {
		[1] = "established", [3] = "syn-recv", [4] = "fin-wait-1",
		[5] = "fin-wait-2",  [7] = "closed",   [8] = "close-wait",
		[9] = "last-ack",    [11] = "closing", [12] = "syn-recv"
	};
	__u32 state = listed->connection.state;
	bool has_name = state < sizeof(names) / sizeof(names[0]) && names[state];

	if (listed->connection.kind == BGS_CONNECTION_QUEUED)
		return "queued";
	return has_name ? names[state] : "unknown";
}

long long listed_age_ms(const struct listed *listed)
{
	struct timespec now;

	if (!listed->connection.since_ns)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000 -
	       (long long)(listed->connection.since_ns / 1000000);
}

long long listed_idle_ms(const struct listed *listed)
{
	const struct bgs_connection *connection = &listed->connection;

	if (connection->kind == BGS_CONNECTION_HANDSHAKE)
		return -1;
	return connections_jiffies_ms(connection->sent_ago < connection->received_ago
					      ? connection->sent_ago
					      : connection->received_ago);
}

const struct service *listed_service(const struct listed *listed, const struct service *services,
				     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (services[i].slot == listed->slot)
			return &services[i];
	}
	return NULL;
}

static json_t *integer_or_null(long long value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *color_json(const struct listed *listed)
{
	if (listed->colors == 1U << BGS_BLUE || listed->colors == 1U << BGS_GREEN)
		return json_string(color_name(listed->colors >> 1));
	return json_null();
}

static json_t *instance_json(const struct listed *listed, const struct service *service)
{
	__u32 number = listed->connection.instance;
	const struct endpoint *endpoint;
	char text[ENDPOINT_TEXT];

	if (!service || !listed->has_instance)
		return json_null();
	endpoint = &service->spec.colors[BGS_INSTANCE_COLOR(number)]
			    .instances[BGS_INSTANCE_PLACE(number)];
	return json_string(endpoint_format(text, &endpoint->key, endpoint->any_family));
}

json_t *listed_json(const struct listed *listed, const struct service *services, size_t count)
{
	static const char *const tags[] = { "tagged", "stale", "untagged" };
	const struct bgs_connection *connection = &listed->connection;
	const struct service *service = listed_service(listed, services, count);
	char peer[ENDPOINT_TEXT], local[ENDPOINT_TEXT];
	bool handshake = connection->kind == BGS_CONNECTION_HANDSHAKE;

	return json_pack(
		"{s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
		"service", service ? json_string(service->spec.name) : json_null(), "color",
		color_json(listed), "instance", instance_json(listed, service), "state",
		listed_state(listed), "peer", endpoint_format(peer, &connection->remote, false),
		"local", endpoint_format(local, &connection->local, false), "tag",
		handshake ? "none" : tags[connection->tag], "pid",
		listed->pid ? json_integer(listed->pid) : json_null(), "comm",
		listed->pid ? text_json(listed->comm) : json_null(), "age_ms",
		integer_or_null(listed_age_ms(listed)), "idle_ms",
		integer_or_null(listed_idle_ms(listed)), "received_bytes",
		integer_or_null(handshake ? -1 : (long long)connection->received), "sent_bytes",
		integer_or_null(handshake ? -1 : (long long)connection->acked), "rtt_us",
		integer_or_null(connection->rtt_us ? (long long)connection->rtt_us : -1), "cookie",
		(json_int_t)connection->cookie);
}
