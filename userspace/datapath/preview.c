/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/preview.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "datapath/map.h"

/* A key of one of the two maps, and which one. */
struct place_of {
	enum pin pin;
	union {
		struct bgs_preview_v4_key v4;
		struct bgs_preview_v6_key v6;
	} key;
};

static struct place_of place_of(__u32 slot, const struct network *network)
{
	__u32 prefixlen = BGS_PREVIEW_SLOT_BITS + network->bits;
	struct place_of place = {};

	if (network->family == BGS_V4) {
		place.pin = PIN_PREVIEW_V4;
		place.key.v4 = (struct bgs_preview_v4_key){ prefixlen, slot, network->address[0] };
	} else {
		place.pin = PIN_PREVIEW_V6;
		place.key.v6 = (struct bgs_preview_v6_key){ .prefixlen = prefixlen, .slot = slot };
		memcpy(place.key.v6.address, network->address, sizeof(network->address));
	}
	return place;
}

struct walk {
	__u32 slot;
	size_t total[BGS_FAMILIES], of_slot;
	void (*visit)(const struct preview *preview, void *data);
	void *data;
};

static int visit(struct walk *walk, __u32 slot, const struct network *network, const __u32 *color)
{
	const struct preview preview = { .network = *network, .color = *color };

	walk->total[network->family]++;
	if (slot != walk->slot)
		return 0;
	walk->of_slot++;
	if (walk->visit)
		walk->visit(&preview, walk->data);
	return 0;
}

static int visit_v4(const void *data, const void *color, void *walk)
{
	const struct bgs_preview_v4_key *key = data;
	const struct network network = { .family = BGS_V4,
					 .bits = key->prefixlen - BGS_PREVIEW_SLOT_BITS,
					 .address = { key->address } };

	return visit(walk, key->slot, &network, color);
}

static int visit_v6(const void *data, const void *color, void *walk)
{
	const struct bgs_preview_v6_key *key = data;
	struct network network = { .family = BGS_V6,
				   .bits = key->prefixlen - BGS_PREVIEW_SLOT_BITS };

	memcpy(network.address, key->address, sizeof(network.address));
	return visit(walk, key->slot, &network, color);
}

static void walk_all(const struct datapath *datapath, struct walk *walk)
{
	map_each(datapath->fds[PIN_PREVIEW_V4], sizeof(struct bgs_preview_v4_key), sizeof(__u32),
		 visit_v4, walk);
	map_each(datapath->fds[PIN_PREVIEW_V6], sizeof(struct bgs_preview_v6_key), sizeof(__u32),
		 visit_v6, walk);
}

void previews_each(const struct datapath *datapath, __u32 slot,
		   void (*visitor)(const struct preview *preview, void *data), void *data)
{
	struct walk walk = { .slot = slot, .visit = visitor, .data = data };

	walk_all(datapath, &walk);
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

static int put(const struct datapath *datapath, __u32 slot, const struct preview *preview)
{
	const struct place_of place = place_of(slot, &preview->network);
	__u32 color = preview->color;

	return map_put(datapath->fds[place.pin], &place.key, &color);
}

static int check_room(const struct datapath *datapath, const struct preview *previews, size_t count,
		      struct failure *failure)
{
	struct walk walk = {};

	walk_all(datapath, &walk);
	for (size_t i = 0; i < count; i++) {
		if (++walk.total[previews[i].network.family] <= BGS_MAX_PREVIEWS)
			continue;
		return failure_set(failure, EXIT_USAGE, "remove some, or use shorter prefixes",
				   "%zu more networks do not fit: there is room for %d of a family",
				   count, BGS_MAX_PREVIEWS);
	}
	return 0;
}

int previews_add(const struct datapath *datapath, __u32 slot, const struct preview *previews,
		 size_t count, struct failure *failure)
{
	int err = 0;

	if (check_room(datapath, previews, count, failure))
		return -1;
	for (size_t i = 0; i < count && !err; i++)
		err = put(datapath, slot, &previews[i]);
	if (!err)
		err = set_has_preview(datapath, slot, true);
	return err ? failure_errno(failure, -err, "see 'bgswitch preview ls' for what is there",
				   "cannot add all networks")
		   : 0;
}

/* Deletion is the only exact question: a lookup answers with a shorter prefix, too. */
static int take(const struct datapath *datapath, __u32 slot, struct preview *preview)
{
	const struct place_of place = place_of(slot, &preview->network);
	__u32 color;
	int err = map_get(datapath->fds[place.pin], &place.key, &color);

	if (err)
		return err;
	preview->color = color;
	return bpf_map_delete_elem(datapath->fds[place.pin], &place.key) ? -errno : 0;
}

int previews_remove(const struct datapath *datapath, __u32 slot, struct preview *previews,
		    size_t count, struct failure *failure)
{
	struct walk walk = { .slot = slot };
	char text[NETWORK_TEXT];
	size_t done;
	int err = 0;

	for (done = 0; done < count; done++) {
		err = take(datapath, slot, &previews[done]);
		if (err)
			break;
	}
	if (err) {
		failure_set(failure, EXIT_USAGE, "see 'bgswitch preview ls'",
			    "%s is not a preview network of this service",
			    network_format(text, &previews[done].network));
		while (done-- > 0)
			put(datapath, slot, &previews[done]);
		return -1;
	}
	walk_all(datapath, &walk);
	if (!walk.of_slot)
		err = set_has_preview(datapath, slot, false);
	return err ? failure_errno(failure, -err, "run it as root", "cannot update the service")
		   : 0;
}

static bool is_orphan(const struct datapath *datapath, __u32 slot)
{
	struct bgs_service service;

	return map_get(datapath->fds[PIN_SERVICES], &slot, &service) == -ENOENT;
}

static int repair_v4(const void *data, const void *color, void *datapath)
{
	const struct bgs_preview_v4_key *key = data;

	(void)color;
	if (!is_orphan(datapath, key->slot))
		return 0;
	return map_delete(((const struct datapath *)datapath)->fds[PIN_PREVIEW_V4], key);
}

static int repair_v6(const void *data, const void *color, void *datapath)
{
	const struct bgs_preview_v6_key *key = data;

	(void)color;
	if (!is_orphan(datapath, key->slot))
		return 0;
	return map_delete(((const struct datapath *)datapath)->fds[PIN_PREVIEW_V6], key);
}

int previews_repair(const struct datapath *datapath)
{
	void *data = (struct datapath *)datapath;
	int err = map_each(datapath->fds[PIN_PREVIEW_V4], sizeof(struct bgs_preview_v4_key),
			   sizeof(__u32), repair_v4, data);

	return err ? err
		   : map_each(datapath->fds[PIN_PREVIEW_V6], sizeof(struct bgs_preview_v6_key),
			      sizeof(__u32), repair_v6, data);
}
