/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mark in `settings` that tells the next command what a killed one had
 * under way; see services_repair(). 0 or -errno each, under the lock.
 */
#ifndef BGSWITCH_CHANGING_H
#define BGSWITCH_CHANGING_H

#include "bgswitch/maps.h"
#include "datapath/datapath.h"

int changing_read(const struct datapath *datapath, enum bgs_changing *kind,
		  struct bgs_update *update);

/* `update` may be NULL where it means nothing. */
int changing_mark(const struct datapath *datapath, enum bgs_changing kind,
		  const struct bgs_update *update);

/* A serial for a new instance, never given twice. */
int changing_take_serial(const struct datapath *datapath, __u64 *serial);

#endif
