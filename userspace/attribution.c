/* SPDX-License-Identifier: GPL-2.0-only */
#include "attribution.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/listeners.h"
#include "datapath/services.h"
#include "process.h"

#define MAX_ANCESTORS 64
#define NOBODY 0xffffffffU /* instead of an instance: a listener that is none */

/* A process that holds a listener. */
struct holder {
	pid_t pid;
	__u32 instance;
};

struct attribution {
	const struct listener *listeners;
	size_t listener_count;
	struct holder *holders;
	size_t holder_count, holder_room;
	struct attributed *items;
	size_t count, room;
};

/* Room for one more element behind `*count`. */
static int grow(void **array, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 16;
	void *grown;

	if (count < *room)
		return 0;
	grown = reallocarray(*array, more, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = more;
	return 0;
}

/* ---- what is to be attributed */

static int collect(const struct bgs_connection *connection, void *data)
{
	struct attribution *attribution = data;

	/* In an accept queue, too: of a listener that is not registered, for want of room. */
	if (connection->tag == BGS_TAGGED ||
	    (connection->kind != BGS_CONNECTION_HELD && connection->kind != BGS_CONNECTION_QUEUED))
		return 0;
	if (grow((void **)&attribution->items, attribution->count, &attribution->room,
		 sizeof(*attribution->items)))
		return -ENOMEM;
	attribution->items[attribution->count++] =
		(struct attributed){ .connection = *connection, .slot = ATTRIBUTION_NO_SLOT };
	return 0;
}

static int by_inode(const void *left, const void *right)
{
	const struct attributed *a = left, *b = right;

	return (a->connection.inode > b->connection.inode) -
	       (a->connection.inode < b->connection.inode);
}

static struct attributed *find_item(struct attribution *attribution, unsigned long long inode)
{
	const struct attributed key = { .connection.inode = inode };

	return bsearch(&key, attribution->items, attribution->count, sizeof(key), by_inode);
}

/* ---- who holds listeners */

static __u32 instance_of(const struct listener *listener)
{
	return listener->report.kind == BGS_REPORT_BACKEND ? listener->report.number : NOBODY;
}

static int note_holder(pid_t pid, int fd, unsigned long long inode, void *data)
{
	struct attribution *attribution = data;

	(void)fd;
	for (size_t i = 0; i < attribution->listener_count; i++) {
		const struct listener *listener = &attribution->listeners[i];

		if (listener->report.inode != inode)
			continue;
		if (grow((void **)&attribution->holders, attribution->holder_count,
			 &attribution->holder_room, sizeof(*attribution->holders)))
			return -ENOMEM;
		attribution->holders[attribution->holder_count++] =
			(struct holder){ pid, instance_of(listener) };
	}
	return 0;
}

/* ---- the verdict */

struct verdict {
	bool is_ours, is_nobodys;
	bool is_mixed; /* of several services */
	__u32 slot;
	unsigned int colors;
};

/* Adds what the listeners that one process holds say; false: it holds none. */
static bool ask_process(const struct attribution *attribution, pid_t pid, struct verdict *verdict)
{
	bool holds = false;

	for (size_t i = 0; i < attribution->holder_count; i++) {
		const struct holder *holder = &attribution->holders[i];

		if (holder->pid != pid)
			continue;
		holds = true;
		if (holder->instance == NOBODY) {
			verdict->is_nobodys = true;
			continue;
		}
		if (verdict->is_ours && verdict->slot != BGS_INSTANCE_SLOT(holder->instance))
			verdict->is_mixed = true;
		verdict->is_ours = true;
		verdict->slot = BGS_INSTANCE_SLOT(holder->instance);
		verdict->colors |= 1U << BGS_INSTANCE_COLOR(holder->instance);
	}
	return holds;
}

static struct verdict ask_family(const struct attribution *attribution, pid_t pid)
{
	struct verdict verdict = {};

	for (int i = 0; i < MAX_ANCESTORS && pid > 0; i++) {
		if (ask_process(attribution, pid, &verdict))
			break;
		pid = process_parent(pid);
	}
	return verdict;
}

static bool is_certain(const struct verdict *verdict)
{
	bool one_color = !(verdict->colors & (verdict->colors - 1));

	return verdict->is_ours ? !verdict->is_mixed && one_color : verdict->is_nobodys;
}

/*
 * The first process decides, the others have to agree. One that listens beside
 * our services only, directly on their addresses, is nobody's.
 */
static int ask_holder(pid_t pid, int fd, unsigned long long inode, void *data)
{
	struct attribution *attribution = data;
	struct attributed *item = find_item(attribution, inode);
	struct verdict verdict;
	bool certain;

	(void)fd;
	if (!item || item->pid == pid)
		return 0;
	verdict = ask_family(attribution, pid);
	certain = is_certain(&verdict);
	if (!item->pid) {
		item->certain = certain;
		item->slot = verdict.is_ours ? verdict.slot : ATTRIBUTION_NO_SLOT;
		item->colors = certain ? verdict.colors : 0;
	} else if (!certain || item->colors != verdict.colors ||
		   (verdict.is_ours && item->slot != verdict.slot)) {
		item->certain = false;
	}
	item->pid = pid;
	return 0;
}

/* ---- by port and tag, where processes say nothing */

static void note_port(struct attributed *item, __be16 port, const struct bgs_endpoint *address,
		      __u32 slot, unsigned int colors)
{
	if (address->port != port)
		return;
	if (item->slot != slot)
		item->colors = 0;
	item->slot = slot;
	item->colors |= colors;
}

static void ask_port(struct attributed *item, const struct service *service)
{
	__be16 port = item->connection.local.port;

	for (size_t i = 0; i < service->spec.listen_count; i++)
		note_port(item, port, &service->spec.listen[i], service->slot,
			  1U << BGS_BLUE | 1U << BGS_GREEN);
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		const struct color_spec *spec = &service->spec.colors[color];

		for (size_t place = 0; place < spec->count; place++) {
			if (color_has(spec, place))
				note_port(item, port, &spec->instances[place].key, service->slot,
					  1U << color);
		}
	}
}

/* The number that a stale tag has names the service's slot and the color of those days. */
static void ask_number(struct attributed *item, const struct service *services, size_t count)
{
	__u32 number = item->connection.instance;

	for (size_t i = 0; i < count; i++) {
		if (services[i].slot == BGS_INSTANCE_SLOT(number))
			ask_port(item, &services[i]);
	}
	item->colors &= 1U << BGS_INSTANCE_COLOR(number);
}

static int ask_ports(struct attribution *attribution, const struct datapath *datapath,
		     struct failure *failure)
{
	struct service *services;
	ssize_t count = services_read(datapath, &services, failure);

	if (count < 0)
		return -1;
	for (size_t i = 0; i < attribution->count; i++) {
		struct attributed *item = &attribution->items[i];

		if (item->certain)
			continue;
		item->slot = ATTRIBUTION_NO_SLOT;
		item->colors = 0;
		if (item->connection.tag == BGS_STALE)
			ask_number(item, services, count);
		for (ssize_t k = 0; k < count && item->connection.tag == BGS_UNTAGGED; k++)
			ask_port(item, &services[k]);
	}
	free(services);
	return 0;
}

static int attribute(struct attribution *attribution, const struct datapath *datapath,
		     struct failure *failure)
{
	struct listener *listeners;
	ssize_t count = listeners_scan(datapath, false, &listeners, failure);
	int err;

	if (count < 0)
		return -1;
	attribution->listeners = listeners;
	attribution->listener_count = count;
	qsort(attribution->items, attribution->count, sizeof(*attribution->items), by_inode);
	err = process_each_socket(note_holder, attribution);
	if (!err)
		err = process_each_socket(ask_holder, attribution);
	free(listeners);
	if (err)
		return failure_errno(failure, -err, "mount /proc", "cannot look into processes");
	return ask_ports(attribution, datapath, failure);
}

ssize_t attribution_read(const struct datapath *datapath, struct attributed **found,
			 struct failure *failure)
{
	struct attribution attribution = {};
	int err = connections_each(datapath, collect, &attribution);

	if (err)
		err = failure_errno(failure, -err, "run it as root",
				    "connections cannot be listed");
	else if (attribution.count)
		err = attribute(&attribution, datapath, failure);
	free(attribution.holders);
	*found = err ? NULL : attribution.items;
	if (!err)
		return attribution.count;
	free(attribution.items);
	return -1;
}

bool attribution_concerns(const struct attributed *attributed, __u32 slot, enum bgs_color color)
{
	return attributed->slot == slot && attributed->colors >> color & 1;
}
