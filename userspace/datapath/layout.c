/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/layout.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "bgswitch/maps.h"

#define NEXT "use the bgswitch that made it, or start anew: 'bgswitch detach all', then attach"

struct layout {
	__u32 type, key_size, value_size, max_entries;
};

#define LISTENERS (BGS_MAX_SERVICES * BGS_COLORS * BGS_MAX_INSTANCES)

/* The definitions are in bpf/maps.bpf.h; a unit test compares the two. */
static const struct layout layouts[PIN_MAPS] = {
	[PIN_SETTINGS] = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct bgs_settings), 1 },
	[PIN_INTERFACES] = { BPF_MAP_TYPE_HASH, 4, sizeof(struct bgs_interface),
			     BGS_MAX_INTERFACES },
	[PIN_LISTEN] = { BPF_MAP_TYPE_HASH, sizeof(struct bgs_endpoint), 4,
			 BGS_MAX_SERVICES *BGS_MAX_LISTEN },
	[PIN_PORTS] = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct bgs_port), BGS_PORTS },
	[PIN_SERVICES] = { BPF_MAP_TYPE_HASH, 4, sizeof(struct bgs_service), BGS_MAX_SERVICES },
	[PIN_INSTANCES] = { BPF_MAP_TYPE_HASH, 4, sizeof(struct bgs_instance), LISTENERS },
	[PIN_BACKENDS] = { BPF_MAP_TYPE_HASH, sizeof(struct bgs_endpoint), 4, LISTENERS * 3 },
	[PIN_SOCKETS] = { BPF_MAP_TYPE_SOCKMAP, 4, 8, LISTENERS *BGS_FAMILIES },
	[PIN_SIBLINGS] = { BPF_MAP_TYPE_SOCKHASH, sizeof(struct bgs_sibling_key), 8, LISTENERS },
	[PIN_ROTATION] = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct bgs_rotation), BGS_MAX_SERVICES },
	[PIN_COUNTERS] = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct bgs_counters),
			   BGS_MAX_SERVICES },
	[PIN_PREVIEW] = { BPF_MAP_TYPE_HASH, sizeof(struct bgs_preview_key), 4, BGS_MAX_PREVIEWS },
	[PIN_PREFIXES] = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct bgs_prefixes), BGS_PREFIXES },
	[PIN_TAGS] = { BPF_MAP_TYPE_SK_STORAGE, 4, sizeof(struct bgs_tag), 0 },
	[PIN_CONNECTIONS] = { BPF_MAP_TYPE_PERCPU_HASH, 4, sizeof(struct bgs_connections),
			      LISTENERS },
	[PIN_PROBES] = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct bgs_probe), BGS_PROBES },
	[PIN_COOKIES] = { BPF_MAP_TYPE_LRU_HASH, sizeof(struct bgs_cookie_key),
			  sizeof(struct bgs_cookie), BGS_MAX_COOKIES },
};

int layout_check(const char *dir, enum pin pin, int fd, struct failure *failure)
{
	const struct layout *expected = &layouts[pin];
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return failure_set(failure, EXIT_SYSTEM,
				   "move it away, or keep bgswitch elsewhere with --bpffs",
				   "%s/%s is not a map", dir, pin_name(pin));
	if (info.type == expected->type && info.key_size == expected->key_size &&
	    info.value_size == expected->value_size && info.max_entries == expected->max_entries)
		return 0;
	return failure_set(failure, EXIT_SYSTEM, NEXT,
			   "map %s/%s has another layout: type %u, key %u, value %u bytes, "
			   "%u entries; expected type %u, key %u, value %u, %u entries",
			   dir, pin_name(pin), info.type, info.key_size, info.value_size,
			   info.max_entries, expected->type, expected->key_size,
			   expected->value_size, expected->max_entries);
}
