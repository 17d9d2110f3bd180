/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walk: every socket of the reader's network namespace that a listener of ours
 * has accepted or is about to, and those at our ports that are older than the
 * tag. Exact where gauges may not be, and as expensive as there are sockets.
 */
#include "answered.bpf.h"
#include "listener.bpf.h"
#include "released.bpf.h"

#define SOCK_COMMON_SIZE 160 /* at least; 136 in Linux 6.18 */

static __always_inline void remote_read(struct bgs_endpoint *remote, const struct sock_common *sk)
{
	remote->port = sk->skc_dport;
	remote->protocol = IPPROTO_TCP;
	if (sk->skc_family == AF_INET) {
		address_from_v4(remote->address, sk->skc_daddr);
		return;
	}
	remote->address[0] = sk->skc_v6_daddr.in6_u.u6_addr32[0];
	remote->address[1] = sk->skc_v6_daddr.in6_u.u6_addr32[1];
	remote->address[2] = sk->skc_v6_daddr.in6_u.u6_addr32[2];
	remote->address[3] = sk->skc_v6_daddr.in6_u.u6_addr32[3];
}

/* `sk` is one of an ordinary socket or of a request socket. */
static __always_inline void describe(struct bgs_connection *line, const struct sock_common *sk)
{
	struct listener local;

	listener_read(&local, sk);
	line->local = local.local;
	remote_read(&line->remote, sk);
	line->state = sk->skc_state;
	line->ifindex = sk->skc_bound_dev_if;
}

/* Is it at a port that clients of a service come to, or that an instance listens on? */
static __always_inline bool at_our_port(const struct bgs_endpoint *local)
{
	__u32 port = bpf_ntohs(local->port);
	const struct bgs_port *declared = bpf_map_lookup_elem(&ports, &port);
	struct listener any = { .local = *local, .serves = { true, true } };
	__u32 number;

	if (declared &&
	    (declared->exact || declared->wildcard[BGS_V4] || declared->wildcard[BGS_V6]))
		return true;
	return listener_instance(&any, &number) || backend_any(&any, BGS_V4, BGS_COVERED) ||
	       backend_any(&any, BGS_V6, BGS_COVERED);
}

static __always_inline void judge_tag(struct bgs_connection *line, const struct bgs_tag *tag)
{
	const struct bgs_instance *instance;
	__u32 number = tag->instance;

	line->instance = number;
	line->since_ns = tag->since_ns;
	instance = bpf_map_lookup_elem(&instances, &number);
	line->tag = instance && instance->serial == tag->serial ? BGS_TAGGED : BGS_STALE;
}

/* As it was counted, if it was. */
static __always_inline bool has_let_go(const struct tcp_sock *tcp, const struct bgs_tag *tag)
{
	const struct sock *sk = (const struct sock *)tcp;

	if (sk->__sk_common.skc_flags & BIT(SOCK_DEAD))
		return true;
	if (tag && tag->counted != BGS_UNCOUNTED)
		return tag->counted != BGS_HELD;
	return is_released(tcp, sk->__sk_common.skc_state);
}

static __always_inline enum bgs_connection_kind kind_of(const struct tcp_sock *tcp,
							const struct bgs_tag *tag)
{
	if (has_let_go(tcp, tag))
		return BGS_CONNECTION_CLOSING;
	return ((const struct sock *)tcp)->sk_socket ? BGS_CONNECTION_HELD : BGS_CONNECTION_QUEUED;
}

/*
 * Whose handshake it is. Its listener has a tag unless more of them share the
 * instance than can be registered, so its address decides. The kernel lets no
 * program follow this pointer: it works on a copy.
 */
static __always_inline bool handshake_instance(const struct sock_common *sk, __u32 *number)
{
	char copy[SOCK_COMMON_SIZE];
	struct listener listener;

	if (bpf_probe_read_kernel(copy, sizeof(copy), BPF_CORE_READ(sk, skc_listener)))
		return false;
	listener_read(&listener, (const struct sock_common *)copy);
	return listener_instance(&listener, number);
}

static __always_inline void write_handshake(struct bpf_iter__tcp *ctx, struct sock_common *sk)
{
	struct bgs_connection line = { .kind = BGS_CONNECTION_HANDSHAKE, .tag = BGS_UNTAGGED };

	describe(&line, sk);
	if (!at_our_port(&line.local))
		return;
	if (handshake_instance(sk, &line.instance))
		line.tag = BGS_TAGGED;
	bpf_seq_write(ctx->meta->seq, &line, sizeof(line));
}

/* `tcp` is `sk` again: the helpers of Linux 6.1 want one known not to be NULL. */
static __always_inline void write_connection(struct bpf_iter__tcp *ctx, struct sock_common *sk,
					     struct tcp_sock *tcp)
{
	const struct bgs_tag *tag = bpf_sk_storage_get(&tags, sk, NULL, 0);
	struct sock *owner = (struct sock *)tcp;
	struct bgs_connection line = { .tag = BGS_UNTAGGED };
	__u32 now = bpf_jiffies64();

	describe(&line, (struct sock_common *)tcp);
	if (tag)
		judge_tag(&line, tag);
	else if (!at_our_port(&line.local))
		return;
	line.kind = kind_of(tcp, tag);
	line.cookie = bpf_get_socket_cookie(sk);
	line.inode = BPF_CORE_READ(owner, sk_socket, file, f_inode, i_ino);
	line.received = tcp->bytes_received;
	line.acked = tcp->bytes_acked;
	line.sent_ago = now - tcp->lsndtime;
	line.received_ago = now - tcp->inet_conn.icsk_ack.lrcvtime;
	line.rtt_us = tcp->srtt_us >> 3;
	line.answered = is_answered(tcp);
	bpf_seq_write(ctx->meta->seq, &line, sizeof(line));
}

SEC("iter/tcp")
int walk(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct tcp_sock *tcp;

	if (!sk || sk->skc_state == TCP_LISTEN || sk->skc_state == TCP_TIME_WAIT)
		return 0;
	if (sk->skc_state == TCP_NEW_SYN_RECV) {
		write_handshake(ctx, sk);
		return 0;
	}
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp)
		write_connection(ctx, sk, tcp);
	return 0;
}

char _license[] SEC("license") = "GPL";
