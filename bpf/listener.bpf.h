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
	listener->serves[BGS_V4] =
		address_is_any(local->address) && !BPF_CORE_READ_BITFIELD(sk, skc_ipv6only);
}

static __always_inline const __u32 *backend_any(const struct listener *listener,
						enum bgs_family family, enum bgs_endpoint_kind kind)
{
	struct bgs_endpoint key = listener->local;

	if (!listener->serves[family])
		return NULL;
	address_any(key.address, family);
	key.kind = kind;
	return bpf_map_lookup_elem(&backends, &key);
}

/*
 * Finds the instance this listener serves, best match first: declared with just
 * its address; declared for any address; declared with a specific address that
 * this wildcard listener covers.
 */
static __always_inline bool listener_instance(const struct listener *listener, __u32 *number)
{
	const __u32 *found = bpf_map_lookup_elem(&backends, &listener->local);

	if (!found)
		found = backend_any(listener, BGS_V4, BGS_DECLARED);
	if (!found)
		found = backend_any(listener, BGS_V6, BGS_DECLARED);
	if (!found && address_is_any(listener->local.address)) {
		found = backend_any(listener, BGS_V4, BGS_COVERED);
		if (!found)
			found = backend_any(listener, BGS_V6, BGS_COVERED);
	}
	if (found)
		*number = *found;
	return found;
}

/* The two ways in, which differ in the helper that puts a socket into a map. */
enum way { AT_LISTEN, BY_ITERATOR };

/* `source` is the context of sockops or a socket. -EEXIST: the place is taken. */
static __always_inline int put_first(enum way way, void *source, __u32 *key)
{
	return way == AT_LISTEN ? bpf_sock_map_update(source, &sockets, key, BPF_NOEXIST)
				: bpf_map_update_elem(&sockets, key, source, BPF_NOEXIST);
}

static __always_inline int put_sibling(enum way way, void *source, struct bgs_sibling_key *key)
{
	return way == AT_LISTEN ? bpf_sock_hash_update(source, &siblings, key, BPF_NOEXIST)
				: bpf_map_update_elem(&siblings, key, source, BPF_NOEXIST);
}

static __always_inline int insert_sibling(enum way way, void *source, __u32 number, __u32 *sibling)
{
	struct bgs_sibling_key key = { .instance = number };
	int err = -ENOSPC;

	for (int i = 0; i < BGS_MAX_SIBLINGS; i++) {
		key.sibling = i;
		err = put_sibling(way, source, &key);
		if (err != -EEXIST)
			break;
	}
	*sibling = key.sibling;
	return err == -EEXIST ? -ENOSPC : err;
}

/* Says which siblings serve a family, and that the instance has a listener for it. */
static __always_inline void announce(const struct listener *listener, __u32 number,
				     struct bgs_instance *instance, __u32 sibling)
{
	__u32 slot = BGS_INSTANCE_SLOT(number);
	struct bgs_rotation *set = bpf_map_lookup_elem(&rotation, &slot);
	__u64 place = BIT(BGS_INSTANCE_PLACE(number));
	__u64 bit = BIT(sibling & (BGS_MAX_SIBLINGS - 1));

	if (!set)
		return;
	for (int family = 0; family < BGS_FAMILIES; family++) {
		__u64 *ready = &set->ready[BGS_INSTANCE_COLOR(number)][family];

		if (sibling != BGS_NO_SIBLING && listener->serves[family])
			__sync_fetch_and_or(&instance->siblings[family], bit);
		else if (sibling != BGS_NO_SIBLING)
			/* The place may have been a socket's that served this family. */
			__sync_fetch_and_and(&instance->siblings[family], ~bit);
		if (listener->serves[family])
			__sync_fetch_and_or(ready, place);
	}
}

/*
 * Puts a listener into the maps and announces it, in this order; see
 * retire_instance(). The first one for a family takes the instance's place in
 * `sockets`, one that finds it taken becomes a sibling. `stored` is the tag the
 * socket has already, or NULL; a socket that has one is at most promoted to a
 * place that became free. 0 with `tag` filled in, or -errno.
 */
static __always_inline int listener_insert(enum way way, void *source,
					   const struct listener *listener, __u32 number,
					   struct bgs_instance *instance,
					   const struct bgs_tag *stored, struct bgs_tag *tag)
{
	bool known = stored && stored->instance == number && stored->serial == instance->serial;
	bool taken = false;

	__builtin_memset(tag, 0, sizeof(*tag));
	tag->instance = number;
	tag->serial = instance->serial;
	tag->sibling = known ? stored->sibling : BGS_NO_SIBLING;
	for (int family = 0; family < BGS_FAMILIES; family++) {
		__u32 key = BGS_SOCKET(number, family);
		int err;

		if (!listener->serves[family])
			continue;
		err = put_first(way, source, &key);
		if (err && err != -EEXIST)
			return err;
		taken = taken || err;
	}
	if (taken && !known) {
		int err = insert_sibling(way, source, number, &tag->sibling);

		if (err)
			return err;
	}
	announce(listener, number, instance, tag->sibling);
	return 0;
}

#endif
