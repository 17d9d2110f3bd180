/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A listener as a socket has it, and the instance it belongs to. Shared by the
 * two ways in: `register` (it starts to listen) and `adopt` (it already does).
 */
#ifndef BGSWITCH_LISTENER_BPF_H
#define BGSWITCH_LISTENER_BPF_H

#include <linux/errno.h>
#include <stdbool.h>

#include <linux/in.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#include "address.bpf.h"
#include "bits.bpf.h"
#include "kernel.bpf.h"
#include "maps.bpf.h"

struct listener {
	struct bgs_endpoint local;
	bool serves[BGS_FAMILIES];
};

static __always_inline void listener_read(struct listener *listener, const struct sock_common *sk)
{
	struct bgs_endpoint *local = &listener->local;

	__builtin_memset(listener, 0, sizeof(*listener));
	local->port = bpf_htons(sk->skc_num);
	local->protocol = IPPROTO_TCP;
	if (sk->skc_family == AF_INET) {
		address_from_v4(local->address, sk->skc_rcv_saddr);
		listener->serves[BGS_V4] = true;
		return;
	}
	local->address[0] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[0];
	local->address[1] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[1];
	local->address[2] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[2];
	local->address[3] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[3];
	if (address_is_mapped(local->address)) {
		listener->serves[BGS_V4] = true;
		return;
	}
	listener->serves[BGS_V6] = true;
	/* A wildcard without IPV6_V6ONLY takes IPv4 clients too. */
	listener->serves[BGS_V4] = address_is_any(local->address) &&
				   !BPF_CORE_READ_BITFIELD(sk, skc_ipv6only);
}

static __always_inline const __u32 *backend_any(const struct listener *listener,
						enum bgs_family family,
						enum bgs_endpoint_kind kind)
{
	struct bgs_endpoint key = listener->local;

	if (!listener->serves[family])
		return NULL;
	address_any(key.address, family);
	key.kind = kind;
	return bpf_map_lookup_elem(&backends, &key);
}

/*
 * The instance this listener serves, best match first: declared with just its
 * address; declared for any address; declared with a specific address that
 * this wildcard listener covers.
 */
static __always_inline const __u32 *listener_instance(const struct listener *listener)
{
	const __u32 *number = bpf_map_lookup_elem(&backends, &listener->local);

	if (!number)
		number = backend_any(listener, BGS_V4, BGS_DECLARED);
	if (!number)
		number = backend_any(listener, BGS_V6, BGS_DECLARED);
	if (number || !address_is_any(listener->local.address))
		return number;
	number = backend_any(listener, BGS_V4, BGS_COVERED);
	return number ? number : backend_any(listener, BGS_V6, BGS_COVERED);
}

/* Makes a listener that is in the map eligible, after it entered the map; see retire(). */
static __always_inline void listener_announce(const struct listener *listener,
					      struct bgs_instance *instance,
					      const struct bgs_socket_key *key)
{
	__u32 slot = BGS_INSTANCE_SLOT(key->instance);
	__u64 place = BIT(BGS_INSTANCE_PLACE(key->instance));
	__u64 sibling = BIT(key->sibling & (BGS_MAX_SIBLINGS - 1));
	struct bgs_rotation *set = bpf_map_lookup_elem(&rotation, &slot);
	__u32 color = BGS_INSTANCE_COLOR(key->instance);

	if (!set)
		return;
	for (int family = 0; family < BGS_FAMILIES; family++) {
		if (listener->serves[family]) {
			__sync_fetch_and_or(&instance->siblings[family], sibling);
			__sync_fetch_and_or(&set->ready[color][family], place);
		} else {
			/* The place may have been a socket's that served this family. */
			__sync_fetch_and_and(&instance->siblings[family], ~sibling);
		}
	}
}

static __always_inline struct bgs_tag listener_tag(const struct bgs_instance *instance,
						   const struct bgs_socket_key *key)
{
	return (struct bgs_tag){
		.instance = key->instance,
		.sibling = key->sibling,
		.serial = instance->serial,
	};
}

#endif
