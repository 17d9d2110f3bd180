/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the pins go and which cgroup and network namespace are meant. */
#ifndef BGSWITCH_PLACE_H
#define BGSWITCH_PLACE_H

#include <limits.h>
#include <stdbool.h>

#include <linux/types.h>

#include "failure.h"

#define DEFAULT_BPFFS "/sys/fs/bpf"
#define PLACE_SUFFIX 208

struct place {
	char bpffs[PATH_MAX / 4];
	char pin_dir[PATH_MAX / 2]; /* BPFFS/bgswitch, or BPFFS/bgswitch@NETNS */
	char cgroup[PATH_MAX / 2]; /* empty: none found */
	bool cgroup_given; /* by the user, not found by us */
	char suffix[PLACE_SUFFIX]; /* "" or "@NETNS": in names of files that belong to it */
	char lock_name[NAME_MAX];
	bool netns_gone; /* named, and there is none of that name any more */
};

/*
 * Enters network namespace `netns` (a name under /run/netns, or NULL for the
 * current one) and works out the paths. NULL elsewhere means the default. The
 * paths are there, with `netns_gone`, when that is all that failed.
 */
int place_find(struct place *place, const char *netns, const char *bpffs, const char *cgroup,
	       struct failure *failure);

/* Works out `suffix` alone, for those who read files and may not enter (NULL: not a named one). */
int place_suffix(char suffix[PLACE_SUFFIX], const char *netns, struct failure *failure);

/* Mounts a bpffs if there is none. */
int place_mount_bpffs(const struct place *place, struct failure *failure);

/* SO_NETNS_COOKIE of the current namespace; 0 on kernels without it (< 5.14). */
__u64 place_netns_cookie(void);

#endif
