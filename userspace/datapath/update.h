/* SPDX-License-Identifier: GPL-2.0-only */
/* What service_update() does, and how it is picked up again after a kill. */
#ifndef BGSWITCH_UPDATE_H
#define BGSWITCH_UPDATE_H

#include "bgswitch/maps.h"
#include "datapath/datapath.h"

/* Undoes an update that was preparing, finishes one that was committed; 0 or -errno. */
int update_repair(const struct datapath *datapath, enum bgs_changing kind,
		  const struct bgs_update *update);

#endif
