/* SPDX-License-Identifier: GPL-2.0-only */
/* Other programs on our hook: several sk_lookup programs can share a namespace. */
#ifndef BGSWITCH_NEIGHBOURS_H
#define BGSWITCH_NEIGHBOURS_H

#include <stddef.h>

#include "datapath/datapath.h"

#define MAX_NEIGHBOURS 64 /* netns_bpf_max_progs() in kernel/bpf/net_namespace.c */

struct neighbour {
	__u32 id;
	char name[16];
};

/* Fills `neighbours` with sk_lookup programs of this namespace that are not ours. */
size_t neighbours_find(const struct datapath *datapath,
		       struct neighbour neighbours[MAX_NEIGHBOURS]);

#endif
