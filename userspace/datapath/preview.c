/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/preview.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/map.h"
#include "datapath/services.h"

#define MAPPED (0xffffULL << 32) /* before an IPv4 address, in the lower half */

static struct bgs_preview_key key_of(__u32 slot, const struct network *network)
{
	struct bgs_preview_key key = { .slot = slot, .prefixlen = network->bits };

	if (network->family == BGS_V4) {
		key.prefixlen += 128 - BGS_V4_BITS;
		key.address[1] = htobe64(MAPPED | ntohl(network->address[0]));
	} else {
		memcpy(key.address, network->address, sizeof(key.address));
	}
	return key;
}

static bool is_v4(const struct bgs_preview_key *key)
{
	return key->prefixlen >= 128 - BGS_V4_BITS && !key->address[0] &&
	       (be64toh(key->address[1]) & ~0xffffffffULL) == MAPPED;
}

static struct network network_of(const struct bgs_preview_key *key)
{
	struct network network = { .family = BGS_V6, .bits = key->prefixlen };

	if (is_v4(key)) {
		network.family = BGS_V4;
		network.bits -= 128 - BGS_V4_BITS;
		network.address[0] = htonl((__u32)be64toh(key->address[1]));
	} else {
		memcpy(network.address, key->address, sizeof(network.address));
	}
	return network;
}

/* Where in `prefixes` this network's length is noted: the entry, and the bit in it. */
static __u32 prefixes_entry(const struct bgs_preview_key *key, unsigned int *bit)
{
	bool v4 = is_v4(key);

	*bit = 128 - key->prefixlen;
	return *bit > (v4 ? 16 : 96) ? key->slot : bgs_prefixes_of(key->slot, key->address, v4);
}

static void note(struct bgs_prefixes *prefixes, unsigned int bit)
{
	prefixes->host_bits[bit / 64] |= 1ULL << bit % 64;
}

static int note_prefix(const struct datapath *datapath, const struct bgs_preview_key *key)
{
	struct bgs_prefixes before, prefixes;
	unsigned int bit;
	__u32 entry = prefixes_entry(key, &bit);
	int err = map_get(datapath->fds[PIN_PREFIXES], &entry, &prefixes);

	if (err)
		return err;
	before = prefixes;
	note(&prefixes, bit);
	return memcmp(&before, &prefixes, sizeof(before))
		       ? map_put(datapath->fds[PIN_PREFIXES], &entry, &prefixes)
		       : 0;
}

struct walk {
	__u32 slot;
	size_t total, of_slot;
	void (*visit)(const struct preview *preview, void *data);
	void *data;
	struct bgs_prefixes *prefixes; /* all of them, to be filled in; or NULL */
};

static int visit(const void *data, const void *color, void *walk_data)
{
	const struct bgs_preview_key *key = data;
	const struct preview preview = { network_of(key), *(const __u32 *)color };
	struct walk *walk = walk_data;

	walk->total++;
	if (walk->prefixes) {
		unsigned int bit;
		__u32 entry = prefixes_entry(key, &bit);

		note(&walk->prefixes[entry], bit);
	}
	if (key->slot != walk->slot)
		return 0;
	walk->of_slot++;
	if (walk->visit)
		walk->visit(&preview, walk->data);
	return 0;
}

static int walk_all(const struct datapath *datapath, struct walk *walk)
{
	return map_each(datapath->fds[PIN_PREVIEW], sizeof(struct bgs_preview_key), sizeof(__u32),
			visit, walk);
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
	return service_set_flags(datapath, slot, value.flags);
}

/* The length first: noted in vain it costs a little; a network without it is never found. */
static int put(const struct datapath *datapath, __u32 slot, const struct preview *preview)
{
	const struct bgs_preview_key key = key_of(slot, &preview->network);
	__u32 color = preview->color;
	int err = note_prefix(datapath, &key);

	return err ? err : map_put(datapath->fds[PIN_PREVIEW], &key, &color);
}

static bool is_there(const struct datapath *datapath, __u32 slot, const struct preview *preview)
{
	const struct bgs_preview_key key = key_of(slot, &preview->network);
	__u32 color;

	return !map_get(datapath->fds[PIN_PREVIEW], &key, &color);
}

static int check_room(const struct datapath *datapath, __u32 slot, const struct preview *previews,
		      size_t count, struct failure *failure)
{
	struct walk walk = {};
	size_t more = 0;

	walk_all(datapath, &walk);
	if (walk.total + count <= BGS_MAX_PREVIEWS)
		return 0;
	for (size_t i = 0; i < count; i++)
		more += !is_there(datapath, slot, &previews[i]);
	if (walk.total + more <= BGS_MAX_PREVIEWS)
		return 0;
	return failure_set(failure, EXIT_USAGE, "remove some, or use shorter prefixes",
			   "%zu more networks do not fit: there are %zu, and room for %d", more,
			   walk.total, BGS_MAX_PREVIEWS);
}

int previews_add(const struct datapath *datapath, __u32 slot, const struct preview *previews,
		 size_t count, struct failure *failure)
{
	int err = 0;

	if (check_room(datapath, slot, previews, count, failure))
		return -1;
	/* First: what a command that is killed has added is in use, and listed. */
	err = set_has_preview(datapath, slot, true);
	for (size_t i = 0; i < count && !err; i++)
		err = put(datapath, slot, &previews[i]);
	return err ? failure_errno(failure, -err, "see 'bgswitch preview ls' for what is there",
				   "cannot add all networks")
		   : 0;
}

static int put_prefixes(const struct datapath *datapath, const struct walk *walk, __u32 entry)
{
	return map_put(datapath->fds[PIN_PREFIXES], &entry, &walk->prefixes[entry]);
}

/* Walks all networks and fills in `walk->prefixes`, for the caller to free; 0 or -errno. */
static int collect_prefixes(const struct datapath *datapath, struct walk *walk)
{
	walk->prefixes = calloc(BGS_PREFIXES, sizeof(*walk->prefixes));
	return walk->prefixes ? walk_all(datapath, walk) : -ENOMEM;
}

int previews_remove(const struct datapath *datapath, __u32 slot, const struct preview *previews,
		    size_t count, struct failure *failure)
{
	struct walk walk = { .slot = slot };
	char text[NETWORK_TEXT];
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_there(datapath, slot, &previews[i]))
			return failure_set(failure, EXIT_USAGE, "see 'bgswitch preview ls'",
					   "%s is not a preview network of this service",
					   network_format(text, &previews[i].network));
	}
	for (size_t i = 0; i < count && !err; i++) {
		const struct bgs_preview_key key = key_of(slot, &previews[i].network);

		err = map_delete(datapath->fds[PIN_PREVIEW], &key);
	}
	if (!err)
		err = collect_prefixes(datapath, &walk);
	for (size_t i = 0; i < count && !err; i++) {
		const struct bgs_preview_key key = key_of(slot, &previews[i].network);
		unsigned int bit;

		err = put_prefixes(datapath, &walk, prefixes_entry(&key, &bit));
	}
	free(walk.prefixes);
	if (!err && !walk.of_slot)
		err = set_has_preview(datapath, slot, false);
	return err ? failure_errno(failure, -err, "run it as root", "cannot update the service")
		   : 0;
}

struct repair {
	const struct datapath *datapath;
	size_t removed;
};

static int remove_orphan(const void *data, const void *color, void *repair_data)
{
	const struct bgs_preview_key *key = data;
	struct repair *repair = repair_data;
	struct bgs_service service;

	(void)color;
	if (map_get(repair->datapath->fds[PIN_SERVICES], &key->slot, &service) != -ENOENT)
		return 0;
	repair->removed++;
	return map_delete(repair->datapath->fds[PIN_PREVIEW], key);
}

int previews_repair(const struct datapath *datapath)
{
	struct repair repair = { .datapath = datapath };
	struct walk walk = {};
	int err = map_each(datapath->fds[PIN_PREVIEW], sizeof(struct bgs_preview_key),
			   sizeof(__u32), remove_orphan, &repair);

	if (err || !repair.removed)
		return err;
	err = collect_prefixes(datapath, &walk);
	for (__u32 entry = 0; entry < BGS_PREFIXES && !err; entry++)
		err = put_prefixes(datapath, &walk, entry);
	free(walk.prefixes);
	return err;
}
