/* SPDX-License-Identifier: GPL-2.0-only */
/* Listeners as the kernel has them, seen through the `adopt` iterator. */
#ifndef BGSWITCH_LISTENERS_H
#define BGSWITCH_LISTENERS_H

#include <stddef.h>
#include <sys/types.h>

#include "bgswitch/maps.h"
#include "datapath/datapath.h"

struct listener {
	struct bgs_report report;
	pid_t pid; /* of a process that holds it; 0: unknown */
	char comm[16];
};

/* Registers listeners that are open already, if the kernel can; 0 or -errno. */
int listeners_adopt(const struct datapath *datapath);

/*
 * Does so, and returns all that concern the services in `*listeners` (free()
 * it): how many, or -1. With `elsewhere`, looks into the network namespaces of
 * other processes as well, to name listeners that cannot serve from there.
 */
ssize_t listeners_scan(const struct datapath *datapath, bool elsewhere, struct listener **listeners,
		       struct failure *failure);

#endif
