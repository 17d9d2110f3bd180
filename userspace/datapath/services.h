/* SPDX-License-Identifier: GPL-2.0-only */
/* Services in the maps: declare, remove, read, and change where they go. */
#ifndef BGSWITCH_SERVICES_H
#define BGSWITCH_SERVICES_H

#include <stddef.h>

#include "bgswitch/maps.h"
#include "datapath/datapath.h"
#include "endpoint.h"

/*
 * The instances of one color, by place. Places stay when others go, so there
 * may be gaps: see color_has().
 */
struct color_spec {
	struct endpoint instances[BGS_MAX_INSTANCES];
	size_t count; /* the last place in use, plus one */
};

/* A service as it is declared. */
struct service_spec {
	char name[BGS_NAME_SIZE];
	struct bgs_flags flags;
	struct bgs_endpoint listen[BGS_MAX_LISTEN];
	size_t listen_count;
	struct color_spec colors[BGS_COLORS];
};

/* A service as it is found in the maps. */
struct service {
	__u32 slot;
	struct bgs_route route;
	__u64 enabled[BGS_COLORS]; /* bit i: instance i may take new connections */
	struct service_spec spec;
};

/* Is there an instance in this place? */
bool color_has(const struct color_spec *color, size_t place);

const char *color_name(enum bgs_color color);
/* "blue" or "green"; -1 for anything else. */
int color_parse(const char *text);

/* Fails unless `name` may name a service. */
int service_name_check(const char *name, struct failure *failure);

/* Adds a service: all of it or nothing. It starts with blue, no split. */
int service_add(const struct datapath *datapath, const struct service_spec *spec,
		struct failure *failure);

/*
 * Makes a service what `spec` says (its name stays): listen addresses and
 * instances that are in both are not touched, nor is the route; an instance
 * that stays keeps its place whatever its place in `spec`. New ones are
 * enabled when their listeners are in the map.
 */
int service_update(const struct datapath *datapath, __u32 slot, const struct service_spec *spec,
		   struct failure *failure);

/*
 * Which instances of a color take new connections: one aligned store; 0 or
 * -errno. Needs no lock: it loses no flip and none loses it. The service must
 * still be the one that was read from this slot.
 */
int service_enable(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		   __u64 enabled);

/* Stores all flags, under the lock; 0 or -errno. */
int service_set_flags(const struct datapath *datapath, __u32 slot, struct bgs_flags flags);

/* Takes places whose instances are gone out of rotation; 0 or -errno. */
int service_retire(const struct datapath *datapath, __u32 slot, enum bgs_color color, __u64 places);

/* Ends steering of this service and removes all that belongs to it. */
int service_remove(const struct datapath *datapath, __u32 slot, struct failure *failure);
/* The same for several at once: waiting for running lookups takes some 15 ms, whatever their
 * number. */
int services_remove(const struct datapath *datapath, const __u32 *slots, size_t count,
		    struct failure *failure);

/* Finishes what a command that was killed half way had begun. */
int services_repair(const struct datapath *datapath, struct failure *failure);

/* Finds a service by name, or the only one if `name` is NULL. Cheap: reads one map. */
int service_find(const struct datapath *datapath, const char *name, __u32 *slot,
		 struct bgs_service *value, struct failure *failure);

/* Reads the entry of a slot; 0 or -errno. */
int service_get(const struct datapath *datapath, __u32 slot, struct bgs_service *value);

/* Reads all services, sorted by name, into `*services` (free() it); returns how many, or -1. */
int services_read(const struct datapath *datapath, struct service **services,
		  struct failure *failure);

/* Stores the word that says where new connections go. */
int service_flip(const struct datapath *datapath, __u32 slot, struct bgs_route route,
		 struct failure *failure);

/* Does a listener of this instance stand in the map? */
bool instance_is_listening(const struct datapath *datapath, __u32 number);
/*
 * Which families' clients a color can serve with the listeners that live now, as
 * bits by enum bgs_family; `places`: bit i, instance i counts. Asks the maps, not
 * every socket.
 */
int color_families(const struct datapath *datapath, __u32 slot, enum bgs_color color, __u64 places);
#define ALL_PLACES (~0ULL)

/*
 * Why this color gets new connections although the other one is active and there is
 * no split: preview networks, or the kernel's failover, as the other one has no
 * listener for them. NULL: it gets none.
 */
const char *color_receives_beside(const struct datapath *datapath, __u32 slot,
				  const struct bgs_service *service, enum bgs_color color);
/* Are new connections sent to this color: all, a share, or for the reasons above? */
bool color_receives(const struct datapath *datapath, __u32 slot, const struct bgs_service *service,
		    enum bgs_color color);

/* Families that a service has listen addresses of, as bits by enum bgs_family. */
int service_families(const struct datapath *datapath, __u32 slot);

/* Sums the counters of all CPUs. */
int service_counters(const struct datapath *datapath, __u32 slot, struct bgs_counters *sum);
int service_counters_clear(const struct datapath *datapath, __u32 slot);

#endif
