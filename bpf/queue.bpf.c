/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queue: what waits at one registered listener. It is attached nowhere:
 * userspace runs it (BPF_PROG_TEST_RUN) with a packet that holds the question,
 * and finds the answer there. An iterator would walk the whole socket map for
 * it, a system call cannot read the SYN queue at all.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel.bpf.h"
#include "maps.bpf.h"

static __always_inline struct bpf_sock *listener_of(const struct bgs_queue *line)
{
	struct bgs_sibling_key key = { .instance = line->instance, .sibling = line->sibling };
	__u32 first = BGS_SOCKET(line->instance, line->family & (BGS_FAMILIES - 1));

	return line->sibling == BGS_NO_SIBLING ? bpf_map_lookup_elem(&sockets, &first)
					       : bpf_map_lookup_elem(&siblings, &key);
}

static __always_inline bool describe(struct bgs_queue *line, struct bpf_sock *listener)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(listener);
	const struct sock *sk = (struct sock *)tcp;

	if (!tcp || sk->__sk_common.skc_state != TCP_LISTEN)
		return false;
	line->handshaking = tcp->inet_conn.icsk_accept_queue.qlen.counter;
	line->accept_queue = sk->sk_ack_backlog;
	line->backlog = sk->sk_max_ack_backlog;
	return true;
}

/* Returns 1 if the answer is there. */
SEC("tc")
int queue(struct __sk_buff *packet)
{
	struct bpf_sock *listener;
	struct bgs_queue line;
	bool found;

	if (bpf_skb_load_bytes(packet, BGS_QUEUE_OFFSET, &line, sizeof(line)))
		return 0;
	listener = listener_of(&line);
	if (!listener)
		return 0;
	found = describe(&line, listener);
	bpf_sk_release(listener);
	return found && !bpf_skb_store_bytes(packet, BGS_QUEUE_OFFSET, &line, sizeof(line), 0);
}

char _license[] SEC("license") = "GPL";
