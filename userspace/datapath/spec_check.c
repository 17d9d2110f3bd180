/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/spec_check.h"

#include <stdio.h>
#include <string.h>

#include "datapath/instances.h"
#include "datapath/map.h"

static int name_owner(const struct datapath *datapath, __u32 slot, char name[BGS_NAME_SIZE])
{
	struct bgs_service owner;
	int err = map_get(datapath->fds[PIN_SERVICES], &slot, &owner);

	snprintf(name, BGS_NAME_SIZE, "%s", err ? "?" : owner.name);
	return err;
}

/* Whose address is it in this map, if another service's than `slot`? */
static bool is_of_another(const struct datapath *datapath, enum pin pin,
			  const struct bgs_endpoint *key, __u32 slot, __u32 *owner)
{
	__u32 of;

	if (map_get(datapath->fds[pin], key, owner))
		return false;
	of = pin == PIN_BACKENDS ? BGS_INSTANCE_SLOT(*owner) : *owner;
	return of != slot;
}

static int check_listen(const struct datapath *datapath, const struct service_spec *spec, __u32 own,
			struct failure *failure)
{
	char text[ENDPOINT_TEXT], name[BGS_NAME_SIZE];

	for (size_t i = 0; i < spec->listen_count; i++) {
		__u32 slot, number;

		for (size_t k = 0; k < i; k++) {
			if (!memcmp(&spec->listen[i], &spec->listen[k], sizeof(spec->listen[i])))
				return failure_set(failure, EXIT_USAGE, "name it once",
						   "--listen %s is given twice",
						   endpoint_format(text, &spec->listen[i], false));
		}
		if (is_of_another(datapath, PIN_BACKENDS, &spec->listen[i], own, &number)) {
			name_owner(datapath, BGS_INSTANCE_SLOT(number), name);
			return failure_set(failure, EXIT_USAGE, "choose another address or port",
					   "--listen %s: %s of service %s listens there",
					   endpoint_format(text, &spec->listen[i], false),
					   color_name(BGS_INSTANCE_COLOR(number)), name);
		}
		if (!is_of_another(datapath, PIN_LISTEN, &spec->listen[i], own, &slot))
			continue;
		name_owner(datapath, slot, name);
		return failure_set(failure, EXIT_USAGE, "choose another, or remove that service",
				   "%s is taken by service %s",
				   endpoint_format(text, &spec->listen[i], false), name);
	}
	return 0;
}

/* Is this address one that the service, or another one, listens on? */
static bool is_listen_address(const struct datapath *datapath, const struct service_spec *spec,
			      __u32 own, const struct bgs_endpoint *key)
{
	__u32 slot;

	for (size_t i = 0; i < spec->listen_count; i++) {
		if (!memcmp(&spec->listen[i], key, sizeof(*key)))
			return true;
	}
	return is_of_another(datapath, PIN_LISTEN, key, own, &slot);
}

static bool declared_before(const struct service_spec *spec, const struct endpoint *until,
			    const struct bgs_endpoint *key, enum bgs_color *where)
{
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		for (size_t i = 0; i < spec->colors[color].count; i++) {
			const struct endpoint *other = &spec->colors[color].instances[i];
			struct bgs_endpoint keys[BGS_FAMILIES];
			size_t count;

			if (other == until)
				return false;
			count = instance_keys(other, keys);
			for (size_t k = 0; k < count; k++) {
				if (!memcmp(&keys[k], key, sizeof(*key))) {
					*where = color;
					return true;
				}
			}
		}
	}
	return false;
}

/* A listener belongs to one instance, so an address may be declared once. */
static int check_instance(const struct datapath *datapath, const struct service_spec *spec,
			  __u32 own, const struct endpoint *instance, enum bgs_color color,
			  struct failure *failure)
{
	char text[ENDPOINT_TEXT], name[BGS_NAME_SIZE];
	struct bgs_endpoint keys[BGS_FAMILIES];
	size_t count = instance_keys(instance, keys);

	endpoint_format(text, &instance->key, instance->any_family);
	for (size_t i = 0; i < count; i++) {
		enum bgs_color other;
		__u32 number;

		if (is_listen_address(datapath, spec, own, &keys[i]))
			return failure_set(failure, EXIT_USAGE,
					   "give the instance a port of its own",
					   "--%s %s: a service listens on that address",
					   color_name(color), text);
		if (declared_before(spec, instance, &keys[i], &other))
			return failure_set(failure, EXIT_USAGE, "give each instance its own",
					   "--%s %s: already an instance of %s", color_name(color),
					   text, color_name(other));
		if (!is_of_another(datapath, PIN_BACKENDS, &keys[i], own, &number))
			continue;
		name_owner(datapath, BGS_INSTANCE_SLOT(number), name);
		return failure_set(failure, EXIT_USAGE, "give each instance its own",
				   "--%s %s: already %s of service %s", color_name(color), text,
				   color_name(BGS_INSTANCE_COLOR(number)), name);
	}
	return 0;
}

int spec_check(const struct datapath *datapath, const struct service_spec *spec, __u32 own,
	       struct failure *failure)
{
	if (check_listen(datapath, spec, own, failure))
		return -1;
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		const struct color_spec *instances = &spec->colors[color];

		for (size_t i = 0; i < instances->count; i++) {
			if (color_has(instances, i) &&
			    check_instance(datapath, spec, own, &instances->instances[i], color,
					   failure))
				return -1;
		}
	}
	return 0;
}
