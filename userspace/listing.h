/* SPDX-License-Identifier: GPL-2.0-only */
/* The connections of services, one by one, with what is known of each: for `conns`. */
#ifndef BGSWITCH_LISTING_H
#define BGSWITCH_LISTING_H

#include <stdbool.h>

#include <jansson.h>

#include "datapath/connections.h"
#include "datapath/services.h"

struct listed {
	struct bgs_connection connection;
	__u32 slot; /* ATTRIBUTION_NO_SLOT: of no service that is declared */
	unsigned int colors; /* bit i: color i; several or none: not known */
	bool has_instance; /* connection.instance is whose it is */
	pid_t pid; /* of a process that has it open; 0: none, or not seen */
	char comm[16];
};

/* Which ones are asked for. */
struct listing_filter {
	__u32 slot; /* ATTRIBUTION_NO_SLOT: of all services */
	int color; /* -1: both */
};

/*
 * Sorted by service, color, instance and peer, in `*listed` (free() it): how
 * many, or -1. Sockets that come or go meanwhile may be missed.
 */
ssize_t listing_read(const struct datapath *datapath, const struct listing_filter *filter,
		     struct listed **listed, struct failure *failure);

/* "established", "syn-recv", "queued", ...: the TCP state, or where it waits. */
const char *listed_state(const struct listed *listed);
/* Milliseconds since the handshake was complete, and since the last payload; -1: not known. */
long long listed_age_ms(const struct listed *listed);
long long listed_idle_ms(const struct listed *listed);

/* {"service", "color", "instance", "state", "peer", "local", ...}; see docs/connections.md. */
json_t *listed_json(const struct listed *listed, const struct service *services, size_t count);

/* The service of a slot, or NULL. */
const struct service *listed_service(const struct listed *listed, const struct service *services,
				     size_t count);

#endif
