/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/socket_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define TRIM_NS 10000000000ull

static struct connection **idle_list(struct socket_pool *pool, sa_family_t family)
{
	return &pool->idle[family == AF_INET6];
}

/* A reset socket reports its hangup; nobody is interested. */
static void idle_ready(struct watch *watch, uint32_t events)
{
	(void)watch, (void)events;
}

void socket_end(struct watches *watches, struct connection *connection)
{
	close(connection->fd);
	watch_retire(watches, &connection->watch);
}

static struct connection *make(struct watches *watches, sa_family_t family)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int err;

	if (!connection)
		return NULL;
	connection->family = family;
	connection->watch.ready = idle_ready;
	connection->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection->fd < 0) {
		free(connection);
		return NULL;
	}
	err = watch_add(watches, connection->fd, EVENTS, &connection->watch);
	if (err) {
		close(connection->fd);
		free(connection);
		errno = -err;
		return NULL;
	}
	return connection;
}

static struct connection *pop(struct socket_pool *pool, sa_family_t family)
{
	struct connection **list = idle_list(pool, family), *connection = *list;

	if (!connection)
		return NULL;
	*list = connection->next;
	pool->idle_count--;
	if (pool->idle_count < pool->idle_least)
		pool->idle_least = pool->idle_count;
	return connection;
}

struct connection *socket_take(struct socket_pool *pool, struct watches *watches,
			       sa_family_t family,
			       void (*ready)(struct watch *watch, uint32_t events))
{
	struct connection *connection = pop(pool, family);

	if (!connection)
		connection = make(watches, family);
	if (connection) {
		connection->watch.ready = ready;
		connection->connected_ns = 0;
		connection->sent = 0;
	}
	return connection;
}

void socket_give(struct socket_pool *pool, struct watches *watches, struct connection *connection)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct connection **list = idle_list(pool, connection->family);

	connection->probe = NULL;
	connection->watch.ready = idle_ready;
	if (connect(connection->fd, &nowhere, sizeof(nowhere))) {
		socket_end(watches, connection);
		return;
	}
	connection->next = *list;
	*list = connection;
	pool->idle_count++;
}

void socket_pool_trim(struct socket_pool *pool, struct watches *watches, uint64_t now_ns)
{
	struct connection *connection;
	size_t unneeded;

	if (now_ns < pool->trim_ns)
		return;
	unneeded = pool->trim_ns ? pool->idle_least : 0;
	for (int family = 0; family < 2; family++) {
		while (unneeded && (connection = pool->idle[family])) {
			pool->idle[family] = connection->next;
			socket_end(watches, connection);
			pool->idle_count--;
			unneeded--;
		}
	}
	pool->idle_least = pool->idle_count;
	pool->trim_ns = now_ns + TRIM_NS;
}

void socket_pool_close(struct socket_pool *pool, struct watches *watches)
{
	struct connection *connection;

	for (int family = 0; family < 2; family++) {
		while ((connection = pool->idle[family])) {
			pool->idle[family] = connection->next;
			socket_end(watches, connection);
		}
	}
	*pool = (struct socket_pool){};
}
