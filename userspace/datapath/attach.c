/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/attach.h"

#include <unistd.h>

#include "datapath/services.h"

/*
 * Maps first, then steering, the interfaces last: a command that is killed
 * leaves what the next one completes, and one that fails has attached nothing.
 */
static int attach(struct datapath *datapath, const struct attachment *attachment,
		  struct failure *failure)
{
	bool all = false;

	if (datapath->fds[PIN_SETTINGS] < 0 && datapath_create(datapath, failure))
		return -1;
	if (services_repair(datapath, failure))
		return -1;
	if (!datapath_is_steering(datapath) && attachment->prepare &&
	    attachment->prepare(datapath, attachment->data, failure))
		return -1;
	for (size_t i = 0; i < attachment->count; i++)
		all = all || !attachment->interfaces[i].index;
	if (datapath_load(datapath, all, failure))
		return -1;
	for (size_t i = 0; i < attachment->count; i++) {
		if (interfaces_add(datapath, &attachment->interfaces[i], failure))
			return -1;
	}
	return 0;
}

int datapath_attach(struct datapath *datapath, const struct attachment *attachment,
		    struct failure *failure)
{
	const struct place *place = datapath->place;
	struct failure unused;
	bool was_there;

	if (place_mount_bpffs(place, failure))
		return -1;
	was_there = !access(place->pin_dir, F_OK);
	if (!attach(datapath, attachment, failure))
		return 0;
	if (!was_there)
		datapath_remove(place, &unused);
	return -1;
}
