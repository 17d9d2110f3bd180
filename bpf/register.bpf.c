/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * register: a socket that starts to listen on a declared address is in the map
 * before its listen() returns.
 */
#include "listener.bpf.h"

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

SEC("sockops")
int register_listeners(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk;

	if (ops->op != BPF_SOCK_OPS_TCP_LISTEN_CB || !is_our_netns(ops))
		return 1;
	sk = ops->sk;
	if (sk)
		register_listener(ops, sk);
	return 1;
}

char _license[] SEC("license") = "GPL";
