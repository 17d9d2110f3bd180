/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * register: a socket that starts to listen on a declared address is in the map
 * before its listen() returns. It counts the connections that such listeners
 * accept. And it says who took a connection of our own, which is how the switch
 * checks itself.
 */
#include "account.bpf.h"
#include "listener.bpf.h"

/* Off only to measure what counting costs: tests/bench/bench_account.c. */
const volatile bool counts_connections = true;

static __always_inline bool is_our_netns(struct bpf_sock_ops *ops)
{
	__u32 zero = 0;
	const struct bgs_settings *set = bpf_map_lookup_elem(&settings, &zero);

	/* The cgroup knows no namespaces, and bpf_sk_assign() in sk_lookup does not look. */
	return set && set->netns_cookie == bpf_get_netns_cookie(ops);
}

static __always_inline void register_listener(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	struct bgs_instance *instance;
	struct listener listener;
	struct bgs_tag tag, *stored;
	__u32 number;

	if (!tcp)
		return;
	listener_read(&listener, (struct sock_common *)tcp);
	if (!listener_instance(&listener, &number))
		return;
	instance = bpf_map_lookup_elem(&instances, &number);
	if (!instance)
		return;
	/*
	 * A socket that listens again, after shutdown(), has a tag. Kernels differ in
	 * whether it still has its place: if it is in no map, it enters anew.
	 */
	stored = ((struct sock *)tcp)->sk_user_data ? bpf_sk_storage_get(&tags, sk, NULL, 0) : NULL;
	if (listener_insert(AT_LISTEN, ops, &listener, number, instance, stored, &tag))
		return; /* `adopt` will meet the same error and report it */
	stored = bpf_sk_storage_get(&tags, sk, &tag, BPF_SK_STORAGE_GET_F_CREATE);
	if (stored)
		*stored = tag;
}

/* Both ends have the same address: the connection never leaves this host. */
static __always_inline bool is_own(const struct bpf_sock_ops *ops)
{
	if (ops->family == AF_INET)
		return ctx_read(ops->remote_ip4) == ctx_read(ops->local_ip4);
	return ctx_read(ops->remote_ip6[0]) == ctx_read(ops->local_ip6[0]) &&
	       ctx_read(ops->remote_ip6[1]) == ctx_read(ops->local_ip6[1]) &&
	       ctx_read(ops->remote_ip6[2]) == ctx_read(ops->local_ip6[2]) &&
	       ctx_read(ops->remote_ip6[3]) == ctx_read(ops->local_ip6[3]);
}

/* The instance that an accepted socket's listener stood for, plus one. */
static __always_inline __u32 taken_by(struct bpf_sock *sk)
{
	const struct bgs_tag *tag = bpf_sk_storage_get(&tags, sk, NULL, 0);
	const struct bgs_instance *instance;

	if (!tag)
		return BGS_PROBE_UNKNOWN;
	instance = bpf_map_lookup_elem(&instances, &tag->instance);
	return instance && instance->serial == tag->serial ? tag->instance + 1 : BGS_PROBE_UNKNOWN;
}

/* Every connection that is taken comes along here: the port decides first. */
static __always_inline void trace(struct bpf_sock_ops *ops)
{
	__u32 port = bpf_ntohl(ops->remote_port), place = port % BGS_PROBES;
	struct bgs_probe *probe = bpf_map_lookup_elem(&probes, &place);
	struct bpf_sock *sk;

	if (!probe || probe->port != port || !is_own(ops) || !is_our_netns(ops))
		return;
	sk = ops->sk;
	if (sk)
		probe->taken_by = taken_by(sk);
}

SEC("sockops")
int register_listeners(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk;

	switch (ops->op) {
	case BPF_SOCK_OPS_STATE_CB:
		if (counts_connections)
			account_state(ops);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		trace(ops);
		if (counts_connections)
			account_open(ops);
		break;
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		sk = ops->sk;
		if (sk && is_our_netns(ops))
			register_listener(ops, sk);
		break;
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
