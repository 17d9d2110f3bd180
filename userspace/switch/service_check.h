/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection through the service's own address, from this host: does the
 * switch itself steer as the map claims?
 */
#ifndef BGSWITCH_SERVICE_CHECK_H
#define BGSWITCH_SERVICE_CHECK_H

#include <stdbool.h>

#include <jansson.h>

#include "datapath/services.h"

struct service_check_result {
	bool ok;
	int expected, reached; /* enum bgs_color; -1: either is right, and: it was not seen */
	unsigned int duration_us;
	long long ended_ms; /* CLOCK_REALTIME */
	char address[ENDPOINT_TEXT]; /* that was connected to */
	char error[256]; /* in words; empty when ok */
};

struct service_check; /* one under way */

/*
 * Begins one to a listen address of the service (a wildcard means loopback).
 * NULL if there is none to wait for: then `result` says why, or is ok if no
 * address of this host leads to the service.
 */
struct service_check *service_check_begin(const struct datapath *datapath, __u32 slot,
					  const struct bgs_endpoint *listen,
					  struct service_check_result *result);
int service_check_fd(const struct service_check *check); /* writable or in error: go on */
/*
 * Ends it: judges what is there now (a connection not yet made is a failure) and
 * frees it. May wait for the server's end of the handshake, 20 ms at the most.
 */
void service_check_end(struct service_check *check, struct service_check_result *result);

/* {"ok", "address", "expected", "reached", "ms", "at_ms", "error"}; the caller owns it. */
json_t *service_check_json(const struct service_check_result *result);

#endif
