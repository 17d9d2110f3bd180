/* SPDX-License-Identifier: GPL-2.0-only */
/* The state as values: see state_file.c for the file, state_capture.c for the maps,
 * state_operation.c for what is under way. */
#include "record/state.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/state_file.h"
#include "record/state_parts.h"

json_t *state_part(const struct state *state, const char *part)
{
	return json_object_get(state->root, part);
}

json_t *state_of_service(const struct state *state, const char *part, const char *service)
{
	return json_object_get(state_part(state, part), service);
}

void state_put(struct state *state, const char *part, const char *service, json_t *value)
{
	json_t *object = state_part(state, part);

	if (!value) {
		json_object_del(object, service);
		return;
	}
	if (!object) {
		object = json_object();
		json_object_set_new(state->root, part, object);
	}
	json_object_set_new(object, service, value);
}

/* Parts by service hold objects, `previous` names of colors. */
static bool is_whole(const json_t *root)
{
	static const struct {
		const char *part;
		json_type type;
	} parts[] = {
		{ "services", JSON_OBJECT },   { "routes", JSON_OBJECT },
		{ "operations", JSON_OBJECT }, { "previous", JSON_STRING },
		{ "stops", JSON_OBJECT },
	};
	const json_t *attach = json_object_get(root, "attach");

	if (attach && !json_is_array(attach))
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		json_t *part = json_object_get(root, parts[i].part), *value;
		const char *service;

		if (part && !json_is_object(part))
			return false;
		json_object_foreach(part, service, value)
		{
			if (json_typeof(value) != parts[i].type)
				return false;
		}
	}
	return true;
}

int state_open(struct state **result, const char *directory, const char *name, char **warning,
	       struct failure *failure)
{
	struct state *state = calloc(1, sizeof(*state));

	*warning = NULL;
	if (state) {
		state->directory = strdup(directory);
		state->name = strdup(name);
	}
	if (!state || !state->directory || !state->name) {
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		goto fail;
	}
	if (state_file_load(&state->root, directory, name, is_whole, warning, failure))
		goto fail;
	if (!state_is_of_this_boot(state))
		json_object_del(state->root, "stops");
	*result = state;
	return 0;
fail:
	state_close(state);
	return -1;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	json_decref(state->root);
	free(state->directory);
	free(state->name);
	free(state);
}

int state_save(struct state *state, struct failure *failure)
{
	return state_file_save(state->root, state->directory, state->name, failure);
}

bool state_is_of_this_boot(const struct state *state)
{
	return state_file_is_of_this_boot(state->root);
}

enum failover_mode state_failover(enum failover_mode wanted, const struct bgs_flags *flags)
{
	if (!flags->failover)
		return FAILOVER_OFF;
	return wanted == FAILOVER_OFF ? FAILOVER_AUTO : wanted;
}

bool state_is_spec_key(const char *key)
{
	static const char *const keys[] = { "listen", "blue", "green", "on_empty", "affinity" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!strcmp(key, keys[i]))
			return true;
	}
	return false;
}

json_t *state_keys(json_t *service, bool of_policy)
{
	json_t *kept = json_object(), *value;
	const char *key;

	json_object_foreach(service, key, value)
	{
		if (state_is_spec_key(key) != of_policy)
			json_object_set(kept, key, value);
	}
	return kept;
}

int state_declared_policy(const struct state *state, const char *service, struct policy *policy,
			  struct failure *failure)
{
	json_t *kept = state_keys(state_of_service(state, "services", service), true);
	char name[NAME_MAX + BGS_NAME_SIZE + 16];
	int err;

	snprintf(name, sizeof(name), "%s: service %s", state->name, service);
	err = policy_from_json(policy, kept, name, failure);
	json_decref(kept);
	return err;
}

int state_policy(const struct state *state, const char *service, const struct bgs_flags *flags,
		 struct policy *policy, struct failure *failure)
{
	if (state_declared_policy(state, service, policy, failure))
		return -1;
	policy->failover = state_failover(policy->failover, flags);
	return 0;
}

void state_set_policy(struct state *state, const char *service, const struct policy *policy)
{
	json_t *value = state_keys(state_of_service(state, "services", service), false);
	json_t *object = policy_json(policy);

	json_object_update(value, object);
	json_decref(object);
	state_put(state, "services", service, value);
}

json_t *state_route_json(struct bgs_route route, bool previews)
{
	return json_pack("{s:s, s:i, s:b}", "active", color_name(route.active), "split_bp",
			 (int)route.split_bp, "previews", previews);
}

bool state_read_route(const json_t *object, struct bgs_route *route)
{
	const char *active = json_string_value(json_object_get(object, "active"));
	json_int_t split_bp = json_integer_value(json_object_get(object, "split_bp"));
	int color = active ? color_parse(active) : -1;

	if (color < 0 || split_bp < 0 || split_bp > BGS_SPLIT_MAX)
		return false;
	*route = (struct bgs_route){ .active = color, .split_bp = split_bp };
	return true;
}

bool state_route(const struct state *state, const char *service, struct bgs_route *route)
{
	return state_read_route(state_of_service(state, "routes", service), route);
}

int state_previous(const struct state *state, const char *service)
{
	const char *color = json_string_value(state_of_service(state, "previous", service));

	return color ? color_parse(color) : -1;
}

void state_set_previous(struct state *state, const char *service, int color)
{
	state_put(state, "previous", service, color < 0 ? NULL : json_string(color_name(color)));
}
