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
				   "interface name '%s' is too long (15 characters at most)",
				   name);
	strcpy(interface->name, name);
	if (!strcmp(name, ALL))
		return 0;
	interface->index = if_nametoindex(name);
	if (!interface->index)
		return failure_set(failure, EXIT_USAGE, "see 'ip link', or attach 'all'",
				   "no interface named '%s'", name);
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

int interfaces_add(const struct datapath *datapath, const struct interface *interface,
		   struct failure *failure)
{
	struct bgs_interface value = {};
	int err;

	memcpy(value.name, interface->name, sizeof(value.name));
	err = map_put(datapath->fds[PIN_INTERFACES], &interface->index, &value);
	if (!err)
		err = mark(datapath, interface->index, true);
	if (err == -E2BIG)
		return failure_set(failure, EXIT_USAGE, "use 'bgswitch attach all'",
				   "more than %d interfaces", BGS_MAX_INTERFACES);
	return err ? failure_errno(failure, -err, "run it as root", "cannot add interface %s",
				   interface->name) :
		     0;
}

static int collect(const void *key, const void *value, void *data)
{
	struct interface **end = data;
	const struct bgs_interface *stored = value;

	memcpy(&(*end)->index, key, sizeof((*end)->index));
	memcpy((*end)->name, stored->name, sizeof((*end)->name));
	(*end)++;
	return 0;
}

static int by_index(const void *left, const void *right)
{
	const struct interface *a = left, *b = right;

	return a->index < b->index ? -1 : a->index > b->index;
}

size_t interfaces_list(const struct datapath *datapath, struct interface *list)
{
	struct interface *end = list;

	map_each(datapath->fds[PIN_INTERFACES], sizeof(__u32), sizeof(struct bgs_interface),
		 collect, &end);
	qsort(list, end - list, sizeof(*list), by_index);
	return end - list;
}

/* By name, not by index: the interface may be gone, or back under another index. */
static size_t each_named(const struct datapath *datapath, const char *name, bool remove)
{
	struct interface list[BGS_MAX_INTERFACES];
	size_t count = interfaces_list(datapath, list), found = 0;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, name))
			continue;
		found++;
		if (!remove)
			continue;
		mark(datapath, list[i].index, false);
		map_delete(datapath->fds[PIN_INTERFACES], &list[i].index);
	}
	return found;
}

int interfaces_check(const struct datapath *datapath, const char *name, struct failure *failure)
{
	if (each_named(datapath, name, false))
		return 0;
	return failure_set(failure, EXIT_USAGE, "see 'bgswitch status' for those that are",
			   "'%s' is not attached", name);
}

void interfaces_remove(const struct datapath *datapath, const char *name)
{
	each_named(datapath, name, true);
}
