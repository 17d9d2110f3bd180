/* SPDX-License-Identifier: GPL-2.0-only */
/* Can the color that is to get connections serve them? */
#ifndef BGSWITCH_TARGET_H
#define BGSWITCH_TARGET_H

#include "datapath/datapath.h"
#include "datapath/services.h"

/*
 * Warns of clients that `color` has no listener for. Returns whether it has any
 * listener at all; -1 if that cannot be found out.
 */
int target_check(const struct datapath *datapath, __u32 slot, const struct bgs_service *service,
		 enum bgs_color color, struct failure *failure);

#endif
