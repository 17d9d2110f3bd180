/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * adopt: walks the sockets of the reader's network namespace, registers the
 * listeners that were open before us, and reports on every one that matters.
 * Reading it again is harmless: that is how `status` looks.
 */
#include "listener.bpf.h"

/* `tcp` is `sk` again: the helpers of Linux 6.1 want one known not to be NULL. */
static __always_inline void report(struct bpf_iter__tcp *ctx, struct sock_common *sk,
				   struct tcp_sock *tcp, const struct listener *listener,
				   enum bgs_report_kind kind, __u32 number, int error)
{
	struct sock *owner = (struct sock *)tcp;
	struct bgs_report line = {
		.kind = kind,
		.error = error,
		.number = number,
		.protocol = IPPROTO_TCP,
		.cookie = bpf_get_socket_cookie(sk),
		.address = listener->local,
		.families = listener->serves[BGS_V4] << BGS_V4 | listener->serves[BGS_V6] << BGS_V6,
	};

	if (BPF_CORE_READ_BITFIELD(tcp, is_mptcp)) {
		struct mptcp_subflow_context *subflow = tcp->inet_conn.icsk_ulp_data;

		line.protocol = IPPROTO_MPTCP;
		owner = BPF_CORE_READ(subflow, conn);
	}
	line.inode = BPF_CORE_READ(owner, sk_socket, file, f_inode, i_ino);
	bpf_seq_write(ctx->meta->seq, &line, sizeof(line));
}

static __always_inline int adopt_listener(struct sock_common *sk, const struct listener *listener,
					  __u32 number)
{
	struct bgs_instance *instance = bpf_map_lookup_elem(&instances, &number);
	struct bgs_tag tag, *stored;
	int err;

	if (!instance)
		return -ENOENT;
	stored = bpf_sk_storage_get(&tags, sk, NULL, 0);
	err = listener_insert(BY_ITERATOR, sk, listener, number, instance, stored, &tag);
	if (err)
		return err;
	stored = bpf_sk_storage_get(&tags, sk, &tag, BPF_SK_STORAGE_GET_F_CREATE);
	if (stored)
		*stored = tag;
	return 0;
}

/* Does it listen where clients of a service connect? Then the service shadows it. */
static __always_inline const __u32 *conflicting_service(const struct listener *listener)
{
	const __u32 *slot = bpf_map_lookup_elem(&listen, &listener->local);
	struct bgs_endpoint key = listener->local;

	if (slot)
		return slot;
	for (int family = 0; family < BGS_FAMILIES; family++) {
		if (!listener->serves[family])
			continue;
		address_any(key.address, family);
		slot = bpf_map_lookup_elem(&listen, &key);
		if (slot)
			return slot;
	}
	return NULL;
}

/* Listens everywhere on a port on which services have specific addresses? */
static __always_inline bool covers_services(const struct listener *listener)
{
	__u32 number = bpf_ntohs(listener->local.port);
	const struct bgs_port *port = bpf_map_lookup_elem(&ports, &number);

	return port && port->exact && address_is_any(listener->local.address);
}

/*
 * The iterator walks the namespace of whoever opened it. Listeners elsewhere
 * cannot serve (their connections would vanish), but are worth naming.
 */
static __always_inline bool is_our_netns(const struct sock_common *sk)
{
	__u32 zero = 0;
	const struct bgs_settings *set = bpf_map_lookup_elem(&settings, &zero);

	return set && set->netns_cookie == sk->skc_net.net->net_cookie;
}

SEC("iter/tcp")
int adopt(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct listener listener;
	struct tcp_sock *tcp;
	const __u32 *slot;
	bool is_backend;
	__u32 number = 0;

	if (!sk || sk->skc_state != TCP_LISTEN)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	listener_read(&listener, (struct sock_common *)tcp);
	is_backend = listener_instance(&listener, &number);
	if (!is_our_netns(sk)) {
		if (is_backend)
			report(ctx, sk, tcp, &listener, BGS_REPORT_FOREIGN, number, 0);
		return 0;
	}
	slot = conflicting_service(&listener);
	if (slot || covers_services(&listener))
		report(ctx, sk, tcp, &listener, BGS_REPORT_CONFLICT, slot ? *slot : BGS_ANY_SERVICE,
		       0);
	if (is_backend)
		report(ctx, sk, tcp, &listener, BGS_REPORT_BACKEND, number,
		       adopt_listener(sk, &listener, number));
	return 0;
}

char _license[] SEC("license") = "GPL";
