/* SPDX-License-Identifier: GPL-2.0-only */
/* From the maps into the state, and back for the next boot. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/state_parts.h"

/* What the maps say of a service, as the configuration file would have it. */
static json_t *spec_json(const struct service_spec *spec)
{
	struct config_service declared = { .spec = *spec };
	json_t *whole, *value;
	const char *key;
	void *next;

	policy_init(&declared.policy);
	whole = config_service_json(&declared);
	policy_free(&declared.policy);
	json_object_foreach_safe(whole, next, key, value)
	{
		if (!state_is_spec_key(key))
			json_object_del(whole, key);
	}
	return whole;
}

static void put_failover(json_t *service, const struct bgs_flags *flags)
{
	const char *text = json_string_value(json_object_get(service, "failover"));
	int wanted = text ? failover_parse(text) : FAILOVER_AUTO;
	enum failover_mode mode = state_failover(wanted < 0 ? FAILOVER_AUTO : wanted, flags);

	json_object_set_new(service, "failover", json_string(failover_name(mode)));
}

/* The maps' words, and what else was known of this service: its policy. */
static json_t *merge(json_t *before, const struct service_spec *spec)
{
	json_t *service = spec_json(spec), *value;
	const char *key;

	json_object_foreach(before, key, value)
	{
		if (!state_is_spec_key(key))
			json_object_set(service, key, value);
	}
	if (service)
		put_failover(service, &spec->flags);
	return service;
}

static json_t *attach_json(const struct datapath *datapath)
{
	struct interface_list *list = calloc(1, sizeof(*list));
	json_t *array;

	if (!list)
		return NULL;
	interfaces_list(datapath, list);
	array = json_array();
	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(list->items[i].name));
	free(list);
	return array;
}

/* What belongs to services that are gone goes with them. */
static void forget_others(json_t *part, const json_t *services)
{
	const char *service;
	json_t *value;
	void *next;

	json_object_foreach_safe(part, next, service, value)
	{
		if (!json_object_get(services, service))
			json_object_del(part, service);
	}
}

static int take_services(const struct state *state, const struct datapath *datapath,
			 json_t *services, json_t *routes, struct failure *failure)
{
	struct service *found = NULL;
	int count = services_read(datapath, &found, failure), err = count < 0 ? -1 : 0;

	for (int i = 0; i < count && !err; i++) {
		const char *name = found[i].spec.name;
		bool previews = found[i].spec.flags.has_preview;

		err = json_object_set_new(
			      services, name,
			      merge(state_of_service(state, "services", name), &found[i].spec)) |
		      json_object_set_new(routes, name, state_route_json(found[i].route, previews));
		if (err)
			failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	}
	free(found);
	return err;
}

int state_capture(struct state *state, const struct datapath *datapath, struct failure *failure)
{
	json_t *services = json_object(), *routes = json_object();
	json_t *attach = attach_json(datapath);

	if (!services || !routes || !attach) {
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		goto fail;
	}
	if (take_services(state, datapath, services, routes, failure))
		goto fail;
	forget_others(state_part(state, "operations"), services);
	forget_others(state_part(state, "previous"), services);
	forget_others(state_part(state, "stops"), services);
	json_object_set_new(state->root, "attach", attach);
	json_object_set_new(state->root, "services", services);
	json_object_set_new(state->root, "routes", routes);
	return 0;
fail:
	json_decref(services);
	json_decref(routes);
	json_decref(attach);
	return -1;
}

static void config_attach(const struct state *state, struct config *config)
{
	json_t *attach = state_part(state, "attach"), *name;
	size_t i;

	json_array_foreach(attach, i, name)
	{
		const char *text = json_string_value(name);

		if (text && *text && strlen(text) < BGS_IFNAME_SIZE &&
		    config->attach_count < BGS_MAX_INTERFACES)
			strcpy(config->attach[config->attach_count++], text);
	}
	config->has_attach = attach;
}

/* The addresses by the configuration's own reader; moved into `*to`. */
static int config_spec(const struct state *state, const char *name, json_t *service,
		       struct config_service *to, struct failure *failure)
{
	json_t *object = json_pack("{s:{s:o}}", "services", name, state_keys(service, false));
	char *text = json_dumps(object, 0), path[PATH_MAX];
	struct config *config = NULL;
	int err;

	snprintf(path, sizeof(path), "%s/%s", state->directory, state->name);
	if (text)
		err = config_parse(&config, text, strlen(text), path, failure);
	else
		err = failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	if (!err && config->service_count == 1) {
		*to = config->services[0];
		config->service_count = 0;
	}
	config_free(config);
	free(text);
	json_decref(object);
	return err;
}

static int config_one(const struct state *state, const char *name, json_t *service,
		      struct config_service *to, struct failure *failure)
{
	struct policy policy;

	if (state_declared_policy(state, name, &policy, failure))
		return -1;
	if (config_spec(state, name, service, to, failure)) {
		policy_free(&policy);
		return -1;
	}
	policy_free(&to->policy);
	to->policy = policy;
	to->spec.flags.failover = policy.failover != FAILOVER_OFF;
	return 0;
}

/*
 * One by one: all of them may be more than a configuration file can hold. Only
 * services that were in the maps have a route.
 */
static int config_services(const struct state *state, struct config *config,
			   struct failure *failure)
{
	json_t *services = state_part(state, "services"), *service;
	const char *name;

	config->services = calloc(json_object_size(services) + 1, sizeof(*config->services));
	if (!config->services)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	json_object_foreach(services, name, service)
	{
		if (!state_of_service(state, "routes", name))
			continue;
		if (config_one(state, name, service, &config->services[config->service_count],
			       failure))
			return -1;
		config->service_count++;
	}
	config->has_services = services;
	return 0;
}

int state_config(const struct state *state, struct config **result, struct failure *failure)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	config_attach(state, config);
	if (config_services(state, config, failure)) {
		config_free(config);
		return -1;
	}
	*result = config;
	return 0;
}
