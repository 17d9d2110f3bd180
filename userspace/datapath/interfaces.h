/* SPDX-License-Identifier: GPL-2.0-only */
/* Interfaces whose connections are steered. Loopback always is and is not listed. */
#ifndef BGSWITCH_INTERFACES_H
#define BGSWITCH_INTERFACES_H

#include <stdbool.h>
#include <stddef.h>

#include "bgswitch/maps.h"
#include "datapath/datapath.h"

#define INTERFACE_AWAITED 0x80000000u /* and above: the kernel's own are positive ints */

struct interface {
	unsigned int index; /* 0: all interfaces; INTERFACE_AWAITED or more: it never was there */
	char name[BGS_IFNAME_SIZE];
};

struct interface_list {
	struct interface items[BGS_MAX_INTERFACES];
	size_t count;
};

/* Finds the interface in this namespace; "all" is index 0. */
int interface_find(struct interface *interface, const char *name, struct failure *failure);

/* The same; one that is not there is to be steered when it comes: interfaces_refresh(). */
int interface_find_or_await(struct interface *interface, const char *name, struct failure *failure);

int interfaces_add(const struct datapath *datapath, const struct interface *interface,
		   struct failure *failure);

/* Fails unless this name is attached. */
int interfaces_check(const struct datapath *datapath, const char *name, struct failure *failure);
void interfaces_remove(const struct datapath *datapath, const char *name);

/* Reads those that are attached into `list`, by index. */
void interfaces_list(const struct datapath *datapath, struct interface_list *list);

/*
 * Follows what became of those attached by name, under the lock: one whose name
 * has another index now is steered there, one that was renamed keeps being
 * steered. Calls `report` for each that came back (`present`), and once for each
 * that is gone. Returns how many came back, or -1.
 */
int interfaces_refresh(const struct datapath *datapath,
		       void (*report)(const struct interface *interface, bool present, void *data),
		       void *data, struct failure *failure);

#endif
