/* SPDX-License-Identifier: GPL-2.0-only */
/* Can the color that is to get connections serve all of them? */
#ifndef BGSWITCH_TARGET_H
#define BGSWITCH_TARGET_H

#include "datapath/datapath.h"
#include "datapath/services.h"

/* Warns of clients (IPv4, IPv6) that `color` has no listener for. */
void target_warn(const struct datapath *datapath, __u32 slot, const struct bgs_service *service,
		 enum bgs_color color);

#endif
