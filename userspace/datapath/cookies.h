/* SPDX-License-Identifier: GPL-2.0-only */
/* Handshakes that only the client knows of: it was sent a SYN cookie. See bpf/cookies.bpf.h. */
#ifndef BGSWITCH_COOKIES_H
#define BGSWITCH_COOKIES_H

#include <stdbool.h>

#include "bgswitch/maps.h"
#include "datapath/datapath.h"

/*
 * May clients still complete handshakes with this color by a cookie? False for
 * good once the last is BGS_COOKIE_TTL_S seconds old and the color gets no new
 * connections. Reads one entry. Ask before the queues are counted: what such a
 * client sends goes there. 0 or -errno.
 */
int cookies_pending(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		    bool *pending);

#endif
