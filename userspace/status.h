/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything `status` shows, read in one go. */
#ifndef BGSWITCH_STATUS_H
#define BGSWITCH_STATUS_H

#include <jansson.h>

#include "datapath/interfaces.h"
#include "datapath/listeners.h"
#include "datapath/services.h"
#include "diagnosis.h"
#include "status_connections.h"

struct status {
	const struct datapath *datapath; /* NULL: nothing is pinned */
	const char *pin_dir;
	struct interface_list interfaces; /* empty if nothing is steered */
	struct service *services;
	size_t service_count;
	struct listener *listeners; /* sorted by instance number */
	size_t listener_count;
	struct status_connections connections;
	struct warnings warnings;
};

/* Reads it; `datapath` may be one that could not be opened because nothing is there. */
int status_read(struct status *status, const struct datapath *datapath, struct failure *failure);
void status_free(struct status *status);

/* The registered listener of an instance, or NULL. */
const struct listener *status_listener(const struct status *status, __u32 number);

/* Can this instance take connections? Where listeners cannot be walked: is one in the map? */
bool status_is_listening(const struct status *status, __u32 number);

/* "active" or "standby" */
const char *status_role(const struct service *service, enum bgs_color color);
/* Share of new connections that this color gets, in basis points. */
unsigned int status_share(const struct service *service, enum bgs_color color);

/* The object that `status -j` prints, schema 1; the caller owns it. */
json_t *status_json(const struct status *status);
json_t *status_services_json(const struct status *status); /* its `services` alone */

#endif
