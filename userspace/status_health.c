/* SPDX-License-Identifier: GPL-2.0-only */
#include "status_health.h"

#include <string.h>

/* Keys that are taken over as they are, where the agent has them. */
static const char *const service_keys[] = { "state",	"alarm",	 "operation",
					    "previous", "service_check", NULL };
static const char *const color_keys[] = { "role", "health", "stop", NULL };
static const char *const instance_keys[] = { "health", "last_check", "last_failure", NULL };

static void take(json_t *object, const json_t *from, const char *const *keys)
{
	for (; *keys; keys++) {
		json_t *value = json_object_get(from, *keys);

		if (value)
			json_object_set(object, *keys, value);
	}
}

static const json_t *find_instance(const json_t *instances, const json_t *address)
{
	const json_t *instance;
	size_t i;

	json_array_foreach(instances, i, instance)
	{
		if (json_equal(json_object_get(instance, "address"), address))
			return instance;
	}
	return NULL;
}

static void add_color(json_t *color, const json_t *health)
{
	const json_t *checked = json_object_get(health, "instances");
	json_t *instance;
	size_t i;

	take(color, health, color_keys);
	json_array_foreach(json_object_get(color, "instances"), i, instance)
		take(instance, find_instance(checked, json_object_get(instance, "address")),
		     instance_keys);
}

static void add_service(json_t *service, const json_t *health)
{
	const json_t *colors = json_object_get(health, "colors");
	json_t *color;
	const char *name;

	take(service, health, service_keys);
	json_object_foreach(json_object_get(service, "colors"), name, color)
		add_color(color, json_object_get(colors, name));
}

void status_add_health(json_t *status, pid_t agent, const json_t *health)
{
	json_t *service;
	size_t i;

	if (agent)
		json_object_set_new(status, "agent",
				    json_pack("{s:b, s:i}", "running", 1, "pid", (int)agent));
	json_array_foreach(json_object_get(status, "services"), i, service)
	{
		const char *name = json_string_value(json_object_get(service, "name"));
		const json_t *known = name ? json_object_get(health, name) : NULL;

		if (known)
			add_service(service, known);
	}
}

static void warn_of_instances(json_t *warnings, const json_t *service, const char *color)
{
	const json_t *colors = json_object_get(service, "colors"), *instance;
	const char *name = json_string_value(json_object_get(service, "name"));
	size_t i;

	json_array_foreach(json_object_get(json_object_get(colors, color), "instances"), i,
			   instance)
	{
		if (!json_is_false(json_object_get(instance, "in_rotation")))
			continue;
		json_array_append_new(
			warnings,
			json_sprintf("%s: %s instance %s is out of rotation since its checks "
				     "failed, and no agent is there to bring it back; start one",
				     name, color,
				     json_string_value(json_object_get(instance, "address"))));
	}
}

void status_warn_of_rotation(json_t *status)
{
	json_t *warnings = json_object_get(status, "warnings");
	const json_t *service;
	json_t *color;
	const char *name;
	size_t i;

	json_array_foreach(json_object_get(status, "services"), i, service)
	{
		json_object_foreach(json_object_get(service, "colors"), name, color)
			warn_of_instances(warnings, service, name);
	}
}
