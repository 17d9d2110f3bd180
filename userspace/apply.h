/* SPDX-License-Identifier: GPL-2.0-only */
/* The difference between what runs and a configuration, and making it true. */
#ifndef BGSWITCH_APPLY_H
#define BGSWITCH_APPLY_H

#include "config/config.h"
#include "datapath/datapath.h"
#include "record/state.h"

struct plan; /* steps in the order in which they are taken */

/*
 * Compares; changes nothing. Everything that can be refused is refused here.
 * `state` (for the policies that are in force) and `config` are borrowed until
 * plan_free(). A datapath that is not there yet counts as empty.
 */
int plan_make(struct plan **plan, const struct datapath *datapath, struct state *state,
	      const struct config *config, struct failure *failure);
void plan_free(struct plan *plan);

/* A step a line: "+ service web", "- interface eth1", "~ web: green 127.0.0.1:9102 added", ... */
size_t plan_count(const struct plan *plan);
const char *plan_line(const struct plan *plan, size_t step);

/*
 * Where plan_run() attaches: called when the services are declared and nothing
 * is steered yet, for routes that the first connection has to find.
 */
void plan_before_attach(struct plan *plan,
			int (*act)(const struct datapath *datapath, void *data,
				   struct failure *failure),
			void *data);

/*
 * Takes the steps, under the lock its caller holds. Connections and the routes
 * of services that stay are not touched. Updates `state`, saves nothing. A step
 * that the kernel refuses ends it: `failure` names it and what was done before.
 */
int plan_run(const struct plan *plan, struct datapath *datapath, struct failure *failure);

#endif
