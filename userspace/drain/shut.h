/* SPDX-License-Identifier: GPL-2.0-only */
/* Shutting a socket that another process has open, if it is as it was. */
#ifndef BGSWITCH_DRAIN_SHUT_H
#define BGSWITCH_DRAIN_SHUT_H

#include <stdbool.h>
#include <sys/types.h>

#include <linux/types.h>

/* A connection as the walk saw it. */
struct shut_target {
	__u64 cookie;
	__u64 received, acked; /* bytes of payload, from and to the client */
};

/* Is it still open, with nothing come or gone since? `fd` is our own descriptor of it. */
bool shut_unchanged(int fd, const struct shut_target *target);

/*
 * Ends connection `fd` of a process: it reads the end of the file, the client gets FIN.
 * `pidfd` is of that process. 1: done; 0: it is gone, or not as it was; -EPERM: no
 * ptrace rights (or a security module or seccomp(2) forbids it); else -errno.
 */
int shut_remote(int pidfd, int fd, const struct shut_target *target);

#endif
