/* SPDX-License-Identifier: GPL-2.0-only */
/* Client networks that always get one color. */
#ifndef BGSWITCH_PREVIEW_H
#define BGSWITCH_PREVIEW_H

#include <stddef.h>

#include "bgswitch/maps.h"
#include "datapath/datapath.h"
#include "network.h"

struct preview {
	struct network network;
	enum bgs_color color;
};

/* Adds networks to a service, replacing the color of those there are; none if not all fit. */
int previews_add(const struct datapath *datapath, __u32 slot, const struct preview *previews,
		 size_t count, struct failure *failure);

/* Removes networks; fails, with nothing changed, if one is not there. */
int previews_remove(const struct datapath *datapath, __u32 slot, const struct preview *previews,
		    size_t count, struct failure *failure);

/* Calls `visit` for each network of the service `slot`. */
void previews_each(const struct datapath *datapath, __u32 slot,
		   void (*visit)(const struct preview *preview, void *data), void *data);

/* Removes networks of services that are gone, and the notes of their lengths; 0 or -errno. */
int previews_repair(const struct datapath *datapath);

#endif
