/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath/iterator.h"
#include "datapath/services.h"
#include "process.h"

struct scan {
	struct listener *listeners;
	size_t count, room;
};

static int append(const void *line, void *data)
{
	struct scan *scan = data;
	struct listener *listener;

	if (scan->count == scan->room) {
		size_t room = scan->room ? 2 * scan->room : 64;
		struct listener *grown = reallocarray(scan->listeners, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		scan->listeners = grown;
		scan->room = room;
	}
	listener = &scan->listeners[scan->count++];
	*listener = (struct listener){};
	memcpy(&listener->report, line, sizeof(listener->report));
	return 0;
}

/* The iterator walks the network namespace this process is in. */
static int read_reports(const struct datapath *datapath, struct scan *scan)
{
	return iterator_each(datapath->fds[PIN_ADOPT], sizeof(struct bgs_report), append, scan);
}

int listeners_adopt(const struct datapath *datapath)
{
	struct scan scan = {};
	int err = datapath->fds[PIN_ADOPT] < 0 ? 0 : read_reports(datapath, &scan);

	free(scan.listeners);
	return err;
}

static int read_elsewhere(int netns, void *data)
{
	void **arguments = data;

	if (setns(netns, CLONE_NEWNET))
		return 0; /* not ours to see; nothing depends on it */
	return read_reports(arguments[0], arguments[1]);
}

static int scan_elsewhere(const struct datapath *datapath, struct scan *scan)
{
	void *arguments[] = { (void *)datapath, scan };
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int err;

	if (home < 0)
		return -errno;
	err = process_each_netns(read_elsewhere, arguments);
	if (setns(home, CLONE_NEWNET) && !err)
		err = -errno;
	close(home);
	return err;
}

static int name_processes(struct scan *scan)
{
	struct socket_owner *owners = calloc(scan->count + 1, sizeof(*owners));

	if (!owners)
		return -ENOMEM;
	for (size_t i = 0; i < scan->count; i++)
		owners[i].inode = scan->listeners[i].report.inode;
	process_find_owners(owners, scan->count);
	for (size_t i = 0; i < scan->count; i++) {
		scan->listeners[i].pid = owners[i].pid;
		memcpy(scan->listeners[i].comm, owners[i].comm, sizeof(owners[i].comm));
	}
	free(owners);
	return 0;
}

ssize_t listeners_scan(const struct datapath *datapath, bool elsewhere, struct listener **listeners,
		       struct failure *failure)
{
	struct scan scan = {};
	int err;

	*listeners = NULL;
	if (datapath->fds[PIN_ADOPT] < 0)
		return 0; /* datapath_missing_adoption() says so */
	err = read_reports(datapath, &scan);
	if (!err && elsewhere)
		err = scan_elsewhere(datapath, &scan);
	if (!err && scan.count)
		err = name_processes(&scan);
	if (err) {
		free(scan.listeners);
		return failure_errno(failure, -err, "run it as root", "cannot look for listeners");
	}
	*listeners = scan.listeners;
	return scan.count;
}
