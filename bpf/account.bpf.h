/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * account: counts the connections of each instance, from the last ACK of the
 * handshake to TCP_CLOSE. A connection is known by the tag it has from its
 * listener; the tag also says what it has been counted as, so that each one is
 * counted once whatever the kernel calls twice. Sockets without a tag never ask
 * for the state callback; a tracepoint (tp_btf/inet_sock_set_state) is run for
 * every TCP socket there is, and costs twice as much (tests/bench/bench_account.c).
 */
#ifndef BGSWITCH_ACCOUNT_BPF_H
#define BGSWITCH_ACCOUNT_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "released.bpf.h"

/* Where its instance counts, unless that is declared no more. */
static __always_inline struct bgs_connections *account_of(const struct bgs_tag *tag)
{
	__u32 number = tag->instance;
	struct bgs_connections *counts = bpf_map_lookup_elem(&connections, &number);

	return counts && counts->serial == tag->serial ? counts : NULL;
}

/*
 * Atomic although it is this CPU's copy: a packet may interrupt a system call
 * between load and store.
 */
static __always_inline void account_add(__u64 *count)
{
	__sync_fetch_and_add(count, 1);
}

static __always_inline void account_open(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct bgs_tag *tag = sk ? bpf_sk_storage_get(&tags, sk, NULL, 0) : NULL;
	struct bgs_connections *counts;

	if (!tag || tag->counted != BGS_UNCOUNTED)
		return;
	counts = account_of(tag);
	if (!counts ||
	    bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG))
		return;
	tag->since_ns = bpf_ktime_get_coarse_ns();
	tag->counted = BGS_HELD;
	account_add(&counts->opened);
}

/*
 * Called with each new state, and once more at close() of a socket that was shut
 * before. Several times for each connection: what changes nothing leaves first.
 */
static __always_inline void account_state(struct bpf_sock_ops *ops)
{
	__u32 state = ops->args[1];
	struct bgs_connections *counts;
	const struct tcp_sock *tcp;
	struct bgs_tag *tag;
	struct bpf_sock *sk;

	if (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT)
		return;
	sk = ops->sk;
	tag = sk ? bpf_sk_storage_get(&tags, sk, NULL, 0) : NULL;
	if (!tag || (tag->counted == BGS_RELEASED && state != TCP_CLOSE))
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp || !is_released(tcp, state))
		return;
	counts = account_of(tag);
	if (!counts)
		return;
	if (tag->counted == BGS_HELD) {
		tag->counted = BGS_RELEASED;
		account_add(&counts->released);
	}
	if (tag->counted == BGS_RELEASED && state == TCP_CLOSE) {
		tag->counted = BGS_ENDED;
		account_add(&counts->ended);
	}
}

#endif
