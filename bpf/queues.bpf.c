/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queues: what waits at registered listeners, read from the maps that hold
 * them, so that the cost goes by listeners and not by connections.
 * Iterators over socket maps: Linux 5.10.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel.bpf.h"
#include "maps.bpf.h"

static __always_inline int report(struct bpf_iter__sockmap *ctx, struct sock *listener,
				  struct bgs_queue *line)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(listener);
	const struct sock *sk = (struct sock *)tcp;

	if (!tcp || sk->__sk_common.skc_state != TCP_LISTEN)
		return 0;
	line->cookie = bpf_get_socket_cookie(tcp);
	line->handshaking = tcp->inet_conn.icsk_accept_queue.qlen.counter;
	line->accept_queue = sk->sk_ack_backlog;
	line->backlog = sk->sk_max_ack_backlog;
	bpf_seq_write(ctx->meta->seq, line, sizeof(*line));
	return 0;
}

SEC("iter/sockmap")
int queues(struct bpf_iter__sockmap *ctx)
{
	const __u32 *key = ctx->key;
	struct sock *sk = ctx->sk;
	struct bgs_queue line = { .sibling = BGS_NO_SIBLING };

	if (!key || !sk)
		return 0;
	line.instance = *key / BGS_FAMILIES;
	return report(ctx, sk, &line);
}

SEC("iter/sockmap")
int sibling_queues(struct bpf_iter__sockmap *ctx)
{
	const struct bgs_sibling_key *key = ctx->key;
	struct sock *sk = ctx->sk;
	struct bgs_queue line = {};

	if (!key || !sk)
		return 0;
	line.instance = key->instance;
	line.sibling = key->sibling;
	return report(ctx, sk, &line);
}

char _license[] SEC("license") = "GPL";
