/* SPDX-License-Identifier: GPL-2.0-only */
/* Beginning to steer: maps, services, programs and interfaces, in the order that loses nothing. */
#ifndef BGSWITCH_ATTACH_H
#define BGSWITCH_ATTACH_H

#include "datapath/interfaces.h"

struct attachment {
	const struct interface *interfaces;
	size_t count;
	/* Declares services when nothing steers yet; 0 or -1. NULL: none are declared. */
	int (*prepare)(struct datapath *datapath, void *data, struct failure *failure);
	void *data;
};

/*
 * Attaches, or puts this tool's programs in the place of those that run. The
 * datapath may be closed or open before. Where nothing was, an error leaves nothing.
 */
int datapath_attach(struct datapath *datapath, const struct attachment *attachment,
		    struct failure *failure);

#endif
