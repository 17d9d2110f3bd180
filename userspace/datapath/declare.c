/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adding and removing services: changes of several maps. The entry in
 * `services` comes last and goes first, so that lookups see a whole service or
 * none; the mark in `settings` tells the next command to clear away what a
 * killed one left.
 */
#include <errno.h>
#include <string.h>

#include "datapath/changing.h"
#include "datapath/instances.h"
#include "datapath/listen.h"
#include "datapath/listeners.h"
#include "datapath/map.h"
#include "datapath/preview.h"
#include "datapath/services.h"
#include "datapath/spec_check.h"
#include "datapath/update.h"

#define NEXT_ROOT "run 'bgswitch status' and try again"

static int check_name(const struct datapath *datapath, const char *name, struct failure *failure)
{
	struct failure unused;
	struct bgs_service existing;
	__u32 slot;

	if (service_name_check(name, failure))
		return -1;
	if (service_find(datapath, name, &slot, &existing, &unused))
		return 0;
	return failure_set(failure, EXIT_USAGE,
			   "choose another name, or 'bgswitch service rm' it first",
			   "service %s exists already", name);
}

static int free_slot(const struct datapath *datapath, __u32 *slot, struct failure *failure)
{
	struct bgs_service value;

	for (*slot = 0; *slot < BGS_MAX_SERVICES; (*slot)++) {
		if (map_get(datapath->fds[PIN_SERVICES], slot, &value) == -ENOENT)
			return 0;
	}
	return failure_set(failure, EXIT_USAGE, "remove one first",
			   "there are %d services already, and no room for more", BGS_MAX_SERVICES);
}

/* Slots are used again: what the kernel side noted for the last owner must not show. */
static int clear_slot(const struct datapath *datapath, __u32 slot)
{
	const struct bgs_rotation nothing_ready = {};
	int err = service_counters_clear(datapath, slot);

	return err ? err : map_put(datapath->fds[PIN_ROTATION], &slot, &nothing_ready);
}

static int write_service(const struct datapath *datapath, __u32 slot,
			 const struct service_spec *spec)
{
	struct bgs_service value = { .flags = spec->flags };
	int err = clear_slot(datapath, slot);

	memcpy(value.name, spec->name, sizeof(value.name));
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		const struct color_spec *instances = &spec->colors[color];

		for (size_t i = 0; i < instances->count && !err; i++) {
			if (!color_has(instances, i))
				continue;
			value.enabled[color] |= 1ULL << i;
			err = instance_add(datapath, BGS_INSTANCE(slot, color, i),
					   &instances->instances[i]);
		}
	}
	if (!err) /* before the first lookup finds the service */
		err = listeners_adopt(datapath);
	for (size_t i = 0; i < spec->listen_count && !err; i++)
		err = listen_add(datapath, &spec->listen[i], slot);
	return err ? err : map_add(datapath->fds[PIN_SERVICES], &slot, &value);
}

int service_add(const struct datapath *datapath, const struct service_spec *spec,
		struct failure *failure)
{
	struct failure unused;
	__u32 slot;
	int err;

	if (check_name(datapath, spec->name, failure) ||
	    spec_check(datapath, spec, NO_SLOT, failure) || free_slot(datapath, &slot, failure))
		return -1;
	err = changing_mark(datapath, BGS_DECLARING, NULL);
	if (!err)
		err = write_service(datapath, slot, spec);
	if (err) {
		services_repair(datapath, &unused);
		return failure_errno(failure, -err, NEXT_ROOT, "cannot add service %s", spec->name);
	}
	changing_mark(datapath, BGS_UNCHANGING, NULL);
	return 0;
}

int services_remove(const struct datapath *datapath, const __u32 *slots, size_t count,
		    struct failure *failure)
{
	int err = changing_mark(datapath, BGS_DECLARING, NULL);

	for (size_t i = 0; i < count && !err; i++) /* from here on they are gone */
		err = map_delete(datapath->fds[PIN_SERVICES], &slots[i]);
	if (err)
		return failure_errno(failure, -err, NEXT_ROOT, "cannot remove the service");
	map_wait_for_lookups(); /* those that found a service still need its listeners */
	return services_repair(datapath, failure);
}

int service_remove(const struct datapath *datapath, __u32 slot, struct failure *failure)
{
	return services_remove(datapath, &slot, 1, failure);
}

static int repair(const struct datapath *datapath)
{
	struct bgs_update update;
	enum bgs_changing kind;
	int err = changing_read(datapath, &kind, &update);

	if (err || kind == BGS_UNCHANGING)
		return err;
	if (kind != BGS_DECLARING)
		err = update_repair(datapath, kind, &update);
	if (!err)
		err = listen_repair(datapath);
	if (!err)
		err = instances_repair(datapath);
	if (!err)
		err = previews_repair(datapath);
	return err ? err : changing_mark(datapath, BGS_UNCHANGING, NULL);
}

int services_repair(const struct datapath *datapath, struct failure *failure)
{
	int err = repair(datapath);

	return err ? failure_errno(failure, -err, NEXT_ROOT,
				   "cannot clear away what an earlier command left")
		   : 0;
}
