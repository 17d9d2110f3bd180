/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a client is, as the kernel says, and what it may do. */
#ifndef BGSWITCH_ACCESS_H
#define BGSWITCH_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "control/control.h"

struct peer {
	struct call_peer id;
	gid_t *groups; /* the primary one first; owned */
	size_t group_count;
};

/* Of a connected socket, as it was when it connected; 0 or -errno. */
int peer_read(struct peer *peer, int fd);
void peer_free(struct peer *peer);
bool peer_is_own(const struct peer *peer); /* root, or the user that we run as */

#define ACCESS_NO_GROUP ((gid_t)-1)

struct access_groups {
	gid_t operators, readers; /* ACCESS_NO_GROUP: none */
};

/* Names or numbers; NULL and "" are none. Leaves `groups` alone unless it returns 0. */
int access_groups_find(struct access_groups *groups, const char *operators, const char *readers,
		       struct failure *failure);
bool access_groups_any(const struct access_groups *groups);

bool access_allows(const struct access_groups *groups, const struct peer *peer,
		   enum control_access access);

#endif
