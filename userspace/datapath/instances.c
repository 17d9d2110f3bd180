/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/instances.h"

#include <errno.h>
#include <string.h>

#include "datapath/changing.h"
#include "datapath/connections.h"
#include "datapath/map.h"
#include "datapath/services.h"

size_t instance_keys(const struct endpoint *instance, struct bgs_endpoint keys[BGS_FAMILIES])
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

bool instance_equal(const struct endpoint *left, const struct endpoint *right)
{
	return left->any_family == right->any_family &&
	       !memcmp(&left->key, &right->key, sizeof(left->key));
}

int instance_add(const struct datapath *datapath, __u32 number, const struct endpoint *instance)
{
	struct bgs_instance value = { .address = instance->key,
				      .any_family = instance->any_family };
	struct bgs_endpoint keys[BGS_FAMILIES];
	size_t count = instance_keys(instance, keys);
	int err = changing_take_serial(datapath, &value.serial);

	if (!err) /* first: whatever its listeners accept is counted */
		err = connections_declare(datapath, number, value.serial);
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

static int forget_instance(const struct datapath *datapath, __u32 number)
{
	int err = connections_forget(datapath, number);

	return err ? err : delete_sockets(datapath, number);
}

static bool has_service(const struct datapath *datapath, __u32 number)
{
	__u32 slot = BGS_INSTANCE_SLOT(number);
	struct bgs_service service;

	return !map_get(datapath->fds[PIN_SERVICES], &slot, &service);
}

static bool exists(const struct datapath *datapath, __u32 number)
{
	struct bgs_instance instance;

	return !map_get(datapath->fds[PIN_INSTANCES], &number, &instance);
}

static int repair_instance(const void *key, const void *value, void *data)
{
	const struct datapath *datapath = data;
	__u32 number;
	int err;

	(void)value;
	memcpy(&number, key, sizeof(number));
	if (has_service(datapath, number))
		return 0;
	/* The instance first: nothing can register for it after that. */
	err = map_delete(datapath->fds[PIN_INSTANCES], &number);
	return err ? err : forget_instance(datapath, number);
}

static int repair_backend(const void *key, const void *value, void *data)
{
	const struct datapath *datapath = data;
	const __u32 *number = value;

	return exists(datapath, *number) ? 0 : map_delete(datapath->fds[PIN_BACKENDS], key);
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

/* After instances are gone: the entries that pointed to them. */
static int repair_backends(const struct datapath *datapath)
{
	struct datapath *data = (struct datapath *)datapath;
	int err = map_each(datapath->fds[PIN_BACKENDS], sizeof(struct bgs_endpoint), sizeof(__u32),
			   repair_backend, data);

	return err ? err
		   : map_each(datapath->fds[PIN_INSTANCES], sizeof(__u32),
			      sizeof(struct bgs_instance), restore_covered, data);
}

int instances_repair(const struct datapath *datapath)
{
	int err = map_each(datapath->fds[PIN_INSTANCES], sizeof(__u32), sizeof(struct bgs_instance),
			   repair_instance, (struct datapath *)datapath);

	return err ? err : repair_backends(datapath);
}

/* Calls `remove` for each of the places. */
static int each_place(const struct datapath *datapath, __u32 slot, const __u64 places[BGS_COLORS],
		      int (*remove)(const struct datapath *datapath, __u32 number))
{
	int err = 0;

	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		for (__u32 place = 0; place < BGS_MAX_INSTANCES && !err; place++) {
			if (places[color] >> place & 1)
				err = remove(datapath, BGS_INSTANCE(slot, color, place));
		}
	}
	return err;
}

static int delete_instance(const struct datapath *datapath, __u32 number)
{
	return map_delete(datapath->fds[PIN_INSTANCES], &number);
}

int instances_remove(const struct datapath *datapath, __u32 slot, const __u64 places[BGS_COLORS])
{
	int err;

	map_wait_for_lookups(); /* those that chose one of them still need its listeners */
	err = each_place(datapath, slot, places, delete_instance);
	map_wait_for_lookups(); /* a listener that found its instance before registers until here */
	if (!err)
		err = each_place(datapath, slot, places, forget_instance);
	for (enum bgs_color color = 0; color < BGS_COLORS && !err; color++)
		err = service_retire(datapath, slot, color, places[color]);
	return err ? err : repair_backends(datapath);
}
