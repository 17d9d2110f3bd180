/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/links.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#define MAX_READS 64 /* at a time; the loop comes again for the rest */
#define NEXT "see 'ulimit -n' and the system's memory"

struct links {
	struct mnl_socket *socket;
	sd_event_source *source;
	void (*changed)(void *data);
	void *data;
};

/* Reads what is there; true if there was anything, or if something was lost. */
static bool drain(const struct links *links)
{
	char buffer[8192]; /* what the messages say is found out otherwise */
	bool any = false;

	for (int i = 0; i < MAX_READS; i++) {
		ssize_t got = mnl_socket_recvfrom(links->socket, buffer, sizeof(buffer));

		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (got < 0 && errno == EINTR)
			continue;
		any = true; /* ENOBUFS: messages were dropped, and anything may have changed */
	}
	return any;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	const struct links *links = data;

	(void)source, (void)fd, (void)events;
	if (drain(links))
		links->changed(links->data);
	return 0;
}

static int open_socket(struct links *links)
{
	links->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!links->socket || mnl_socket_bind(links->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID))
		return -errno;
	return 0;
}

struct links *links_new(sd_event *event, void (*changed)(void *data), void *data,
			struct failure *failure)
{
	struct links *links = calloc(1, sizeof(*links));
	int err = links ? 0 : -ENOMEM;

	if (!err) {
		links->changed = changed;
		links->data = data;
		err = open_socket(links);
	}
	if (!err)
		err = sd_event_add_io(event, &links->source, mnl_socket_get_fd(links->socket),
				      EPOLLIN, on_readable, links);
	if (err >= 0)
		return links;
	links_free(links);
	failure_errno(failure, -err, NEXT, "cannot watch the network interfaces");
	return NULL;
}

void links_free(struct links *links)
{
	if (!links)
		return;
	sd_event_source_disable_unref(links->source);
	if (links->socket)
		mnl_socket_close(links->socket);
	free(links);
}
