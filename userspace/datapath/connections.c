/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/connections.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>

#include "datapath/cookies.h"
#include "datapath/iterator.h"
#include "datapath/map.h"
#include "datapath/queues.h"

bool connections_is_zero(const struct connection_counts *counts)
{
	return !counts->handshaking && !counts->cookies && !counts->accept_queue &&
	       !counts->established && !counts->untagged;
}

const char *datapath_missing_accounting(const struct datapath *datapath)
{
	return datapath->fds[PIN_REGISTER] >= 0 && datapath->fds[PIN_QUEUE] >= 0 &&
			       datapath->fds[PIN_WALK] >= 0
		       ? NULL
		       : "connections are not counted (needs a cgroup v2 mount, BTF and Linux "
			 "5.15), so that no color is known to be safe to stop";
}

/* ---- gauges */

/* One copy for each CPU that the kernel may ever have; NULL: out of memory. */
static struct bgs_connections *per_cpu(int *cpus)
{
	*cpus = libbpf_num_possible_cpus();
	return *cpus > 0 ? calloc(*cpus, sizeof(struct bgs_connections)) : NULL;
}

int connections_declare(const struct datapath *datapath, __u32 number, __u64 serial)
{
	int cpus, err;
	struct bgs_connections *copies = per_cpu(&cpus);

	if (!copies)
		return -ENOMEM;
	for (int cpu = 0; cpu < cpus; cpu++)
		copies[cpu].serial = serial;
	err = map_put(datapath->fds[PIN_CONNECTIONS], &number, copies);
	free(copies);
	return err;
}

int connections_forget(const struct datapath *datapath, __u32 number)
{
	return map_delete(datapath->fds[PIN_CONNECTIONS], &number);
}

static int add_gauge(const struct datapath *datapath, __u32 number, struct bgs_connections *copies,
		     int cpus, struct connection_counts *counts)
{
	struct bgs_connections sum = {};
	int err = map_get(datapath->fds[PIN_CONNECTIONS], &number, copies);

	if (err)
		return err;
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum.opened += copies[cpu].opened;
		sum.released += copies[cpu].released;
		sum.ended += copies[cpu].ended;
	}
	/* Copies are read one after the other: an end may be seen without its beginning. */
	if (sum.opened > sum.released)
		counts->established += sum.opened - sum.released;
	if (sum.released > sum.ended)
		counts->closing += sum.released - sum.ended;
	return 0;
}

int connections_gauge(const struct datapath *datapath, __u32 number,
		      struct connection_counts *counts)
{
	int cpus, err;
	struct bgs_connections *copies = per_cpu(&cpus);

	memset(counts, 0, sizeof(*counts));
	if (!copies)
		return -ENOMEM;
	err = add_gauge(datapath, number, copies, cpus, counts);
	free(copies);
	return err;
}

static int add_gauges(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		      struct connection_counts *counts)
{
	int cpus, err = 0;
	struct bgs_connections *copies = per_cpu(&cpus);

	if (!copies)
		return -ENOMEM;
	for (__u32 place = 0; place < BGS_MAX_INSTANCES && !err; place++) {
		err = add_gauge(datapath, BGS_INSTANCE(slot, color, place), copies, cpus, counts);
		if (err == -ENOENT) /* nothing is declared in this place */
			err = 0;
	}
	free(copies);
	return err;
}

/* ---- a color */

static int add_queues(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		      struct connection_counts *counts)
{
	struct queues queues = {};
	int err = queues_of_color(datapath, slot, color, &queues);

	for (size_t i = 0; i < queues.count; i++) {
		counts->handshaking += queues.items[i].handshaking;
		counts->accept_queue += queues.items[i].accept_queue;
	}
	queues_free(&queues);
	return err;
}

int connections_count_color(const struct datapath *datapath, __u32 slot, enum bgs_color color,
			    struct connection_counts *counts)
{
	int err;

	memset(counts, 0, sizeof(*counts));
	if (datapath_missing_accounting(datapath))
		return -ENODATA;
	/* In the order in which a connection moves, lest one is missed. */
	err = cookies_pending(datapath, slot, color, &counts->cookies);
	if (!err)
		err = add_queues(datapath, slot, color, counts);
	if (!err)
		err = add_gauges(datapath, slot, color, counts);
	/* Gauges begin with the accept queue. */
	counts->established -= counts->established < counts->accept_queue ? counts->established
									  : counts->accept_queue;
	return err;
}

/* ---- the walk */

struct visit {
	int (*each)(const struct bgs_connection *connection, void *data);
	void *data;
};

static int visit_line(const void *line, void *data)
{
	const struct visit *visit = data;
	struct bgs_connection connection;

	memcpy(&connection, line, sizeof(connection));
	return visit->each(&connection, visit->data);
}

int connections_each(const struct datapath *datapath,
		     int (*each)(const struct bgs_connection *connection, void *data), void *data)
{
	struct visit visit = { each, data };

	if (datapath->fds[PIN_WALK] < 0)
		return -ENODATA;
	return iterator_each(datapath->fds[PIN_WALK], sizeof(struct bgs_connection), visit_line,
			     &visit);
}

unsigned int connections_jiffy_us(void)
{
	struct timespec jiffy;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy))
		return 4000;
	return (unsigned int)(jiffy.tv_nsec / 1000);
}

unsigned int connections_jiffies_ms(__u32 jiffies)
{
	unsigned long long ms = (unsigned long long)jiffies * connections_jiffy_us() / 1000;

	return ms > UINT_MAX ? UINT_MAX : (unsigned int)ms;
}
