/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few fields of kernel structures that listeners are recognized by. Names
 * are the kernel's own; offsets come from the running kernel's BTF.
 */
#ifndef BGSWITCH_KERNEL_BPF_H
#define BGSWITCH_KERNEL_BPF_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct inode {
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct socket {
	struct file *file;
};

struct netns_ipv4 {
	__u8 sysctl_tcp_syncookies; /* 0: never, 1: when the queue is full, 2: always */
};

struct net {
	__u64 net_cookie; /* Linux 5.14; an atomic of the same size before */
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_rcv_saddr;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	possible_net_t skc_net;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	void *sk_user_data; /* of a listener: set while it is in a socket map */
	__u32 sk_ack_backlog; /* of a listener: its accept queue */
	__u32 sk_max_ack_backlog; /* as listen() was told, and net.core.somaxconn allows */
	void *sk_reuseport_cb; /* its SO_REUSEPORT group */
};

typedef struct {
	int counter;
} atomic_t;

struct request_sock_queue {
	atomic_t qlen; /* handshakes that are under way */
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
	void *icsk_ulp_data;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u8 is_mptcp : 1;
};

struct mptcp_subflow_context {
	struct sock *conn; /* the MPTCP socket that owns the TCP one */
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

#define AF_INET 2
#define AF_INET6 10

#endif
