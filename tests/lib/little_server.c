/* SPDX-License-Identifier: GPL-2.0-only */
#include "little_server.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRIP_MS 20

/* Waits for `events` at fd, or for `ms` to pass; false when the server shall stop. */
static bool await(const struct little_server *server, int fd, short events, int ms)
{
	struct pollfd wanted[] = { { .fd = server->stop, .events = POLLIN },
				   { .fd = fd, .events = events } };

	poll(wanted, 2, ms);
	return !wanted[0].revents;
}

static bool read_request(struct little_server *server, int fd)
{
	size_t length = 0;
	ssize_t got;

	server->request[0] = '\0';
	while (!strstr(server->request, "\r\n\r\n")) {
		if (!await(server, fd, POLLIN, -1))
			return false;
		got = recv(fd, server->request + length, sizeof(server->request) - 1 - length, 0);
		if (got <= 0)
			return false;
		length += (size_t)got;
		server->request[length] = '\0';
	}
	return true;
}

static bool send_all(const struct little_server *server, int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t sent;

		if (!await(server, fd, POLLOUT, -1))
			return false;
		sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

static void drip(const struct little_server *server, int fd)
{
	for (size_t i = 0; i < server->length; i++) {
		if (!send_all(server, fd, server->answer + i, 1) || !await(server, -1, 0, DRIP_MS))
			return;
	}
}

static void reset(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void answer(const struct little_server *server, int fd)
{
	if (server->behaviour == LITTLE_DRIP) {
		drip(server, fd);
		return;
	}
	while (send_all(server, fd, server->answer, server->length) &&
	       server->behaviour == LITTLE_ENDLESS)
		;
	if (server->behaviour == LITTLE_STAY)
		await(server, fd, POLLIN, -1);
	else if (server->behaviour == LITTLE_RESET)
		reset(fd);
}

static void *serve(void *data)
{
	struct little_server *server = data;

	while (await(server, server->behaviour == LITTLE_DEAF ? -1 : server->listener, POLLIN,
		     -1)) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		if (server->connections++ && server->later) {
			server->answer = server->later;
			server->length = strlen(server->later);
		}
		if (read_request(server, fd))
			answer(server, fd);
		close(fd);
	}
	return NULL;
}

static void listen_at(struct little_server *server, const char *host)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	bool is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
	struct sockaddr *address = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t length = is_v4 ? sizeof(v4) : sizeof(v6);

	if (!is_v4 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
		errx(99, "'%s' is no address", host);
	server->listener =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0 || bind(server->listener, address, length) ||
	    listen(server->listener, 512) || getsockname(server->listener, address, &length))
		err(99, "little server on %s", host);
	server->port = ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
	snprintf(server->address, sizeof(server->address), is_v4 ? "%s:%u" : "[%s]:%u", host,
		 server->port);
}

void little_start(struct little_server *server, const char *host, enum little_behaviour behaviour,
		  const char *bytes, size_t length)
{
	*server = (struct little_server){
		.behaviour = behaviour,
		.answer = bytes,
		.length = length,
		.stop = eventfd(0, EFD_CLOEXEC),
	};
	listen_at(server, host);
	if (server->stop < 0 || pthread_create(&server->thread, NULL, serve, server))
		err(99, "little server");
}

void little_stop(struct little_server *server)
{
	if (eventfd_write(server->stop, 1) || pthread_join(server->thread, NULL))
		err(99, "little server");
	close(server->stop);
	close(server->listener);
}
