/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When a connection cannot be lost by the end of its process any more: both
 * directions are shut, and the kernel sends what is left by itself. That is so
 * when the application has called close(), and when both ends have shut their
 * half. But in the second case a close() is still to come, and it would reset
 * what is left if there is data that nobody has read, or SO_LINGER is 0 s
 * (__tcp_close() in net/ipv4/tcp.c).
 */
#ifndef BGSWITCH_RELEASED_BPF_H
#define BGSWITCH_RELEASED_BPF_H

#include <stdbool.h>

#include "kernel.bpf.h"

/* `state`: the TCP state that it is in, or gets now. */
static __always_inline bool is_released(const struct tcp_sock *tcp, __u32 state)
{
	const struct sock *sk = (const struct sock *)tcp;
	/* The client's FIN counts as one, until the application has read it. */
	__u32 fin = state == TCP_LAST_ACK || state == TCP_CLOSING;

	if (state == TCP_CLOSE)
		return true;
	if (sk->sk_shutdown != SHUTDOWN_MASK || tcp->rcv_nxt - tcp->copied_seq > fin)
		return false;
	return !(sk->__sk_common.skc_flags & 1UL << SOCK_LINGER) || sk->sk_lingertime;
}

#endif
