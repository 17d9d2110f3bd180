/* SPDX-License-Identifier: GPL-2.0-only */
/* A connection that is taken is enough. */
#include <errno.h>
#include <stdio.h>

#include "check/probe.h"

static void finish(struct probe *probe, struct check_result *result)
{
	struct connection *connection = probe->private;

	probe->private = NULL;
	if (connection && result->ok) /* the server may have accepted it already */
		socket_end(&probe->prober->watches, connection);
	else if (connection)
		socket_give(&probe->prober->sockets, &probe->prober->watches, connection);
	probe_end(probe, result);
}

static void proceed(struct probe *probe);

static void tcp_ready(struct watch *watch, uint32_t events)
{
	(void)events; /* may be of the socket's former life: connect() knows */
	proceed(((struct connection *)watch)->probe);
}

/* Asking again tells how far it is: EALREADY, EISCONN or what went wrong. */
static void proceed(struct probe *probe)
{
	struct connection *connection = probe->private;
	struct check_result result = {};

	for (;;) {
		const struct probe_address *address = &probe->addresses[probe->address_now];

		if (!connection)
			connection = probe->private =
				socket_take(&probe->prober->sockets, &probe->prober->watches,
					    address->any.sa_family, tcp_ready);
		if (!connection)
			break;
		connection->probe = probe;
		if (!connect(connection->fd, &address->any, address->length) || errno == EISCONN) {
			result.ok = true;
			finish(probe, &result);
			return;
		}
		if (errno == EINPROGRESS || errno == EALREADY)
			return;
		if (errno != ECONNREFUSED || !probe_next_address(probe))
			break;
		socket_give(&probe->prober->sockets, &probe->prober->watches, connection);
		connection = NULL;
	}
	probe_fail_connect(probe, &result, errno);
	finish(probe, &result);
}

static int tcp_prepare(struct probe *probe, struct failure *failure)
{
	(void)probe, (void)failure;
	return 0;
}

static void tcp_stop(struct probe *probe)
{
	socket_give(&probe->prober->sockets, &probe->prober->watches, probe->private);
	probe->private = NULL;
}

static void tcp_expire(struct probe *probe, struct check_result *result)
{
	tcp_stop(probe);
	probe_fail(result, "no connection within %s", probe_timeout(probe));
}

static void tcp_describe(const struct probe *probe, char sent[CHECK_TEXT])
{
	char text[ENDPOINT_TEXT];

	snprintf(sent, CHECK_TEXT, "connection to %s", probe_address_text(probe, text));
}

static void tcp_dispose(struct probe *probe)
{
	(void)probe;
}

const struct probe_way probe_tcp = {
	.prepare = tcp_prepare,
	.begin = proceed,
	.expire = tcp_expire,
	.stop = tcp_stop,
	.describe = tcp_describe,
	.dispose = tcp_dispose,
};
