/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files state*.c share. */
#ifndef BGSWITCH_STATE_PARTS_H
#define BGSWITCH_STATE_PARTS_H

#include "record/state.h"

struct state {
	char *directory, *name;
	json_t *root;
};

/* A part of the file by its key, NULL if there is none; and the same of one service. */
json_t *state_part(const struct state *state, const char *part);
json_t *state_of_service(const struct state *state, const char *part, const char *service);

/* Takes over `value`; NULL removes what is there. */
void state_put(struct state *state, const char *part, const char *service, json_t *value);

json_t *state_route_json(struct bgs_route route, bool previews);
bool state_read_route(const json_t *object, struct bgs_route *route);

/* Is this a service's key that the maps know, not one of its policy's? */
bool state_is_spec_key(const char *key);

/* The keys of a service that belong to its policy, or those that do not; owned by the caller. */
json_t *state_keys(json_t *service, bool of_policy);

/* The policy of a service as it was declared, whatever the maps say of failover. */
int state_declared_policy(const struct state *state, const char *service, struct policy *policy,
			  struct failure *failure);

/* Failover as the maps have it, and otherwise as the policy says. */
enum failover_mode state_failover(enum failover_mode wanted, const struct bgs_flags *flags);

#endif
