/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steer: hands a new connection to a listener of the color its service says.
 *
 *   address -> service -> color -> instance -> listening socket
 *
 * The cost is the same for one service or a thousand, one instance or 64.
 */
#include <linux/errno.h>
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/socket.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bits.bpf.h"
#include "client.bpf.h"
#include "maps.bpf.h"

#define AF_INET 2
#define LOOPBACK_IFINDEX 1 /* of every network namespace; include/net/net_namespace.h */

/*
 * Listeners tried for one lookup. Only a lookup that meets dead ones tries a
 * second: it takes each out of rotation, so that the next lookup need not.
 */
#define MAX_TRIES 256

/* False with `attach all`, so that kernels without ingress_ifindex (< 5.17) load it. */
const volatile bool filter_interfaces = true;

struct lookup {
	__be32 client[4];
	__u64 connection_hash;
	__u32 slot;
	enum bgs_family family;
};

static __always_inline bool arrives_on_attached(__u32 ifindex)
{
	__u32 all = 0;

	return bpf_map_lookup_elem(&interfaces, &ifindex) || ifindex == LOOPBACK_IFINDEX ||
	       bpf_map_lookup_elem(&interfaces, &all);
}

/*
 * Reads a context field. Without the barrier clang merges the loads of two
 * branches into one through a computed context pointer, which the verifier
 * refuses.
 */
#define ctx_read(field)                                                                            \
	({                                                                                         \
		__u32 value = (field);                                                             \
		barrier_var(value);                                                                \
		value;                                                                             \
	})

static __always_inline void ctx_local(const struct bpf_sk_lookup *ctx, __be32 address[4])
{
	if (ctx->family == AF_INET) {
		address_from_v4(address, ctx_read(ctx->local_ip4));
	} else {
		address[0] = ctx_read(ctx->local_ip6[0]);
		address[1] = ctx_read(ctx->local_ip6[1]);
		address[2] = ctx_read(ctx->local_ip6[2]);
		address[3] = ctx_read(ctx->local_ip6[3]);
	}
}

static __always_inline void ctx_remote(const struct bpf_sk_lookup *ctx, __be32 address[4])
{
	if (ctx->family == AF_INET) {
		address_from_v4(address, ctx_read(ctx->remote_ip4));
	} else {
		address[0] = ctx_read(ctx->remote_ip6[0]);
		address[1] = ctx_read(ctx->remote_ip6[1]);
		address[2] = ctx_read(ctx->remote_ip6[2]);
		address[3] = ctx_read(ctx->remote_ip6[3]);
	}
}

/* An exact address goes before the wildcard of its family. */
static __always_inline const __u32 *find_slot(const struct bpf_sk_lookup *ctx,
					      enum bgs_family family)
{
	struct bgs_endpoint key = {
		.port = bpf_htons(ctx->local_port),
		.protocol = IPPROTO_TCP,
	};
	const __u32 *slot;

	ctx_local(ctx, key.address);
	slot = bpf_map_lookup_elem(&listen, &key);
	if (slot)
		return slot;
	address_any(key.address, family);
	return bpf_map_lookup_elem(&listen, &key);
}

static __always_inline const __u32 *find_preview(const struct lookup *lookup)
{
	struct bgs_preview_key key = {
		.prefixlen = BGS_PREVIEW_SLOT_BITS + 128,
		.slot = lookup->slot,
		.address = { lookup->client[0], lookup->client[1], lookup->client[2],
			     lookup->client[3] },
	};

	return bpf_map_lookup_elem(&preview, &key);
}

static __always_inline enum bgs_color choose_color(const struct bgs_service *service,
						   const struct lookup *lookup,
						   struct bgs_counters *count)
{
	/* One load, for the word may be stored to at any time. */
	__u64 word = *(const volatile __u64 *)&service->route;
	struct bgs_route route;
	__u64 hash;

	__builtin_memcpy(&route, &word, sizeof(route));
	if (service->flags.has_preview) {
		const __u32 *color = find_preview(lookup);

		if (color) {
			count->previewed++;
			return *color & (BGS_COLORS - 1);
		}
	}
	if (!route.split_bp)
		return route.active & (BGS_COLORS - 1);
	hash = service->flags.by_connection ? lookup->connection_hash
					    : client_hash(lookup->client, 0);
	/* A client below the split stays below every higher one: nobody moves back. */
	return (route.active ^ (hash_scale(hash, BGS_SPLIT_MAX) < route.split_bp)) &
	       (BGS_COLORS - 1);
}

/*
 * Is there a listener in this place of the map? A closed listener leaves the
 * map by itself; one that called shutdown() may stay, in state CLOSE.
 */
static __always_inline bool is_listening(const struct bgs_socket_key *key)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&sockets, key);
	bool listening;

	if (!sk)
		return false;
	listening = sk->state == BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return listening;
}

/*
 * The functions below are global: the verifier looks at each once instead of
 * once a call, which is what lets the loop in steer_to() be long.
 */

/*
 * Takes a dead listener out of rotation. A new one may register in the same
 * place meanwhile: it sets its bits after it entered the map, and we look into
 * the map after we cleared them, so one of us always sees the other.
 */
__noinline int retire(__u32 number, __u32 place, __u32 family)
{
	struct bgs_socket_key key = { .instance = number, .sibling = place };
	struct bgs_instance *instance = bpf_map_lookup_elem(&instances, &number);
	__u32 slot = BGS_INSTANCE_SLOT(number);
	struct bgs_rotation *set = bpf_map_lookup_elem(&rotation, &slot);
	__u64 bit = BIT(BGS_INSTANCE_PLACE(number));
	__u64 sibling = BIT(place & (BGS_MAX_SIBLINGS - 1));
	__u64 *siblings, *ready;

	if (!instance || !set)
		return -ENOENT;
	family &= BGS_FAMILIES - 1;
	siblings = &instance->siblings[family];
	ready = &set->ready[BGS_INSTANCE_COLOR(number)][family];
	__sync_fetch_and_and(siblings, ~sibling);
	if (is_listening(&key))
		__sync_fetch_and_or(siblings, sibling);
	if (*(volatile __u64 *)siblings)
		return 0;
	__sync_fetch_and_and(ready, ~bit);
	if (*(volatile __u64 *)siblings)
		__sync_fetch_and_or(ready, bit);
	return 0;
}

/* Gives the connection to this listener: 0, -ENOENT if it is dead, or what the kernel says. */
static __always_inline int assign(struct bpf_sk_lookup *ctx, const struct bgs_socket_key *key)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&sockets, key);
	int err = -ENOENT;

	if (!sk)
		return err;
	if (sk->state == BPF_TCP_LISTEN)
		err = bpf_sk_assign(ctx, sk, 0); /* the kernel picks among SO_REUSEPORT siblings */
	bpf_sk_release(sk);
	return err;
}

__noinline __u32 pick(__u64 mask, __u64 hash)
{
	__u32 n = bits_count(mask);

	return n == 1 ? bits_lowest(mask) : bits_nth(mask, hash_scale(hash, n));
}

static __always_inline void count_error(__u32 slot)
{
	struct bgs_counters *count = bpf_map_lookup_elem(&counters, &slot);

	if (count)
		count->errors++;
}

/*
 * Finds a living listener among the `ready` instances of the color that starts
 * at instance number `first`. 0: it took the connection; -ENOENT: none left.
 */
__noinline int steer_to(struct bpf_sk_lookup *ctx, __u32 first, __u64 ready, __u64 hash,
			__u32 family)
{
	struct bgs_socket_key key = {};
	__u64 siblings = 0;

	family &= BGS_FAMILIES - 1;
	for (int i = 0; i < MAX_TRIES; i++) {
		int err;

		if (!siblings) {
			struct bgs_instance *instance;
			__u32 place;

			if (!ready)
				break;
			place = pick(ready, hash) & (BGS_MAX_INSTANCES - 1);
			ready &= ~BIT(place);
			key.instance = first | place;
			instance = bpf_map_lookup_elem(&instances, &key.instance);
			if (instance)
				siblings = instance->siblings[family];
			if (!siblings)
				continue;
		}
		key.sibling = pick(siblings, 0);
		siblings &= siblings - 1;
		err = assign(ctx, &key);
		if (!err)
			return 0;
		if (err == -ENOENT)
			retire(key.instance, key.sibling, family);
		else
			count_error(BGS_INSTANCE_SLOT(first));
	}
	return -ENOENT;
}

static __always_inline int steer_service(struct bpf_sk_lookup *ctx, struct bgs_service *service,
					 struct lookup *lookup, struct bgs_rotation *set,
					 struct bgs_counters *count)
{
	enum bgs_family family = lookup->family & (BGS_FAMILIES - 1);
	enum bgs_color color;
	bool failover = false;

	ctx_remote(ctx, lookup->client);
	lookup->connection_hash = client_hash(lookup->client, ctx->remote_port);
	color = choose_color(service, lookup, count);
	for (;;) {
		__u64 ready = service->enabled[color] & set->ready[color][family];

		if (ready && !steer_to(ctx, BGS_INSTANCE(lookup->slot, color, 0), ready,
				       lookup->connection_hash, family)) {
			count->steered[color]++;
			count->failover += failover;
			return SK_PASS;
		}
		if (failover || !service->flags.failover)
			break;
		failover = true;
		color ^= 1;
	}
	if (service->flags.pass_when_empty) {
		count->passed++;
		return SK_PASS;
	}
	count->refused++;
	return SK_DROP; /* the kernel answers with RST */
}

SEC("sk_lookup")
int steer(struct bpf_sk_lookup *ctx)
{
	struct bgs_service *service;
	struct bgs_counters *count;
	struct bgs_rotation *set;
	struct lookup lookup;
	const __u32 *slot;

	if (ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	if (filter_interfaces && !arrives_on_attached(ctx->ingress_ifindex))
		return SK_PASS;
	lookup.family = ctx->family == AF_INET ? BGS_V4 : BGS_V6;
	slot = find_slot(ctx, lookup.family);
	if (!slot)
		return SK_PASS;
	lookup.slot = *slot;
	service = bpf_map_lookup_elem(&services, &lookup.slot);
	set = bpf_map_lookup_elem(&rotation, &lookup.slot);
	count = bpf_map_lookup_elem(&counters, &lookup.slot);
	if (!service || !set || !count)
		return SK_PASS;
	return steer_service(ctx, service, &lookup, set, count);
}

char _license[] SEC("license") = "GPL";
