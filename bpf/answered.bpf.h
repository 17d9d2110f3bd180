/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * answered: was the last word on a connection the application's, and has the
 * client got it? The kernel's own sequence numbers tell, without any tracking:
 * `snd_wl1` is the sequence number of the segment that moved our send window
 * last, and so lags behind `rcv_nxt` from a request until the client sends
 * something without payload, which is normally the ACK of the answer.
 *
 * A client that acknowledges something else in between (a keepalive probe of
 * ours, a retransmission; or it opens its window) would look answered, and times
 * in jiffies are no help: a request that follows an answer within a jiffy has the
 * same. So one of two proofs is asked for as well. All of them take for granted
 * that a client does not ask again before it has the whole answer; pipelined
 * requests, and answers with a pause in them, can only be told by waiting longer
 * than they take.
 *
 * Jiffies stand still while the CPU that counts them is taken away from a virtual
 * machine, for 10 ms and more. So they may say what was first, as they never go
 * back, but a difference of some jiffies between them and the clock is no proof.
 * That leaves one case open, which counts as not answered: a quick answer, and a
 * keepalive probe of ours since.
 */
#ifndef BGSWITCH_ANSWERED_BPF_H
#define BGSWITCH_ANSWERED_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "kernel.bpf.h"

/* A jiffy in microseconds; set before loading. */
const volatile __u32 jiffy_us = 4000;

/* Between two clocks: each is rounded down, and jiffies may be a tick late. */
#define CLOCKS_DIFFER 2

static __always_inline bool answer_is_proved(const struct tcp_sock *tcp)
{
	__s64 acked_ago = bpf_ktime_get_ns() / 1000 - tcp->delivered_mstamp;
	__u32 now = bpf_jiffies64();

	/* It was sent in a later jiffy than the request came in. */
	if ((__s32)(tcp->lsndtime - tcp->inet_conn.icsk_ack.lrcvtime) > 0)
		return true;
	/* Nothing has come since it was acknowledged; probes are whole seconds later. */
	acked_ago = acked_ago > 0 ? (__u64)acked_ago / jiffy_us : 0;
	return acked_ago < (__u32)(now - tcp->rcv_tstamp) + CLOCKS_DIFFER;
}

static __always_inline bool is_answered(const struct tcp_sock *tcp)
{
	const struct sock *sk = (const struct sock *)tcp;

	/* Half-closed by either side: the end is under way. */
	if (sk->__sk_common.skc_state != TCP_ESTABLISHED || sk->sk_shutdown)
		return false;
	/* Something is not read, not sent or not acknowledged. */
	if (tcp->copied_seq != tcp->rcv_nxt || tcp->write_seq != tcp->snd_una)
		return false;
	if (tcp->snd_wl1 != tcp->rcv_nxt ||
	    (__s32)(tcp->lsndtime - tcp->inet_conn.icsk_ack.lrcvtime) < 0)
		return false;
	if (!tcp->bytes_received)
		return true; /* the client has asked for nothing yet */
	/* A request in the SYN (TCP Fast Open) is followed by an ACK that answers nothing. */
	return tcp->bytes_acked && answer_is_proved(tcp);
}

#endif
