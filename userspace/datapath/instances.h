/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instances in the maps: the entries by which listeners find them, and the way
 * out. 0 or -errno, under the lock.
 */
#ifndef BGSWITCH_INSTANCES_H
#define BGSWITCH_INSTANCES_H

#include "bgswitch/maps.h"
#include "datapath/datapath.h"
#include "endpoint.h"

/* The keys of `backends` under which listeners find an instance: one, or one a family. */
size_t instance_keys(const struct endpoint *instance, struct bgs_endpoint keys[BGS_FAMILIES]);

/* True for those that were declared alike: the same instance, wherever it stands. */
bool instance_equal(const struct endpoint *left, const struct endpoint *right);

int instance_add(const struct datapath *datapath, __u32 number, const struct endpoint *instance);

/*
 * Removes instances of a service that stays, by place. Nobody may be sent to
 * them any more: their bits in `enabled` are clear. Waits for lookups.
 */
int instances_remove(const struct datapath *datapath, __u32 slot, const __u64 places[BGS_COLORS]);

/* Removes those whose service is gone, and whatever points to none. Wait for lookups before. */
int instances_repair(const struct datapath *datapath);

#endif
