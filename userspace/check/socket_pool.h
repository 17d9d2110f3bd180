/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP sockets that are used again: connect(AF_UNSPEC) resets a connection and
 * leaves a fresh socket that is still in the epoll set. Each check has a
 * connection of its own, without TIME_WAIT on either side and without
 * socket(), epoll_ctl() and close() each time.
 */
#ifndef BGSWITCH_SOCKET_POOL_H
#define BGSWITCH_SOCKET_POOL_H

#include <stdint.h>
#include <sys/socket.h>

#include "check/http_answer.h"
#include "check/watch.h"

struct probe;

/* A socket, and the check that uses it. */
struct connection {
	struct watch watch;
	struct connection *next; /* of the idle */
	int fd;
	sa_family_t family;
	/* The user's own, set again for each check. */
	struct probe *probe;
	uint64_t connected_ns; /* 0: not yet */
	size_t sent; /* bytes of the request */
	struct http_answer answer;
};

struct socket_pool {
	struct connection *idle[2]; /* v4, v6 */
	size_t idle_count, idle_least; /* the least since the last trim */
	uint64_t trim_ns; /* when to trim next */
};

/*
 * A nonblocking socket of this family, in the epoll set edge-triggered for
 * everything. Events of its former life can still arrive: believe only what the
 * socket itself says. NULL with errno set.
 */
struct connection *socket_take(struct socket_pool *pool, struct watches *watches,
			       sa_family_t family,
			       void (*ready)(struct watch *watch, uint32_t events));

/* Resets its connection and keeps it for the next; `connection` is the pool's again. */
void socket_give(struct socket_pool *pool, struct watches *watches, struct connection *connection);

/*
 * Closes it in order instead: its server reads an end of file, not a reset,
 * which many log as an error.
 */
void socket_end(struct watches *watches, struct connection *connection);

/* Closes sockets that nobody has needed for a while; cheap when it is not time yet. */
void socket_pool_trim(struct socket_pool *pool, struct watches *watches, uint64_t now_ns);
void socket_pool_close(struct socket_pool *pool, struct watches *watches);

#endif
