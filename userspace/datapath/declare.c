/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adding and removing services: changes of several maps. The entry in
 * `services` comes last and goes first, so that lookups see a whole service or
 * none; the mark in `settings` tells the next command to clear away what a
 * killed one left.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "datapath/listeners.h"
#include "datapath/map.h"
#include "datapath/preview.h"
#include "datapath/services.h"

#define NEXT_ROOT "run 'bgswitch status' and try again"

static int read_settings(const struct datapath *datapath, struct bgs_settings *settings)
{
	__u32 zero = 0;

	return map_get(datapath->fds[PIN_SETTINGS], &zero, settings);
}

static int write_settings(const struct datapath *datapath, const struct bgs_settings *settings)
{
	__u32 zero = 0;

	return map_put(datapath->fds[PIN_SETTINGS], &zero, settings);
}

static int mark_changing(const struct datapath *datapath, bool changing)
{
	struct bgs_settings settings;
	int err = read_settings(datapath, &settings);

	if (err)
		return err;
	settings.changing = changing;
	return write_settings(datapath, &settings);
}

static int take_serial(const struct datapath *datapath, __u64 *serial)
{
	struct bgs_settings settings;
	int err = read_settings(datapath, &settings);

	if (err)
		return err;
	*serial = settings.next_serial++;
	return write_settings(datapath, &settings);
}

/* The keys of `backends` under which listeners find this instance: one, or one a family. */
static size_t backend_keys(const struct endpoint *instance, struct bgs_endpoint keys[BGS_FAMILIES])
{
	if (!instance->any_family) {
		keys[0] = instance->key;
		return 1;
	}
	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++)
		keys[family] = endpoint_wildcard(&instance->key, family);
	return BGS_FAMILIES;
}

static bool is_specific(const struct endpoint *instance)
{
	return !instance->any_family && !endpoint_is_wildcard(&instance->key);
}

static struct bgs_endpoint covered_key(const struct bgs_endpoint *address)
{
	struct bgs_endpoint key =
		endpoint_wildcard(address, endpoint_is_v4(address) ? BGS_V4 : BGS_V6);

	key.kind = BGS_COVERED;
	return key;
}

static int add_instance(const struct datapath *datapath, __u32 number,
			const struct endpoint *instance)
{
	struct bgs_instance value = { .address = instance->key,
				      .any_family = instance->any_family };
	struct bgs_endpoint keys[BGS_FAMILIES];
	size_t count = backend_keys(instance, keys);
	int err = take_serial(datapath, &value.serial);

	if (!err)
		err = map_add(datapath->fds[PIN_INSTANCES], &number, &value);
	for (size_t i = 0; i < count && !err; i++)
		err = map_add(datapath->fds[PIN_BACKENDS], &keys[i], &number);
	if (!err && is_specific(instance)) {
		const struct bgs_endpoint covered = covered_key(&instance->key);

		err = map_add(datapath->fds[PIN_BACKENDS], &covered, &number);
		if (err == -EEXIST) /* another instance on this port is the first one */
			err = 0;
	}
	return err;
}

static int name_owner(const struct datapath *datapath, __u32 slot, char name[BGS_NAME_SIZE])
{
	struct bgs_service owner;
	int err = map_get(datapath->fds[PIN_SERVICES], &slot, &owner);

	snprintf(name, BGS_NAME_SIZE, "%s", err ? "?" : owner.name);
	return err;
}

static int check_listen(const struct datapath *datapath, const struct service_spec *spec,
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
		if (!map_get(datapath->fds[PIN_BACKENDS], &spec->listen[i], &number)) {
			name_owner(datapath, BGS_INSTANCE_SLOT(number), name);
			return failure_set(failure, EXIT_USAGE, "choose another address or port",
					   "--listen %s: %s of service %s listens there",
					   endpoint_format(text, &spec->listen[i], false),
					   color_name(BGS_INSTANCE_COLOR(number)), name);
		}
		if (map_get(datapath->fds[PIN_LISTEN], &spec->listen[i], &slot))
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
			      const struct bgs_endpoint *key)
{
	__u32 slot;

	for (size_t i = 0; i < spec->listen_count; i++) {
		if (!memcmp(&spec->listen[i], key, sizeof(*key)))
			return true;
	}
	return !map_get(datapath->fds[PIN_LISTEN], key, &slot);
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
			count = backend_keys(other, keys);
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
			  const struct endpoint *instance, enum bgs_color color,
			  struct failure *failure)
{
	char text[ENDPOINT_TEXT], name[BGS_NAME_SIZE];
	struct bgs_endpoint keys[BGS_FAMILIES];
	size_t count = backend_keys(instance, keys);

	endpoint_format(text, &instance->key, instance->any_family);
	for (size_t i = 0; i < count; i++) {
		enum bgs_color other;
		__u32 number;

		if (is_listen_address(datapath, spec, &keys[i]))
			return failure_set(failure, EXIT_USAGE,
					   "give the instance a port of its own",
					   "--%s %s: a service listens on that address",
					   color_name(color), text);
		if (declared_before(spec, instance, &keys[i], &other))
			return failure_set(failure, EXIT_USAGE, "give each instance its own",
					   "--%s %s: already an instance of %s", color_name(color),
					   text, color_name(other));
		if (map_get(datapath->fds[PIN_BACKENDS], &keys[i], &number))
			continue;
		name_owner(datapath, BGS_INSTANCE_SLOT(number), name);
		return failure_set(failure, EXIT_USAGE, "give each instance its own",
				   "--%s %s: already %s of service %s", color_name(color), text,
				   color_name(BGS_INSTANCE_COLOR(number)), name);
	}
	return 0;
}

static int check_spec(const struct datapath *datapath, const struct service_spec *spec,
		      struct failure *failure)
{
	struct failure unused;
	struct bgs_service existing;
	__u32 slot;

	if (service_name_check(spec->name, failure))
		return -1;
	if (!service_find(datapath, spec->name, &slot, &existing, &unused))
		return failure_set(failure, EXIT_USAGE,
				   "choose another name, or 'bgswitch service rm' it first",
				   "service %s exists already", spec->name);
	if (check_listen(datapath, spec, failure))
		return -1;
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		for (size_t i = 0; i < spec->colors[color].count; i++) {
			if (check_instance(datapath, spec, &spec->colors[color].instances[i], color,
					   failure))
				return -1;
		}
	}
	return 0;
}

static int free_slot(const struct datapath *datapath, __u32 *slot, struct failure *failure)
{
	struct bgs_service value;

	for (*slot = 0; *slot < BGS_MAX_SERVICES; (*slot)++) {
		if (map_get(datapath->fds[PIN_SERVICES], slot, &value) == -ENOENT)
			return 0;
	}
	return failure_set(failure, EXIT_USAGE, "remove one first",
			   "there are %d services already, and no room for more", BGS_MAX_SERVICES);
}

static bool exists(const struct datapath *datapath, __u32 slot)
{
	struct bgs_service value;

	return !map_get(datapath->fds[PIN_SERVICES], &slot, &value);
}

struct port_use {
	const struct datapath *datapath;
	__be16 port;
};

/* A visit of `listen`: is this a specific address on the port, of a service that stays? */
static int is_exact(const void *key, const void *value, void *data)
{
	const struct bgs_endpoint *listen = key;
	const struct port_use *use = data;
	const __u32 *slot = value;

	return listen->port == use->port && !endpoint_is_wildcard(listen) &&
	       exists(use->datapath, *slot);
}

static bool port_has_exact(const struct datapath *datapath, __be16 port)
{
	struct port_use use = { .datapath = datapath, .port = port };

	return map_each(datapath->fds[PIN_LISTEN], sizeof(struct bgs_endpoint), sizeof(__u32),
			is_exact, &use);
}

/* Keeps `ports` in step with `listen`, in which `key` was just added or is to be removed. */
static int port_index(const struct datapath *datapath, const struct bgs_endpoint *key, __u32 slot,
		      bool add)
{
	__u32 number = ntohs(key->port);
	struct bgs_port port;
	int err = map_get(datapath->fds[PIN_PORTS], &number, &port);

	if (err)
		return err;
	if (endpoint_is_wildcard(key))
		port.wildcard[endpoint_is_v4(key) ? BGS_V4 : BGS_V6] = add ? slot + 1 : 0;
	else /* never off while another service needs it, not even for a moment */
		port.exact = add || port_has_exact(datapath, key->port);
	return map_put(datapath->fds[PIN_PORTS], &number, &port);
}

/* Slots are used again: what the kernel side noted for the last owner must not show. */
static int clear_slot(const struct datapath *datapath, __u32 slot)
{
	const struct bgs_rotation nothing_ready = {};
	int err = service_counters_clear(datapath, slot);

	return err ? err : map_put(datapath->fds[PIN_ROTATION], &slot, &nothing_ready);
}

static int write_service(const struct datapath *datapath, __u32 slot,
			 const struct service_spec *spec)
{
	struct bgs_service value = { .flags = spec->flags };
	int err = clear_slot(datapath, slot);

	memcpy(value.name, spec->name, sizeof(value.name));
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		const struct color_spec *instances = &spec->colors[color];

		for (size_t i = 0; i < instances->count && !err; i++) {
			value.enabled[color] |= 1ULL << i;
			err = add_instance(datapath, BGS_INSTANCE(slot, color, i),
					   &instances->instances[i]);
		}
	}
	if (!err) /* before the first lookup finds the service */
		err = listeners_adopt(datapath);
	for (size_t i = 0; i < spec->listen_count && !err; i++) {
		err = map_add(datapath->fds[PIN_LISTEN], &spec->listen[i], &slot);
		if (!err)
			err = port_index(datapath, &spec->listen[i], slot, true);
	}
	return err ? err : map_add(datapath->fds[PIN_SERVICES], &slot, &value);
}

int service_add(const struct datapath *datapath, const struct service_spec *spec,
		struct failure *failure)
{
	struct failure unused;
	__u32 slot;
	int err;

	if (check_spec(datapath, spec, failure) || free_slot(datapath, &slot, failure))
		return -1;
	err = mark_changing(datapath, true);
	if (!err)
		err = write_service(datapath, slot, spec);
	if (err) {
		services_repair(datapath, &unused);
		return failure_errno(failure, -err, NEXT_ROOT, "cannot add service %s", spec->name);
	}
	mark_changing(datapath, false);
	return 0;
}

int service_remove(const struct datapath *datapath, __u32 slot, struct failure *failure)
{
	int err = mark_changing(datapath, true);

	if (!err)
		err = map_delete(datapath->fds[PIN_SERVICES], &slot); /* from here on it is gone */
	if (err)
		return failure_errno(failure, -err, NEXT_ROOT, "cannot remove the service");
	map_wait_for_lookups(); /* those that found the service still need its listeners */
	return services_repair(datapath, failure);
}

static int repair_listen(const void *key, const void *value, void *data)
{
	const struct datapath *datapath = data;
	const __u32 *slot = value;
	int err;

	if (exists(datapath, *slot))
		return 0;
	err = port_index(datapath, key, *slot, false);
	return err ? err : map_delete(datapath->fds[PIN_LISTEN], key);
}

static int delete_sockets(const struct datapath *datapath, __u32 number)
{
	int err = 0;

	for (enum bgs_family family = 0; family < BGS_FAMILIES && !err; family++) {
		const __u32 key = BGS_SOCKET(number, family);

		err = map_delete(datapath->fds[PIN_SOCKETS], &key);
		if (err == -EINVAL) /* how SOCKMAP says that the place is empty */
			err = 0;
	}
	for (__u32 k = 0; k < BGS_MAX_SIBLINGS && !err; k++) {
		const struct bgs_sibling_key key = { .instance = number, .sibling = k };

		err = map_delete(datapath->fds[PIN_SIBLINGS], &key);
	}
	return err;
}

static int repair_instance(const void *key, const void *value, void *data)
{
	const struct datapath *datapath = data;
	__u32 number;
	int err;

	(void)value;
	memcpy(&number, key, sizeof(number));
	if (exists(datapath, BGS_INSTANCE_SLOT(number)))
		return 0;
	/* The instance first: nothing can register for it after that. */
	err = map_delete(datapath->fds[PIN_INSTANCES], &number);
	return err ? err : delete_sockets(datapath, number);
}

static int repair_backend(const void *key, const void *value, void *data)
{
	const struct datapath *datapath = data;
	const __u32 *number = value;

	return exists(datapath, BGS_INSTANCE_SLOT(*number))
		       ? 0
		       : map_delete(datapath->fds[PIN_BACKENDS], key);
}

/* A port whose first specific instance went away gets another one. */
static int restore_covered(const void *key, const void *value, void *data)
{
	const struct bgs_instance *instance = value;
	const struct datapath *datapath = data;
	const struct endpoint endpoint = { .key = instance->address,
					   .any_family = instance->any_family };
	struct bgs_endpoint covered;
	int err;

	if (!is_specific(&endpoint))
		return 0;
	covered = covered_key(&endpoint.key);
	err = map_add(datapath->fds[PIN_BACKENDS], &covered, key);
	return err == -EEXIST ? 0 : err;
}

int services_repair(const struct datapath *datapath, struct failure *failure)
{
	struct datapath *data = (struct datapath *)datapath;
	struct bgs_settings settings;
	int err = read_settings(datapath, &settings);

	if (!err && !settings.changing)
		return 0;
	if (!err)
		err = map_each(datapath->fds[PIN_LISTEN], sizeof(struct bgs_endpoint),
			       sizeof(__u32), repair_listen, data);
	if (!err)
		err = map_each(datapath->fds[PIN_INSTANCES], sizeof(__u32),
			       sizeof(struct bgs_instance), repair_instance, data);
	if (!err)
		err = map_each(datapath->fds[PIN_BACKENDS], sizeof(struct bgs_endpoint),
			       sizeof(__u32), repair_backend, data);
	if (!err)
		err = map_each(datapath->fds[PIN_INSTANCES], sizeof(__u32),
			       sizeof(struct bgs_instance), restore_covered, data);
	if (!err)
		err = previews_repair(datapath);
	if (!err)
		err = mark_changing(datapath, false);
	return err ? failure_errno(failure, -err, NEXT_ROOT, "cannot clear away a removed service")
		   : 0;
}
