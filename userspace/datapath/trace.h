/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which instance's listener took a connection of our own? `register` notes it
 * when the handshake ends, by the tag that the accepted socket inherited.
 */
#ifndef BGSWITCH_TRACE_H
#define BGSWITCH_TRACE_H

#include "datapath/datapath.h"

/* Says that a connection from local port `port` (host byte order) comes now; 0 or -errno. */
int trace_arm(const struct datapath *datapath, unsigned short port);

/* Reads what was noted and forgets it: 0 with the instance's number, -ENOENT: nothing was. */
int trace_read(const struct datapath *datapath, unsigned short port, __u32 *number);

#endif
