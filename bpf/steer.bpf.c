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
#include "cookies.bpf.h"
#include "maps.bpf.h"
#include "preview.bpf.h"

#define INSTANCE_SEED 0x9e3779b97f4a7c15ULL
#define LOOPBACK_IFINDEX 1 /* of every network namespace; include/net/net_namespace.h */

/*
 * Listeners tried in one round. Only a lookup that meets dead ones tries a
 * second: it takes each out of rotation, so that the next lookup need not. The
 * rounds are for the verifier, which follows a loop only so far; a round may
 * look once more at the first place of the instance the last one stopped in.
 */
#define MAX_TRIES 256
#define MAX_ROUNDS (BGS_MAX_INSTANCES * (BGS_MAX_SIBLINGS + 1) / (MAX_TRIES - 1) + 1)

/* False with `attach all`, so that kernels without ingress_ifindex (< 5.17) load it. */
const volatile bool filter_interfaces = true;

static __always_inline bool arrives_on_attached(__u32 ifindex)
{
	__u32 zero = 0;
	const struct bgs_settings *set = bpf_map_lookup_elem(&settings, &zero);

	if (!set || ifindex == LOOPBACK_IFINDEX || set->attached[0] & 1)
		return true;
	if (ifindex < BGS_ATTACHED_BITS)
		return set->attached[ifindex / 64 % (BGS_ATTACHED_BITS / 64)] >> ifindex % 64 & 1;
	return bpf_map_lookup_elem(&interfaces, &ifindex);
}

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

static __always_inline bool find_exact(const struct bpf_sk_lookup *ctx, __u32 *slot)
{
	struct bgs_endpoint key = {
		.port = bpf_htons(ctx->local_port),
		.protocol = IPPROTO_TCP,
	};
	const __u32 *found;

	ctx_local(ctx, key.address);
	found = bpf_map_lookup_elem(&listen, &key);
	if (found)
		*slot = *found;
	return found;
}

/*
 * An exact address goes before the wildcard of its family. It is in `listen`
 * for a moment without its service, which comes last and goes first: until
 * then and from then on the wildcard has it.
 */
static __always_inline const struct bgs_service *find_service(const struct bpf_sk_lookup *ctx,
							      enum bgs_family family, __u32 *slot)
{
	__u32 number = ctx->local_port;
	const struct bgs_port *port = bpf_map_lookup_elem(&ports, &number);
	const struct bgs_service *service = NULL;
	__u32 wildcard;

	if (!port)
		return NULL;
	if (port->exact && find_exact(ctx, slot))
		service = bpf_map_lookup_elem(&services, slot);
	wildcard = port->wildcard[family & (BGS_FAMILIES - 1)];
	if (service || !wildcard)
		return service;
	*slot = wildcard - 1;
	return bpf_map_lookup_elem(&services, slot);
}

static __always_inline __u64 hash_client(const struct bpf_sk_lookup *ctx, bool by_connection)
{
	__be32 address[4];

	ctx_remote(ctx, address);
	return client_hash(address, by_connection ? ctx->remote_port : 0);
}

static __always_inline enum bgs_color choose_color(const struct bpf_sk_lookup *ctx, __u32 slot,
						   const struct bgs_service *service,
						   struct bgs_counters *count)
{
	/* One load, for the word may be stored to at any time. */
	__u64 word = *(const volatile __u64 *)&service->route;
	struct bgs_route route;
	bool to_standby;

	__builtin_memcpy(&route, &word, sizeof(route));
	if (service->flags.has_preview) {
		const enum bgs_color *color;
		__be32 client[4];

		ctx_remote(ctx, client);
		color = preview_find(slot, client, ctx->family == AF_INET);
		if (color) {
			count->previewed++;
			return *color & (BGS_COLORS - 1);
		}
	}
	if (!route.split_bp)
		return route.active & (BGS_COLORS - 1);
	/* A client below the split stays below every higher one: nobody moves back. */
	to_standby = hash_scale(hash_client(ctx, service->flags.by_connection), BGS_SPLIT_MAX) <
		     route.split_bp;
	return (route.active ^ to_standby) & (BGS_COLORS - 1);
}

/*
 * Gives the connection to this listener: 0, -ENOENT if it is dead, or what the
 * kernel says. A closed listener leaves its map by itself; one that called
 * shutdown() may stay, in state CLOSE.
 */
static __always_inline int assign(struct bpf_sk_lookup *ctx, struct bpf_sock *sk, __u32 number,
				  enum cookie_visit visit)
{
	bool noteworthy = false;
	int err = -ENOENT;

	if (!sk)
		return err;
	if (sk->state == BPF_TCP_LISTEN) {
		err = bpf_sk_assign(ctx, sk, 0); /* the kernel picks among SO_REUSEPORT siblings */
		noteworthy = !err && follow_cookies && cookie_is_noteworthy(sk, visit);
	}
	bpf_sk_release(sk);
	if (noteworthy)
		cookie_note(ctx, number);
	return err;
}

static __always_inline int assign_first(struct bpf_sk_lookup *ctx, __u32 number, __u32 family,
					enum cookie_visit visit)
{
	__u32 key = BGS_SOCKET(number, family);

	return assign(ctx, bpf_map_lookup_elem(&sockets, &key), number, visit);
}

static __always_inline bool is_listening(struct bpf_sock *sk)
{
	bool listening;

	if (!sk)
		return false;
	listening = sk->state == BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return listening;
}

/*
 * The functions below are global: the verifier looks at each once instead of
 * once a call, which is what lets the loop in steer_to() be long. They are weak,
 * too: otherwise clang 19 leaves out bounds that it knows a result to have, and
 * the verifier does not.
 *
 * Two of them take what is dead out of rotation. A new listener may register
 * in the same place meanwhile: it sets its bits after it entered the map, and
 * we look into the map after we cleared them, so one of us always sees the
 * other.
 */
__weak int retire_sibling(__u32 number, __u32 sibling, __u32 family)
{
	struct bgs_sibling_key key = { .instance = number, .sibling = sibling };
	struct bgs_instance *instance = bpf_map_lookup_elem(&instances, &number);
	__u64 bit = BIT(sibling & (BGS_MAX_SIBLINGS - 1));
	__u64 *mask;

	if (!instance)
		return -ENOENT;
	mask = &instance->siblings[family & (BGS_FAMILIES - 1)];
	__sync_fetch_and_and(mask, ~bit);
	if (is_listening(bpf_map_lookup_elem(&siblings, &key)))
		__sync_fetch_and_or(mask, bit);
	return 0;
}

__weak int retire_instance(__u32 number, __u32 family)
{
	struct bgs_instance *instance = bpf_map_lookup_elem(&instances, &number);
	__u32 slot = BGS_INSTANCE_SLOT(number);
	struct bgs_rotation *set = bpf_map_lookup_elem(&rotation, &slot);
	__u64 bit = BIT(BGS_INSTANCE_PLACE(number));
	__u32 key;
	__u64 *ready;

	if (!instance || !set)
		return -ENOENT;
	family &= BGS_FAMILIES - 1;
	key = BGS_SOCKET(number, family);
	ready = &set->ready[BGS_INSTANCE_COLOR(number)][family];
	__sync_fetch_and_and(ready, ~bit);
	if (*(volatile __u64 *)&instance->siblings[family] ||
	    is_listening(bpf_map_lookup_elem(&sockets, &key)))
		__sync_fetch_and_or(ready, bit);
	return 0;
}

/* One of the set bits, by hash; each is as likely. */
__weak __u32 pick(__u64 mask, __u64 hash)
{
	return bits_nth(mask, hash_scale(hash, bits_count(mask)));
}

__weak int count_error(__u32 slot)
{
	struct bgs_counters *count = bpf_map_lookup_elem(&counters, &slot);

	if (count)
		count->errors++;
	return 0;
}

/*
 * What steer_to() does with one listener. Inlined, it took six tenths of the
 * instructions that the verifier of Linux 6.1 is ready to look at.
 */
__weak int assign_instance(struct bpf_sk_lookup *ctx, __u32 number, __u32 family)
{
	return assign_first(ctx, number, family & (BGS_FAMILIES - 1), COOKIE_FIRST);
}

__weak int assign_sibling(struct bpf_sk_lookup *ctx, __u32 number, __u32 sibling)
{
	struct bgs_sibling_key key = { .instance = number, .sibling = sibling };

	return assign(ctx, bpf_map_lookup_elem(&siblings, &key), number, COOKIE_FIRST);
}

/*
 * A round of the long way: tries the listeners of the `ready` instances of the
 * color that starts at instance number `first`. 0: one took the connection;
 * -ENOENT: none; -EAGAIN: there are more.
 */
__weak int steer_to(struct bpf_sk_lookup *ctx, __u32 first, __u64 ready, __u64 hash, __u32 family)
{
	struct bgs_sibling_key key = {};
	__u64 left = 0; /* siblings of instance `key.instance` still to try */

	family &= BGS_FAMILIES - 1;
	for (int i = 0; i < MAX_TRIES; i++) {
		int err;

		if (left) {
			key.sibling = bits_lowest(left) & (BGS_MAX_SIBLINGS - 1);
			left &= left - 1;
			err = assign_sibling(ctx, key.instance, key.sibling);
			if (err == -ENOENT)
				retire_sibling(key.instance, key.sibling, family);
		} else {
			struct bgs_instance *instance;
			__u32 place;

			if (!ready)
				return -ENOENT;
			place = pick(ready, hash) & (BGS_MAX_INSTANCES - 1);
			ready &= ~BIT(place);
			key.instance = first | place;
			err = assign_instance(ctx, key.instance, family);
			instance = bpf_map_lookup_elem(&instances, &key.instance);
			if (instance)
				left = instance->siblings[family];
		}
		if (!err)
			return 0;
		if (err != -ENOENT)
			count_error(BGS_INSTANCE_SLOT(first));
		else if (!left)
			retire_instance(key.instance, family);
	}
	return -EAGAIN;
}

/*
 * The instance that gave this client a cookie takes the connection, whatever is
 * active or enabled by now: its color, or -ENOENT.
 */
__weak int steer_again(struct bpf_sk_lookup *ctx, __u32 slot, __u32 family)
{
	const struct bgs_cookie *note = cookie_find(ctx, slot);
	__u32 number, first;
	int err;

	if (!note)
		return -ENOENT;
	number = note->instance;
	first = number & ~(BGS_MAX_INSTANCES - 1);
	err = assign_first(ctx, number, family, COOKIE_AGAIN);
	if (err)
		err = steer_to(ctx, first, BIT(BGS_INSTANCE_PLACE(number)), 0, family);
	return err ? -ENOENT : (int)BGS_INSTANCE_COLOR(number);
}

/* The short way: the first listener of one instance. Almost always it is enough. */
static __always_inline int steer_color(struct bpf_sk_lookup *ctx, __u32 first, __u64 enabled,
				       const __u64 *rotating, __u32 family)
{
	__u64 ready = enabled & *rotating, hash = 0;
	__u32 place;

	if (!ready)
		return -ENOENT;
	if (ready & (ready - 1)) {
		/* Mixed again: with affinity by connection the split has used this very hash. */
		hash = hash_mix(hash_client(ctx, true) ^ INSTANCE_SEED);
		place = pick(ready, hash);
	} else {
		place = bits_lowest(ready);
	}
	if (!assign_first(ctx, first | (place & (BGS_MAX_INSTANCES - 1)), family, COOKIE_FIRST))
		return 0;
	for (int round = 0; round < MAX_ROUNDS; round++) {
		int err = steer_to(ctx, first, ready, hash, family);

		if (err != -EAGAIN)
			return err;
		ready = enabled & *(const volatile __u64 *)rotating;
	}
	return -ENOENT;
}

static __always_inline bool try_color(struct bpf_sk_lookup *ctx, __u32 slot,
				      const struct bgs_service *service,
				      const struct bgs_rotation *set, struct bgs_counters *count,
				      enum bgs_color color, enum bgs_family family)
{
	if (steer_color(ctx, BGS_INSTANCE(slot, color, 0), service->enabled[color],
			&set->ready[color][family], family))
		return false;
	count->steered[color]++;
	return true;
}

static __always_inline int steer_service(struct bpf_sk_lookup *ctx, __u32 slot,
					 const struct bgs_service *service, enum bgs_family family)
{
	const struct bgs_rotation *set = bpf_map_lookup_elem(&rotation, &slot);
	struct bgs_counters *count = bpf_map_lookup_elem(&counters, &slot);
	enum bgs_color color;

	if (!set || !count)
		return SK_PASS;
	if (follow_cookies && cookies_are_out(set)) {
		int again = steer_again(ctx, slot, family);

		if (again >= 0) {
			count->steered[again & (BGS_COLORS - 1)]++;
			return SK_PASS;
		}
	}
	color = choose_color(ctx, slot, service, count);
	if (try_color(ctx, slot, service, set, count, color, family))
		return SK_PASS;
	/* Not a loop: Linux 6.1 refuses one that clang enters in its middle. */
	if (service->flags.failover &&
	    try_color(ctx, slot, service, set, count, color ^ 1, family)) {
		count->failover++;
		return SK_PASS;
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
	enum bgs_family family = ctx->family == AF_INET ? BGS_V4 : BGS_V6;
	const struct bgs_service *service;
	__u32 slot;

	if (ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	service = find_service(ctx, family, &slot);
	if (!service || (filter_interfaces && !arrives_on_attached(ctx->ingress_ifindex)))
		return SK_PASS;
	return steer_service(ctx, slot, service, family);
}

char _license[] SEC("license") = "GPL";
