/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/preview.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "datapath/map.h"
#include "datapath/services.h"
#include "network.h"

struct walk {
	const struct datapath *datapath;
	__u32 slot;
	size_t total, of_slot;
	void (*visit)(const struct preview *preview, void *data);
	void *data;
};

static int each(const void *key, const void *value, void *data)
{
	struct preview preview;
	struct walk *walk = data;
	__u32 color;

	memcpy(&preview.network, key, sizeof(preview.network));
	memcpy(&color, value, sizeof(color));
	preview.color = color;
	walk->total++;
	if (preview.network.slot != walk->slot)
		return 0;
	walk->of_slot++;
	if (walk->visit)
		walk->visit(&preview, walk->data);
	return 0;
}

static void walk_all(struct walk *walk)
{
	map_each(walk->datapath->fds[PIN_PREVIEW], sizeof(struct bgs_preview_key), sizeof(__u32),
		 each, walk);
}

void previews_each(const struct datapath *datapath, __u32 slot,
		   void (*visit)(const struct preview *preview, void *data), void *data)
{
	struct walk walk = {
		.datapath = datapath, .slot = slot, .visit = visit, .data = data
	};

	walk_all(&walk);
}

/* `has_preview` lets services without previews skip the lookup. */
static int set_has_preview(const struct datapath *datapath, __u32 slot, bool has)
{
	struct bgs_service value;
	int err = map_get(datapath->fds[PIN_SERVICES], &slot, &value);

	if (err || value.flags.has_preview == has)
		return err;
	value.flags.has_preview = has;
	return map_put(datapath->fds[PIN_SERVICES], &slot, &value);
}

int previews_add(const struct datapath *datapath, __u32 slot, const struct preview *previews,
		 size_t count, struct failure *failure)
{
	struct walk walk = { .datapath = datapath, .slot = slot };
	int err = 0;

	walk_all(&walk);
	if (walk.total + count > BGS_MAX_PREVIEWS)
		return failure_set(failure, EXIT_USAGE, "remove some, or use shorter prefixes",
				   "%zu more networks do not fit: %zu of %d are there", count,
				   walk.total, BGS_MAX_PREVIEWS);
	for (size_t i = 0; i < count && !err; i++) {
		__u32 color = previews[i].color;

		err = map_put(datapath->fds[PIN_PREVIEW], &previews[i].network, &color);
	}
	if (!err)
		err = set_has_preview(datapath, slot, true);
	return err ? failure_errno(failure, -err, "see 'bgswitch preview ls' for what is there",
				   "cannot add all networks") :
		     0;
}

/* Deletion is the only exact question: a lookup answers with a shorter prefix, too. */
static int take(const struct datapath *datapath, const struct bgs_preview_key *network,
		__u32 *color)
{
	int fd = datapath->fds[PIN_PREVIEW];
	int err = map_get(fd, network, color);

	if (err)
		return err;
	return bpf_map_delete_elem(fd, network) ? -errno : 0;
}

int previews_remove(const struct datapath *datapath, __u32 slot, struct preview *previews,
		    size_t count, struct failure *failure)
{
	struct walk walk = { .datapath = datapath, .slot = slot };
	char text[NETWORK_TEXT];
	__u32 color = 0;
	size_t done;
	int err = 0;

	for (done = 0; done < count; done++) {
		err = take(datapath, &previews[done].network, &color);
		if (err)
			break;
		previews[done].color = color; /* for the way back */
	}
	if (err) {
		failure_set(failure, EXIT_USAGE, "see 'bgswitch preview ls'",
			    "%s is not a preview network of this service",
			    network_format(text, &previews[done].network));
		while (done-- > 0) {
			color = previews[done].color;
			map_put(datapath->fds[PIN_PREVIEW], &previews[done].network, &color);
		}
		return -1;
	}
	walk_all(&walk);
	if (!walk.of_slot)
		err = set_has_preview(datapath, slot, false);
	return err ? failure_errno(failure, -err, "run it as root", "cannot update the service") :
		     0;
}

static int repair(const void *key, const void *value, void *data)
{
	const struct bgs_preview_key *network = key;
	const struct datapath *datapath = data;
	struct bgs_service service;

	(void)value;
	if (map_get(datapath->fds[PIN_SERVICES], &network->slot, &service) != -ENOENT)
		return 0;
	return map_delete(datapath->fds[PIN_PREVIEW], key);
}

int previews_repair(const struct datapath *datapath)
{
	return map_each(datapath->fds[PIN_PREVIEW], sizeof(struct bgs_preview_key), sizeof(__u32),
			repair, (struct datapath *)datapath);
}
