/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/service_check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "datapath/map.h"
#include "datapath/trace.h"
#include "text.h"

/* A port of the kernel's choice may be the service's own: then it is asked for another. */
#define MAX_BINDS 8

struct service_check {
	const struct datapath *datapath;
	__u32 slot;
	struct bgs_service before;
	struct bgs_endpoint target;
	int fd;
	unsigned short port; /* our own */
	struct timespec began;
};

__attribute__((format(printf, 2, 3))) static void fail(struct service_check_result *result,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(result->error, sizeof(result->error), format, args);
	va_end(args);
	result->ok = false;
}

/* strerror() in the middle of a line. */
static void fail_errno(struct service_check_result *result, int error)
{
	const char *words = strerror(error);

	fail(result, "%s: %c%s", result->address, tolower((unsigned char)*words), words + 1);
}

static void end_result(struct service_check_result *result)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	result->ended_ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * An address by which this host reaches the service. A wildcard is tried on
 * loopback; where that very address is another service's, on the next one,
 * of which IPv6 has none.
 */
static bool choose_target(const struct datapath *datapath, __u32 slot,
			  const struct bgs_endpoint *listen, struct bgs_endpoint *target)
{
	__u32 owner, last = endpoint_is_v4(listen) ? 254 : 1;

	*target = *listen;
	if (!endpoint_is_wildcard(listen))
		return true;
	for (__u32 host = 1; host <= last; host++) {
		target->address[3] = htonl(endpoint_is_v4(listen) ? INADDR_LOOPBACK - 1 + host : 1);
		if (map_get(datapath->fds[PIN_LISTEN], target, &owner) || owner == slot)
			return true;
	}
	return false;
}

static socklen_t to_sockaddr(const struct bgs_endpoint *endpoint, __be16 port,
			     struct sockaddr_storage *storage)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof(*storage));
	if (endpoint_is_v4(endpoint)) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		memcpy(&v4->sin_addr, &endpoint->address[3], sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = port;
	memcpy(&v6->sin6_addr, endpoint->address, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

/*
 * A socket whose own address is the target's: such a connection never leaves
 * this host, and is what the trace looks at. Bound before it connects, for the
 * port has to be known by then. The descriptor, or -errno.
 */
static int bind_beside(const struct bgs_endpoint *target, unsigned short *port)
{
	struct sockaddr_storage own;
	socklen_t size = to_sockaddr(target, 0, &own);
	int fd = socket(own.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = fd < 0 || bind(fd, (struct sockaddr *)&own, size) ||
				  getsockname(fd, (struct sockaddr *)&own, &size)
			  ? -errno
			  : 0;

	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	/* The port stands in the same place for both families. */
	*port = ntohs(((struct sockaddr_in *)&own)->sin_port);
	return fd;
}

static int bind_to_other_port(const struct bgs_endpoint *target, unsigned short *port)
{
	for (int i = 0; i < MAX_BINDS; i++) {
		int fd = bind_beside(target, port);

		if (fd < 0 || *port != ntohs(target->port))
			return fd;
		close(fd);
	}
	return -EADDRINUSE;
}

static int begin(struct service_check *check, struct service_check_result *result)
{
	struct sockaddr_storage target;
	socklen_t size = to_sockaddr(&check->target, check->target.port, &target);

	check->fd = bind_to_other_port(&check->target, &check->port);
	if (check->fd == -EADDRNOTAVAIL)
		fail(result, "%s: not an address of this host", result->address);
	else if (check->fd < 0)
		fail_errno(result, -check->fd);
	if (check->fd < 0)
		return -1;
	trace_arm(check->datapath, check->port);
	if (!connect(check->fd, (struct sockaddr *)&target, size) || errno == EINPROGRESS)
		return 0;
	fail_errno(result, errno);
	close(check->fd);
	return -1;
}

/* Is there an instance that the kernel could choose? A lookup notes what it finds dead. */
static bool can_serve(const struct service_check *check, const struct bgs_service *service,
		      enum bgs_color color)
{
	enum bgs_family family = endpoint_is_v4(&check->target) ? BGS_V4 : BGS_V6;
	struct bgs_rotation set;

	return !map_get(check->datapath->fds[PIN_ROTATION], &check->slot, &set) &&
	       set.ready[color][family] & service->enabled[color];
}

/* With nobody to steer to, a connection would only be refused, and counted. */
static bool can_be_seen(const struct service_check *check)
{
	return check->before.flags.pass_when_empty || can_serve(check, &check->before, BGS_BLUE) ||
	       can_serve(check, &check->before, BGS_GREEN);
}

struct service_check *service_check_begin(const struct datapath *datapath, __u32 slot,
					  const struct bgs_endpoint *listen,
					  struct service_check_result *result)
{
	struct service_check *check = calloc(1, sizeof(*check));
	int err;

	*result = (struct service_check_result){ .expected = -1, .reached = -1 };
	endpoint_format(result->address, listen, false);
	if (!check) {
		fail(result, "%s: out of memory", result->address);
		end_result(result);
		return NULL;
	}
	*check = (struct service_check){ .datapath = datapath, .slot = slot, .fd = -1 };
	clock_gettime(CLOCK_MONOTONIC, &check->began);
	err = map_get(datapath->fds[PIN_SERVICES], &slot, &check->before);
	if (err)
		fail(result, "%s: the service is gone", result->address);
	else if (!choose_target(datapath, slot, listen, &check->target) || !can_be_seen(check))
		result->ok = true; /* nobody on this host can see what becomes of it */
	else
		endpoint_format(result->address, &check->target, false);
	if (!*result->error && !result->ok && !begin(check, result))
		return check;
	end_result(result);
	free(check);
	return NULL;
}

int service_check_fd(const struct service_check *check)
{
	return check->fd;
}

static int expected_color(const struct bgs_service *service)
{
	const struct bgs_route *route = &service->route;

	if (service->flags.has_preview || (route->split_bp && route->split_bp < BGS_SPLIT_MAX))
		return -1;
	return route->split_bp ? !route->active : (int)route->active;
}

static void judge_reached(const struct service_check *check, const struct bgs_service *after,
			  __u32 number, struct service_check_result *result)
{
	struct bgs_service other;
	__u32 slot = BGS_INSTANCE_SLOT(number);

	if (slot != check->slot) {
		bool known = !map_get(check->datapath->fds[PIN_SERVICES], &slot, &other);

		fail(result, "%s went to service %s", result->address, known ? other.name : "?");
		return;
	}
	result->reached = (int)BGS_INSTANCE_COLOR(number);
	if (result->expected < 0 || result->reached == result->expected)
		return;
	/* Failover is as the map says, too. */
	if (after->flags.failover && !can_serve(check, after, result->expected)) {
		result->expected = -1;
		return;
	}
	fail(result, "%s went to %s, the map says %s", result->address, color_name(result->reached),
	     color_name(result->expected));
}

static void judge(const struct service_check *check, struct service_check_result *result)
{
	struct bgs_service after;
	__u32 number;
	int err;

	if (map_get(check->datapath->fds[PIN_SERVICES], &check->slot, &after))
		return; /* removed meanwhile: nothing is claimed any more */
	if (!memcmp(&after.route, &check->before.route, sizeof(after.route)) &&
	    !memcmp(&after.flags, &check->before.flags, sizeof(after.flags)))
		result->expected = expected_color(&after);
	err = trace_read(check->datapath, check->port, trace_can(check->datapath), &number);
	if (err == -ENODATA)
		fail(result,
		     "%s was not taken by an instance of this service (another sk_lookup program, "
		     "or a listener on the port itself)",
		     result->address);
	else if (!err)
		judge_reached(check, &after, number, result);
}

void service_check_end(struct service_check *check, struct service_check_result *result)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(int), peer_size = sizeof(peer);
	struct timespec now;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	result->duration_us = (now.tv_sec - check->began.tv_sec) * 1000000 +
			      (now.tv_nsec - check->began.tv_nsec) / 1000;
	result->ok = true;
	if (getsockopt(check->fd, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	if (error)
		fail_errno(result, error);
	else if (getpeername(check->fd, (struct sockaddr *)&peer, &peer_size))
		fail(result, "%s: no answer in time", result->address);
	else
		judge(check, result);
	close(check->fd);
	end_result(result);
	free(check);
}

static json_t *color_or_null(int color)
{
	return color < 0 ? json_null() : json_string(color_name(color));
}

json_t *service_check_json(const struct service_check_result *result)
{
	return json_pack("{s:b, s:s, s:o, s:o, s:f, s:I, s:o}", "ok", result->ok, "address",
			 result->address, "expected", color_or_null(result->expected), "reached",
			 color_or_null(result->reached), "ms", result->duration_us / 1e3, "at_ms",
			 (json_int_t)result->ended_ms, "error",
			 *result->error ? text_json(result->error) : json_null());
}
