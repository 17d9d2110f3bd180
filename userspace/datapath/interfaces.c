/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/interfaces.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/map.h"

#define ALL "all"

int interface_find(struct interface *interface, const char *name, struct failure *failure)
{
	memset(interface, 0, sizeof(*interface));
	if (strlen(name) >= sizeof(interface->name))
		return failure_set(failure, EXIT_USAGE, "see 'ip link'",
				   "interface name '%s' is too long (15 characters at most)", name);
	strcpy(interface->name, name);
	if (!strcmp(name, ALL))
		return 0;
	interface->index = if_nametoindex(name);
	if (!interface->index)
		return failure_set(failure, EXIT_USAGE, "see 'ip link', or attach 'all'",
				   "no interface named '%s'", name);
	return 0;
}

int interface_find_or_await(struct interface *interface, const char *name, struct failure *failure)
{
	if (!interface_find(interface, name, failure))
		return 0;
	if (!*interface->name)
		return -1;
	interface->index = INTERFACE_AWAITED;
	return 0;
}

/* The bitmap that lookups ask, for the indexes it reaches. */
static int mark(const struct datapath *datapath, __u32 index, bool attached)
{
	struct bgs_settings settings;
	__u32 zero = 0;
	int err;

	if (index >= BGS_ATTACHED_BITS)
		return 0;
	err = map_get(datapath->fds[PIN_SETTINGS], &zero, &settings);
	if (err)
		return err;
	if (attached)
		settings.attached[index / 64] |= 1ULL << index % 64;
	else
		settings.attached[index / 64] &= ~(1ULL << index % 64);
	return map_put(datapath->fds[PIN_SETTINGS], &zero, &settings);
}

static int collect(const void *key, const void *value, void *data)
{
	const struct bgs_interface *stored = value;
	struct interface_list *list = data;
	struct interface *interface;
	char now[IF_NAMESIZE];

	if (list->count == BGS_MAX_INTERFACES)
		return 0;
	interface = &list->items[list->count++];
	memcpy(&interface->index, key, sizeof(interface->index));
	memcpy(interface->name, stored->name, sizeof(interface->name));
	/* It may have been renamed since; the index is what counts. */
	if (interface->index && if_indextoname(interface->index, now))
		memcpy(interface->name, now, sizeof(interface->name));
	return 0;
}

static int by_index(const void *left, const void *right)
{
	const struct interface *a = left, *b = right;

	return a->index < b->index ? -1 : a->index > b->index;
}

void interfaces_list(const struct datapath *datapath, struct interface_list *list)
{
	memset(list, 0, sizeof(*list));
	map_each(datapath->fds[PIN_INTERFACES], sizeof(__u32), sizeof(struct bgs_interface),
		 collect, list);
	qsort(list->items, list->count, sizeof(list->items[0]), by_index);
}

static void remove_entry(const struct datapath *datapath, __u32 index)
{
	mark(datapath, index, false);
	map_delete(datapath->fds[PIN_INTERFACES], &index);
}

/* An interface that came back has another index; the old one means nothing any more. */
static void remove_stale(const struct datapath *datapath, const struct interface *now)
{
	struct interface_list list;

	interfaces_list(datapath, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct interface *old = &list.items[i];

		if (!strcmp(old->name, now->name) && old->index != now->index)
			remove_entry(datapath, old->index);
	}
}

/* Each one that is awaited has an index of its own; the map has room for few of them. */
static __u32 next_awaited(const struct datapath *datapath)
{
	struct bgs_interface unused;
	__u32 index = INTERFACE_AWAITED;

	while (index < INTERFACE_AWAITED + BGS_MAX_INTERFACES &&
	       !map_get(datapath->fds[PIN_INTERFACES], &index, &unused))
		index++;
	return index;
}

int interfaces_add(const struct datapath *datapath, const struct interface *interface,
		   struct failure *failure)
{
	struct bgs_interface value = { .gone = interface->index >= INTERFACE_AWAITED };
	struct interface now = *interface;
	int err;

	if (value.gone)
		now.index = next_awaited(datapath);
	remove_stale(datapath, &now);
	memcpy(value.name, now.name, sizeof(value.name));
	err = map_put(datapath->fds[PIN_INTERFACES], &now.index, &value);
	if (!err)
		err = mark(datapath, now.index, true);
	if (err == -E2BIG)
		return failure_set(failure, EXIT_USAGE, "use 'bgswitch attach all'",
				   "more than %d interfaces", BGS_MAX_INTERFACES);
	return err ? failure_errno(failure, -err, "run it as root", "cannot add interface %s",
				   interface->name)
		   : 0;
}

/* By name, not by index: the interface may be gone, or back under another index. */
static bool find_named(const struct datapath *datapath, const char *name, __u32 *index)
{
	struct interface_list list;

	interfaces_list(datapath, &list);
	for (size_t i = 0; i < list.count; i++) {
		if (!strcmp(list.items[i].name, name)) {
			*index = list.items[i].index;
			return true;
		}
	}
	return false;
}

int interfaces_check(const struct datapath *datapath, const char *name, struct failure *failure)
{
	__u32 unused;

	if (find_named(datapath, name, &unused))
		return 0;
	return failure_set(failure, EXIT_USAGE, "see 'bgswitch status' for those that are",
			   "'%s' is not attached", name);
}

void interfaces_remove(const struct datapath *datapath, const char *name)
{
	__u32 index;

	if (find_named(datapath, name, &index))
		remove_entry(datapath, index);
}

struct stored {
	__u32 index;
	struct bgs_interface value;
};

struct stored_list {
	struct stored items[BGS_MAX_INTERFACES];
	size_t count;
};

static int collect_stored(const void *key, const void *value, void *data)
{
	struct stored_list *list = data;
	struct stored *stored;

	if (list->count == BGS_MAX_INTERFACES)
		return 0;
	stored = &list->items[list->count++];
	memcpy(&stored->index, key, sizeof(stored->index));
	memcpy(&stored->value, value, sizeof(stored->value));
	return 0;
}

/* What became of an interface that was attached by name. */
enum fate { STAYED, RENAMED, RETURNED, WENT };

static enum fate find_fate(const struct stored *stored, struct interface *now)
{
	char name[IF_NAMESIZE] = "";
	unsigned int index = if_nametoindex(stored->value.name);
	bool exists = if_indextoname(stored->index, name);

	*now = (struct interface){ .index = index ? index : stored->index };
	memcpy(now->name, stored->value.name, sizeof(now->name));
	if (index)
		return index == stored->index && !stored->value.gone ? STAYED : RETURNED;
	if (!exists)
		return WENT;
	memcpy(now->name, name, sizeof(now->name));
	return RENAMED;
}

/* Steers no other that gets its index, and remembers that it was said to be gone. */
static int set_gone(const struct datapath *datapath, const struct stored *stored)
{
	struct bgs_interface value = stored->value;
	int err = mark(datapath, stored->index, false);

	value.gone = 1;
	return err ? err : map_put(datapath->fds[PIN_INTERFACES], &stored->index, &value);
}

static int set_present(const struct datapath *datapath, const struct interface *now)
{
	struct bgs_interface value = {};
	int err;

	memcpy(value.name, now->name, sizeof(value.name));
	err = map_put(datapath->fds[PIN_INTERFACES], &now->index, &value);
	return err ? err : mark(datapath, now->index, true);
}

/* When all are where they are now: an old index may be another's that changed places with it. */
static void remove_left(const struct datapath *datapath, const struct stored_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct stored *stored = &list->items[i];
		unsigned int index = if_nametoindex(stored->value.name);
		struct bgs_interface value;

		if (stored->index && index && index != stored->index &&
		    !map_get(datapath->fds[PIN_INTERFACES], &stored->index, &value) &&
		    !strcmp(value.name, stored->value.name))
			remove_entry(datapath, stored->index);
	}
}

static int stored_by_index(const void *left, const void *right)
{
	const struct stored *a = left, *b = right;

	return a->index < b->index ? -1 : a->index > b->index;
}

int interfaces_refresh(const struct datapath *datapath,
		       void (*report)(const struct interface *interface, bool present, void *data),
		       void *data, struct failure *failure)
{
	struct stored_list list = {};
	int returned = 0;
	int err = map_each(datapath->fds[PIN_INTERFACES], sizeof(__u32),
			   sizeof(struct bgs_interface), collect_stored, &list);

	qsort(list.items, list.count, sizeof(list.items[0]), stored_by_index);
	for (size_t i = 0; i < list.count && !err; i++) {
		const struct stored *stored = &list.items[i];
		struct interface now;
		enum fate fate = stored->index ? find_fate(stored, &now) : STAYED;

		if (fate == STAYED || (fate == WENT && stored->value.gone))
			continue;
		err = fate == WENT ? set_gone(datapath, stored) : set_present(datapath, &now);
		if (err || fate == RENAMED)
			continue;
		returned += fate == RETURNED;
		report(&now, fate == RETURNED, data);
	}
	if (!err)
		remove_left(datapath, &list);
	return err ? failure_errno(failure, -err, "run 'bgswitch attach' for it",
				   "cannot follow the interfaces")
		   : returned;
}
