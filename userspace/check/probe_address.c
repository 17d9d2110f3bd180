/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an instance is reached. */
#include <string.h>

#include "check/probe.h"

static struct probe_address v4(in_port_t port, in_addr_t address)
{
	return (struct probe_address){
		.v4 = { .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = address },
		.length = sizeof(struct sockaddr_in),
	};
}

static struct probe_address v6(in_port_t port, const void *address)
{
	struct probe_address result = {
		.v6 = { .sin6_family = AF_INET6, .sin6_port = port },
		.length = sizeof(struct sockaddr_in6),
	};

	memcpy(&result.v6.sin6_addr, address, sizeof(result.v6.sin6_addr));
	return result;
}

/* A wildcard names no place to go to: loopback of its family does. */
void probe_find_addresses(struct probe *probe, const struct endpoint *instance)
{
	const in_addr_t loopback = htonl(INADDR_LOOPBACK);
	const struct bgs_endpoint *key = &instance->key;
	const bool wildcard = endpoint_is_wildcard(key);

	probe->address_count = 1;
	if (instance->any_family) {
		probe->addresses[0] = v4(key->port, loopback);
		probe->addresses[1] = v6(key->port, &in6addr_loopback);
		probe->address_count = 2;
	} else if (endpoint_is_v4(key)) {
		probe->addresses[0] = v4(key->port, wildcard ? loopback : key->address[3]);
	} else {
		probe->addresses[0] =
			v6(key->port, wildcard ? (const void *)&in6addr_loopback : key->address);
	}
}

static struct bgs_endpoint key_of(const struct probe_address *address)
{
	struct bgs_endpoint key = { .protocol = IPPROTO_TCP, .port = address->v4.sin_port };

	if (address->any.sa_family == AF_INET) {
		key.address[2] = htonl(0xffff);
		key.address[3] = address->v4.sin_addr.s_addr;
	} else {
		memcpy(key.address, &address->v6.sin6_addr, sizeof(key.address));
	}
	return key;
}

const char *probe_address_text(const struct probe *probe, char text[ENDPOINT_TEXT])
{
	const struct bgs_endpoint key = key_of(&probe->addresses[probe->address_now]);

	return endpoint_format(text, &key, false);
}

bool probe_next_address(struct probe *probe)
{
	if (probe->address_now + 1 >= probe->address_count)
		return false;
	probe->address_now++;
	return true;
}
