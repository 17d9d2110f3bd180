/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/listen.h"

#include <arpa/inet.h>
#include <string.h>

#include "datapath/map.h"
#include "endpoint.h"

static bool exists(const struct datapath *datapath, __u32 slot)
{
	struct bgs_service value;

	return !map_get(datapath->fds[PIN_SERVICES], &slot, &value);
}

struct port_use {
	const struct datapath *datapath;
	const struct bgs_endpoint *except;
};

/* A visit of `listen`: is this another specific address on the port, of a service that stays? */
static int is_exact(const void *key, const void *value, void *data)
{
	const struct bgs_endpoint *listen = key;
	const struct port_use *use = data;
	const __u32 *slot = value;

	return listen->port == use->except->port && !endpoint_is_wildcard(listen) &&
	       memcmp(listen, use->except, sizeof(*listen)) && exists(use->datapath, *slot);
}

static bool port_has_exact(const struct datapath *datapath, const struct bgs_endpoint *except)
{
	struct port_use use = { .datapath = datapath, .except = except };

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
		port.exact = add || port_has_exact(datapath, key);
	return map_put(datapath->fds[PIN_PORTS], &number, &port);
}

int listen_add(const struct datapath *datapath, const struct bgs_endpoint *address, __u32 slot)
{
	int err = map_add(datapath->fds[PIN_LISTEN], address, &slot);

	return err ? err : port_index(datapath, address, slot, true);
}

int listen_remove(const struct datapath *datapath, const struct bgs_endpoint *address, __u32 slot)
{
	int err = port_index(datapath, address, slot, false);

	return err ? err : map_delete(datapath->fds[PIN_LISTEN], address);
}

static int repair_listen(const void *key, const void *value, void *data)
{
	const struct datapath *datapath = data;
	const __u32 *slot = value;

	return exists(datapath, *slot) ? port_index(datapath, key, *slot, true)
				       : listen_remove(datapath, key, *slot);
}

int listen_repair(const struct datapath *datapath)
{
	return map_each(datapath->fds[PIN_LISTEN], sizeof(struct bgs_endpoint), sizeof(__u32),
			repair_listen, (struct datapath *)datapath);
}
