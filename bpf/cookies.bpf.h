/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYN cookies. A listener that answers with one keeps nothing of the handshake:
 * the client's ACK is looked up as if it were a new connection, and only a
 * listener that sent cookies lately takes it (tcp_synq_no_recent_overflow() in
 * net/ipv4/syncookies.c). So it is noted who may have been sent one, and these
 * clients come back to the same instance, even if the color flips meanwhile.
 *
 * A note is not made again while it holds: after a flip the old color gets
 * nothing by it that began later than BGS_COOKIE_TTL_S.
 */
#ifndef BGSWITCH_COOKIES_BPF_H
#define BGSWITCH_COOKIES_BPF_H

#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "client.bpf.h"
#include "kernel.bpf.h"
#include "maps.bpf.h"

#define COOKIE_TTL_NS (BGS_COOKIE_TTL_S * 1000000000ULL)

enum cookie_visit { COOKIE_FIRST, COOKIE_AGAIN };

/* False where lookups cannot read sockets (Linux before 5.9). */
const volatile bool follow_cookies = true;

/*
 * Will the listener answer a SYN with a cookie? As tcp_conn_request() decides,
 * but some places early: other CPUs fill the queue until it gets there. Of an
 * SO_REUSEPORT group the kernel takes any; this one has to speak for all.
 */
static __always_inline bool cookie_expected(const struct tcp_sock *tcp)
{
	const struct sock *sk = (const struct sock *)tcp;
	__u32 backlog = sk->sk_max_ack_backlog;
	__u32 handshakes = tcp->inet_conn.icsk_accept_queue.qlen.counter;
	__u32 enough = sk->sk_reuseport_cb ? backlog / 4 : backlog - backlog / 8;
	__u8 setting = sk->__sk_common.skc_net.net->ipv4.sysctl_tcp_syncookies;

	return setting == 2 || (setting && handshakes >= enough);
}

/*
 * A listener with a full accept queue (sk_acceptq_is_full()) drops a SYN, so
 * there is nothing to note. It drops an ACK as well: the client is going to
 * repeat it with its data, and the note has to last until there is room.
 */
static __always_inline bool cookie_is_noteworthy(struct bpf_sock *listener, enum cookie_visit visit)
{
	const struct tcp_sock *tcp = bpf_skc_to_tcp_sock(listener);
	const struct sock *sk = (const struct sock *)tcp;
	bool full;

	if (!tcp || (visit == COOKIE_FIRST && !cookie_expected(tcp)))
		return false;
	full = sk->sk_ack_backlog > sk->sk_max_ack_backlog;
	return visit == COOKIE_AGAIN ? full : !full || sk->sk_reuseport_cb;
}

static __always_inline void cookie_key(const struct bpf_sk_lookup *ctx, __u32 slot,
				       struct bgs_cookie_key *key)
{
	ctx_remote(ctx, key->address);
	key->port = bpf_ntohs(ctx->remote_port);
	key->slot = slot;
}

/* Global and weak, as those in steer.bpf.c. */
__weak int cookie_note(struct bpf_sk_lookup *ctx, __u32 number)
{
	__u32 slot = BGS_INSTANCE_SLOT(number);
	struct bgs_rotation *set = bpf_map_lookup_elem(&rotation, &slot);
	struct bgs_cookie note = { .noted_ns = bpf_ktime_get_ns(), .instance = number };
	struct bgs_cookie_key key;

	if (!set)
		return 0;
	cookie_key(ctx, slot, &key);
	bpf_map_update_elem(&cookies, &key, &note, BPF_ANY);
	set->cookie_ns[BGS_INSTANCE_COLOR(number)] = note.noted_ns;
	return 0;
}

static __always_inline bool cookie_is_fresh(__u64 noted_ns)
{
	return bpf_ktime_get_ns() - noted_ns < COOKIE_TTL_NS;
}

/* Does the service have notes that may still count? Almost always it has none: two loads. */
static __always_inline bool cookies_are_out(const struct bgs_rotation *set)
{
	__u64 blue = set->cookie_ns[BGS_BLUE], green = set->cookie_ns[BGS_GREEN];

	return (blue | green) && cookie_is_fresh(blue > green ? blue : green);
}

static __always_inline const struct bgs_cookie *cookie_find(const struct bpf_sk_lookup *ctx,
							    __u32 slot)
{
	const struct bgs_cookie *note;
	struct bgs_cookie_key key;

	cookie_key(ctx, slot, &key);
	note = bpf_map_lookup_elem(&cookies, &key);
	return note && cookie_is_fresh(note->noted_ns) ? note : NULL;
}

#endif
