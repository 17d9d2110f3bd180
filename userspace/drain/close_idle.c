/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gentle closes: a walk chooses, one pass over /proc finds who has the chosen
 * sockets open, and each is looked at once more right before it is shut.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "datapath/services.h"
#include "drain/acts.h"
#include "drain/shut.h"
#include "process.h"

#define CLOSES 16384 /* at the most for each call, which bounds memory (640 KiB) */
#define WALK_ENOUGH 1 /* ends a walk; not an error */

struct candidate {
	unsigned long long inode; /* of the socket's file */
	struct shut_target target;
};

struct closing {
	__u32 slot;
	enum bgs_color color;
	unsigned int idle_ms, share;
	size_t count, missing; /* candidates; those no process was found for yet */
	struct candidate *candidates;
	pid_t pid; /* 0, or the process that is behind `pidfd` */
	int pidfd;
	unsigned int closed;
	unsigned int tried; /* an attempt came to an end: closed, or an error */
	unsigned int refused; /* of those: by missing rights */
	int error; /* the last one */
};

static unsigned int idle_for_ms(const struct bgs_connection *connection)
{
	return connections_jiffies_ms(connection->sent_ago < connection->received_ago
					      ? connection->sent_ago
					      : connection->received_ago);
}

static bool is_wanted(const struct bgs_connection *connection, const struct closing *closing)
{
	return connection->answered && connection->inode && connection->tag == BGS_TAGGED &&
	       connection->kind == BGS_CONNECTION_HELD &&
	       BGS_INSTANCE_SLOT(connection->instance) == closing->slot &&
	       BGS_INSTANCE_COLOR(connection->instance) == closing->color &&
	       idle_for_ms(connection) >= closing->idle_ms &&
	       connection_is_due(connection, closing->share);
}

static int choose(const struct bgs_connection *connection, void *data)
{
	struct closing *closing = data;

	if (!is_wanted(connection, closing))
		return 0;
	closing->candidates[closing->count++] = (struct candidate){
		.inode = connection->inode,
		.target = { .cookie = connection->cookie,
			    .received = connection->received,
			    .acked = connection->acked },
	};
	return closing->count == CLOSES ? WALK_ENOUGH : 0;
}

static int by_inode(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	return (a->inode > b->inode) - (a->inode < b->inode);
}

static int pidfd_of(struct closing *closing, pid_t pid)
{
	if (closing->pid != pid) {
		if (closing->pidfd >= 0)
			close(closing->pidfd);
		closing->pid = pid;
		closing->pidfd = pidfd_open(pid, 0);
	}
	return closing->pidfd;
}

static void note_result(struct closing *closing, int result)
{
	if (result == 1)
		closing->closed++;
	else if (result < 0)
		closing->error = -result;
	closing->tried += result != 0;
	closing->refused += result == -EPERM;
}

/* 1: there are no more to be found. */
static int close_one(pid_t pid, int fd, unsigned long long inode, void *data)
{
	const struct candidate key = { .inode = inode };
	struct closing *closing = data;
	struct candidate *candidate =
		bsearch(&key, closing->candidates, closing->count, sizeof(key), by_inode);
	int pidfd;

	if (!candidate || !candidate->target.cookie)
		return 0;
	pidfd = pidfd_of(closing, pid);
	if (pidfd < 0) {
		if (errno != ESRCH)
			note_result(closing, -errno);
		return 0;
	}
	note_result(closing, shut_remote(pidfd, fd, &candidate->target));
	candidate->target.cookie = 0; /* another process may share it: once is enough */
	return !--closing->missing;
}

/* Nothing was closed. Was there nothing to close, or could it not be done? */
static int explain(const struct closing *closing, struct failure *failure)
{
	bool none_found = closing->missing == closing->count;

	if (closing->tried ? closing->refused == closing->tried
			   : none_found && !process_may_trace())
		return failure_set(failure, EXIT_SYSTEM,
				   "run it as root with CAP_SYS_PTRACE and without a seccomp "
				   "filter for pidfd_getfd(2), or drain without --close-idle",
				   "no ptrace rights over the processes of %s: none of its idle "
				   "connections can be closed",
				   color_name(closing->color));
	if (closing->tried)
		return failure_errno(failure, closing->error, "drain without --close-idle",
				     "idle connections of %s cannot be closed",
				     color_name(closing->color));
	return 0;
}

static int close_candidates(struct closing *closing, struct failure *failure)
{
	int err;

	closing->missing = closing->count;
	qsort(closing->candidates, closing->count, sizeof(*closing->candidates), by_inode);
	err = process_each_socket(close_one, closing);
	if (closing->pidfd >= 0)
		close(closing->pidfd);
	if (err < 0)
		return failure_errno(failure, -err, "mount it", "cannot read /proc");
	return closing->closed ? 0 : explain(closing, failure);
}

int connections_close_idle(const struct datapath *datapath, __u32 slot, enum bgs_color color,
			   unsigned int idle_ms, unsigned int share, unsigned int *closed,
			   struct failure *failure)
{
	struct closing closing = {
		.slot = slot, .color = color, .idle_ms = idle_ms, .share = share, .pidfd = -1
	};
	int err;

	*closed = 0;
	closing.candidates = calloc(CLOSES, sizeof(*closing.candidates));
	if (!closing.candidates)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	err = connections_each(datapath, choose, &closing);
	if (err < 0)
		err = failure_errno(failure, -err, "run it as root",
				    "connections cannot be listed");
	else
		err = closing.count ? close_candidates(&closing, failure) : 0;
	*closed = closing.closed;
	free(closing.candidates);
	return err;
}
