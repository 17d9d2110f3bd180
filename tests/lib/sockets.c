/* SPDX-License-Identifier: GPL-2.0-only */
#include "sockets.h"

#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"

#define PATIENCE_MS 10000 /* for what takes microseconds */

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static socklen_t to_sockaddr(struct sockaddr_storage *storage, const char *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
	struct endpoint endpoint;
	struct failure failure;

	if (endpoint_parse(&endpoint, address, "test", &failure))
		errx(99, "%s", failure.what);
	memset(storage, 0, sizeof(*storage));
	if (*address != '[') { /* in brackets even ::ffff:127.0.0.1 is one of IPv6 */
		v4->sin_family = AF_INET;
		v4->sin_port = endpoint.key.port;
		memcpy(&v4->sin_addr, &endpoint.key.address[3], sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = endpoint.key.port;
	memcpy(&v6->sin6_addr, endpoint.key.address, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		err(99, "setsockopt");
}

int bind_on(const char *address, int options)
{
	struct sockaddr_storage storage;
	socklen_t size = to_sockaddr(&storage, address);
	int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC,
			options & SOCKET_MPTCP ? IPPROTO_MPTCP : IPPROTO_TCP);

	if (fd < 0)
		return -errno;
	if (options & SOCKET_REUSEPORT)
		set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (storage.ss_family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !!(options & SOCKET_V6ONLY));
	if (bind(fd, (struct sockaddr *)&storage, size)) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

void listen_again(int fd)
{
	if (listen(fd, 16))
		err(99, "listen");
}

int listen_on(const char *address, int options)
{
	int fd = bind_on(address, options);

	if (fd < 0)
		errx(99, "bind to %s: %s", address, strerror(-fd));
	listen_again(fd);
	return fd;
}

__u64 cookie_of(int fd)
{
	socklen_t size = sizeof(__u64);
	__u64 cookie;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size))
		err(99, "SO_COOKIE");
	return cookie;
}

int connect_to(const char *address)
{
	struct sockaddr_storage storage;
	socklen_t size = to_sockaddr(&storage, address);
	int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(99, "socket");
	if (connect(fd, (struct sockaddr *)&storage, size)) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

int accepted_by(const int *listeners, size_t count)
{
	struct pollfd events[count];

	for (size_t i = 0; i < count; i++)
		events[i] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
	if (poll(events, count, PATIENCE_MS) <= 0)
		errx(99, "no listener got a connection");
	for (size_t i = 0; i < count; i++) {
		if (!(events[i].revents & POLLIN))
			continue;
		close(accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC));
		return (int)i;
	}
	errx(99, "a listener failed");
}
