/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other way to count connections, which bench_account compares: the same
 * tags and the same map, asked at every change of state of every TCP socket.
 */
#include "account.bpf.h"

static __always_inline void count(struct bgs_tag *tag, const struct sock *sk, int new)
{
	struct bgs_connections *counts = account_of(tag);

	if (!counts)
		return;
	if (tag->counted == BGS_UNCOUNTED && new == TCP_ESTABLISHED) {
		tag->since_ns = bpf_jiffies64(); /* as cheap as the coarse clock, which is not for
						    tracing */
		tag->counted = BGS_HELD;
		account_add(&counts->opened);
	}
	if (tag->counted == BGS_HELD && (new == TCP_CLOSE || sk->sk_shutdown == SHUTDOWN_MASK)) {
		tag->counted = BGS_RELEASED;
		account_add(&counts->released);
	}
	if (tag->counted == BGS_RELEASED && new == TCP_CLOSE) {
		tag->counted = BGS_ENDED;
		account_add(&counts->ended);
	}
}

SEC("tp_btf/inet_sock_set_state")
int account_tp(unsigned long long *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	int new = (int)ctx[2];
	struct bgs_tag *tag;

	if (new == TCP_LISTEN || new == TCP_CLOSE_WAIT)
		return 0;
	tag = bpf_sk_storage_get(&tags, sk, NULL, 0);
	if (tag)
		count(tag, sk, new);
	return 0;
}

char _license[] SEC("license") = "GPL";
