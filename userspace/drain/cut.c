/* SPDX-License-Identifier: GPL-2.0-only */
/* Resets: SOCK_DESTROY over sock_diag(7), CONFIG_INET_DIAG_DESTROY, Linux 4.5. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include "datapath/services.h"
#include "drain/acts.h"
#include "endpoint.h"

struct cutting {
	__u32 slot;
	enum bgs_color color;
	unsigned int share;
	size_t count, room;
	struct bgs_connection *chosen; /* collected first: resets would disturb the walk */
};

#define WALK_ENOUGH 1 /* ends a walk; not an error */

static bool is_wanted(const struct bgs_connection *connection, const struct cutting *cutting)
{
	return connection->tag == BGS_TAGGED &&
	       (connection->kind == BGS_CONNECTION_QUEUED ||
		connection->kind == BGS_CONNECTION_HELD) &&
	       BGS_INSTANCE_SLOT(connection->instance) == cutting->slot &&
	       BGS_INSTANCE_COLOR(connection->instance) == cutting->color &&
	       connection_is_due(connection, cutting->share);
}

static int choose(const struct bgs_connection *connection, void *data)
{
	struct cutting *cutting = data;

	if (!is_wanted(connection, cutting))
		return 0;
	cutting->chosen[cutting->count++] = *connection;
	return cutting->count == cutting->room ? WALK_ENOUGH : 0;
}

/* The kernel finds IPv4 by IPv4 addresses, whatever the family of the socket. */
static void fill_address(__be32 target[4], const struct bgs_endpoint *endpoint, bool v4)
{
	if (v4)
		target[0] = endpoint->address[3];
	else
		memcpy(target, endpoint->address, sizeof(endpoint->address));
}

static void fill_request(struct inet_diag_req_v2 *request, const struct bgs_connection *connection)
{
	bool v4 = endpoint_is_v4(&connection->remote);

	request->sdiag_family = v4 ? AF_INET : AF_INET6;
	request->sdiag_protocol = IPPROTO_TCP;
	request->id.idiag_sport = connection->local.port;
	request->id.idiag_dport = connection->remote.port;
	fill_address(request->id.idiag_src, &connection->local, v4);
	fill_address(request->id.idiag_dst, &connection->remote, v4);
	request->id.idiag_if = connection->ifindex;
	request->id.idiag_cookie[0] = (__u32)connection->cookie;
	request->id.idiag_cookie[1] = (__u32)(connection->cookie >> 32);
}

/* 0 or -errno; -ENOENT: it has ended by itself. */
static int destroy(struct mnl_socket *diag, const struct bgs_connection *connection)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	ssize_t got;

	header->nlmsg_type = SOCK_DESTROY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	fill_request(mnl_nlmsg_put_extra_header(header, sizeof(struct inet_diag_req_v2)),
		     connection);
	if (mnl_socket_sendto(diag, header, header->nlmsg_len) < 0)
		return -errno;
	got = mnl_socket_recvfrom(diag, buffer, sizeof(buffer));
	if (got < 0)
		return -errno;
	return mnl_cb_run(buffer, got, 0, mnl_socket_get_portid(diag), NULL, NULL) < 0 ? -errno : 0;
}

static int destroy_chosen(const struct cutting *cutting, unsigned int *cut, struct failure *failure)
{
	struct mnl_socket *diag = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int err = 0;

	if (!diag || mnl_socket_bind(diag, 0, MNL_SOCKET_AUTOPID))
		err = -errno;
	for (size_t i = 0; i < cutting->count && !err; i++) {
		err = destroy(diag, &cutting->chosen[i]);
		if (!err)
			++*cut;
		else if (err == -ENOENT)
			err = 0;
	}
	if (diag)
		mnl_socket_close(diag);
	if (!err)
		return 0;
	return failure_errno(failure, -err,
			     err == -EOPNOTSUPP
				     ? "stop the old version, or leave it running: this kernel "
				       "has no CONFIG_INET_DIAG_DESTROY"
				     : "run it as root",
			     "connections of %s cannot be reset", color_name(cutting->color));
}

int connections_cut(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		    unsigned int share, unsigned int most, unsigned int *cut,
		    struct failure *failure)
{
	struct cutting cutting = { .slot = slot, .color = color, .share = share, .room = most };
	int err;

	*cut = 0;
	cutting.chosen = calloc(most, sizeof(*cutting.chosen));
	if (!cutting.chosen)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	err = connections_each(datapath, choose, &cutting);
	err = err < 0 ? failure_errno(failure, -err, "run it as root",
				      "connections cannot be listed")
		      : destroy_chosen(&cutting, cut, failure);
	free(cutting.chosen);
	return err;
}
