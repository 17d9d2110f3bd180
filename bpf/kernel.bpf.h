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

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie; /* 0: nobody asked for it yet */
	unsigned long skc_flags; /* bits of enum sock_flags */
	struct sock *skc_listener; /* instead of flags, of a request socket */
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	void *sk_user_data; /* of a listener: set while it is in a socket map */
	__u32 sk_ack_backlog; /* of a listener: its accept queue */
	__u32 sk_max_ack_backlog; /* as listen() was told, and net.core.somaxconn allows */
	__u8 sk_shutdown; /* RCV_SHUTDOWN | SEND_SHUTDOWN */
	unsigned long sk_lingertime; /* with SOCK_LINGER; 0: close() resets */
	void *sk_reuseport_cb; /* its SO_REUSEPORT group */
};

struct request_sock_queue {
	atomic_t qlen; /* handshakes that are under way */
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
	void *icsk_ulp_data;
	struct {
		__u32 lrcvtime; /* jiffies: payload received last */
	} icsk_ack;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u8 is_mptcp : 1;
	__u32 lsndtime; /* jiffies: payload sent last */
	__u32 srtt_us; /* eighths of microseconds */
	__u64 bytes_received;
	__u64 bytes_acked;
	__u32 rcv_nxt; /* sequence number of the client's that is expected next */
	__u32 copied_seq; /* the application has read up to here */
	__u32 write_seq; /* it has written up to here */
	__u32 snd_una; /* and the client acknowledged up to here */
	__u32 snd_wl1; /* of the segment that moved the send window last */
	__u32 rcv_tstamp; /* jiffies: ACK received last */
	__u64 delivered_mstamp; /* us: payload of ours acknowledged last */
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

struct bpf_iter__sockmap {
	struct bpf_iter_meta *meta;
	void *key; /* NULL at the end */
	struct sock *sk;
};

#pragma clang attribute pop

/* enum sock_flags, include/net/sock.h: no process has it any more */
#define SOCK_DEAD 0
#define SOCK_LINGER 4
/* RCV_SHUTDOWN | SEND_SHUTDOWN */
#define SHUTDOWN_MASK 3

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_TIME_WAIT = 6,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
	TCP_NEW_SYN_RECV = 12, /* a request socket: a handshake under way */
};

#define AF_INET 2
#define AF_INET6 10

#endif
