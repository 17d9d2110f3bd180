/*
 * The smallest server that takes load: one thread, one event loop, IPv4 and IPv6.
 * It accepts at once, answers every request with its label, keeps connections
 * until the client ends them, and closes those that ask for it.
 *
 * usage: server LABEL PORT
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 65536 /* descriptors */

struct request {
	size_t length;
	char text[512];
};

static int epoll_fd;
static char answer[256];
static struct request *requests[MOST]; /* by descriptor */

static int listen_at(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096))
		err(2, "port %s", port);
	return fd;
}

static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		err(2, "epoll_ctl");
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= MOST)
			errx(2, "more than %d connections", MOST);
		requests[fd] = calloc(1, sizeof(*requests[fd]));
		if (!requests[fd])
			err(2, "request");
		watch(fd);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		err(2, "accept");
}

static void end_connection(int fd)
{
	free(requests[fd]);
	requests[fd] = NULL;
	close(fd);
}

/* Answers a whole request; false when the connection has to end. */
static bool respond(int fd, struct request *request)
{
	bool last;

	request->text[request->length] = '\0';
	if (!strstr(request->text, "\r\n\r\n"))
		return request->length < sizeof(request->text) - 1;
	last = strcasestr(request->text, "\r\nConnection: close");
	request->length = 0;
	return send(fd, answer, strlen(answer), MSG_NOSIGNAL) > 0 && !last;
}

static void serve(int fd)
{
	struct request *request = requests[fd];
	ssize_t got = recv(fd, request->text + request->length,
			   sizeof(request->text) - 1 - request->length, 0);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0)
		request->length += (size_t)got;
	if (got <= 0 || !respond(fd, request))
		end_connection(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[64];
	int listener;

	if (argc != 3)
		errx(1, "usage: server LABEL PORT");
	snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s\n",
		 strlen(argv[1]) + 1, argv[1]);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_at(argv[2]);
	watch(listener);
	for (;;) {
		int ready = epoll_wait(epoll_fd, events, 64, -1);

		for (int i = 0; i < ready; i++) {
			if (events[i].data.fd == listener)
				accept_all(listener);
			else
				serve(events[i].data.fd);
		}
	}
}
