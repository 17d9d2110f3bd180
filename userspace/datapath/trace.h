/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which instance's listener took a connection of our own? `register` notes it
 * when the handshake ends, by the tag that the accepted socket inherited. It
 * looks at connections only whose two ends have the same address.
 */
#ifndef BGSWITCH_TRACE_H
#define BGSWITCH_TRACE_H

#include <stdbool.h>

#include <linux/types.h>

#include "datapath/datapath.h"

/* Is the program there that notes? */
bool trace_can(const struct datapath *datapath);

/*
 * Says that a connection from local port `port` (host byte order) comes now; 0
 * or -errno. Of two whose ports are the same modulo BGS_PROBES the last one counts.
 */
int trace_arm(const struct datapath *datapath, unsigned short port);

/*
 * Reads what was noted and forgets it: 0 with the instance's number; -ENODATA:
 * taken by a listener of no instance; -ENOENT: nothing was noted. The server's
 * end is established a moment after the client's: `wait` waits for it, 20 ms
 * at the most.
 */
int trace_read(const struct datapath *datapath, unsigned short port, bool wait, __u32 *number);

#endif
