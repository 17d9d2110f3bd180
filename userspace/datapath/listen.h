/* SPDX-License-Identifier: GPL-2.0-only */
/* Listen addresses: `listen`, and `ports` in step with it. 0 or -errno, under the lock. */
#ifndef BGSWITCH_LISTEN_H
#define BGSWITCH_LISTEN_H

#include "bgswitch/maps.h"
#include "datapath/datapath.h"

int listen_add(const struct datapath *datapath, const struct bgs_endpoint *address, __u32 slot);
int listen_remove(const struct datapath *datapath, const struct bgs_endpoint *address, __u32 slot);

/* Removes those whose service is gone; one that is half there is there. */
int listen_repair(const struct datapath *datapath);

#endif
