/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/trace.h"

#include <errno.h>
#include <time.h>

#include "bgswitch/maps.h"
#include "datapath/map.h"

#define STEP_NS 200000
#define MOST_STEPS 100

bool trace_can(const struct datapath *datapath)
{
	return datapath->fds[PIN_REGISTER] >= 0;
}

int trace_arm(const struct datapath *datapath, unsigned short port)
{
	const struct bgs_probe probe = { .port = port };
	__u32 place = port % BGS_PROBES;

	return map_put(datapath->fds[PIN_PROBES], &place, &probe);
}

/* -EAGAIN: not taken yet; -ENOENT: another connection has the place. */
static int look(const struct datapath *datapath, unsigned short port, __u32 *taken_by)
{
	__u32 place = port % BGS_PROBES;
	struct bgs_probe probe;
	int err = map_get(datapath->fds[PIN_PROBES], &place, &probe);

	if (err)
		return err;
	if (probe.port != port)
		return -ENOENT;
	*taken_by = probe.taken_by;
	return *taken_by ? 0 : -EAGAIN;
}

static void disarm(const struct datapath *datapath, unsigned short port)
{
	const struct bgs_probe none = {};
	__u32 place = port % BGS_PROBES;

	map_put(datapath->fds[PIN_PROBES], &place, &none);
}

int trace_read(const struct datapath *datapath, unsigned short port, bool wait, __u32 *number)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	__u32 taken_by = 0;
	int err = look(datapath, port, &taken_by);

	/* The last ACK is on its way through this host's own queues: no event tells its arrival. */
	for (int i = 0; i < MOST_STEPS && err == -EAGAIN && wait; i++) {
		nanosleep(&step, NULL);
		err = look(datapath, port, &taken_by);
	}
	if (err != -ENOENT)
		disarm(datapath, port);
	if (err)
		return err == -EAGAIN ? -ENOENT : err;
	if (taken_by == BGS_PROBE_UNKNOWN)
		return -ENODATA;
	*number = taken_by - 1;
	return 0;
}
