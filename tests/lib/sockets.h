/* SPDX-License-Identifier: GPL-2.0-only */
/* Real sockets, by the addresses people write. What cannot fail ends the process if it does. */
#ifndef BGSWITCH_TESTS_SOCKETS_H
#define BGSWITCH_TESTS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

enum {
	SOCKET_REUSEPORT = 1, /* the kernel's test run refuses such sockets (EOPNOTSUPP) */
	SOCKET_V6ONLY = 2,
	SOCKET_MPTCP = 4,
};

/* A bound socket, or -errno if the address is taken or the protocol is not there. */
int bind_on(const char *address, int options);

/* A listening socket on "ADDRESS:PORT". */
int listen_on(const char *address, int options);
void listen_again(int fd);

__u64 cookie_of(int fd);

/* A connection to "ADDRESS:PORT", or -errno. */
int connect_to(const char *address);

/* Waits until one of these listeners has a connection, takes it and says which: its place. */
int accepted_by(const int *listeners, size_t count);

#endif
