/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes by what they hold, from /proc. For display only: nothing is steered by it. */
#ifndef BGSWITCH_PROCESS_H
#define BGSWITCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCESS_NETNS_DIR "/run/netns" /* where ip-netns(8) keeps the named ones */

struct socket_owner {
	unsigned long long inode; /* in: of the socket; 0 is skipped */
	pid_t pid; /* out: the first process that has it open; 0 if none is visible */
	char comm[16];
};

/* Fills in pid and comm of `count` owners in one pass over /proc. */
void process_find_owners(struct socket_owner *owners, size_t count);

/*
 * Calls `visit` for every descriptor of every process that is a socket, in one
 * pass over /proc. A non-zero return ends the walk and is returned; else 0, or
 * -errno without /proc. Processes that may not be looked into are left out.
 */
int process_each_socket(int (*visit)(pid_t pid, int fd, unsigned long long inode, void *data),
			void *data);

/* Have we the right to look into every process (CAP_SYS_PTRACE), not only into our user's? */
bool process_may_trace(void);

/* 0: there is none, or it cannot be seen. */
pid_t process_parent(pid_t pid);

/*
 * Calls `visit` once for each network namespace that some process is in or that
 * ip-netns(8) has a name for, other than the caller's own. A non-zero return
 * ends the walk and is returned.
 */
int process_each_netns(int (*visit)(int netns_fd, void *data), void *data);

#endif
