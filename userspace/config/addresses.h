/* SPDX-License-Identifier: GPL-2.0-only */
/* All addresses of a file: each may be declared once, as the maps will have it. */
#ifndef BGSWITCH_ADDRESSES_H
#define BGSWITCH_ADDRESSES_H

#include "config/reader.h"
#include "datapath/services.h"

struct address {
	struct bgs_endpoint key;
	const char *service; /* borrowed */
	int color; /* of the instance; -1: the service listens there */
	const yaml_node_t *node;
};

struct addresses {
	struct address *items;
	size_t count, room;
};

/* 0, or -1 for want of memory. */
int addresses_add(struct addresses *addresses, const struct address *address);
void addresses_free(struct addresses *addresses);

/* Fails if one is there twice; sorts them. */
int addresses_check(struct reader *reader);

#endif
