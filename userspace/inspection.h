/* SPDX-License-Identifier: GPL-2.0-only */
/* Every check of a service, once, and the service check with it: what `check` shows. */
#ifndef BGSWITCH_INSPECTION_H
#define BGSWITCH_INSPECTION_H

#include <jansson.h>

#include "record/files.h"

/*
 * Checks the instances of a color (-1: of both) and returns
 * {"service", "active", "service_check", "colors": {COLOR: {"health",
 * "instances": [{"address", "ok", "status", "ms", "sent", "error", "body"}]}}}
 * (json_decref() it), or NULL with `failure` set. Takes as long as the slowest
 * check. Health is by this one round.
 */
json_t *inspect_service(const struct datapath *datapath, const struct files *files,
			const struct service *service, int color, struct failure *failure);

#endif
