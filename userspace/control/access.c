/* SPDX-License-Identifier: GPL-2.0-only */
#include "control/access.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "number.h"

#define FIRST_GROUPS 32 /* enough for most users */
#define MOST_GROUPS 65536 /* NGROUPS_MAX of the kernel */

/* The supplementary groups after the primary one, which is there already. */
static int read_groups(struct peer *peer, int fd)
{
	for (size_t room = FIRST_GROUPS; room <= MOST_GROUPS;) {
		gid_t *groups = reallocarray(peer->groups, room + 1, sizeof(*groups));
		socklen_t size = room * sizeof(*groups);

		if (!groups)
			return -ENOMEM;
		peer->groups = groups;
		if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &size)) {
			peer->group_count = 1 + size / sizeof(*groups);
			return 0;
		}
		if (errno != ERANGE)
			return -errno;
		room = size / sizeof(*groups) > room ? size / sizeof(*groups) : room * 2;
	}
	return -E2BIG;
}

int peer_read(struct peer *peer, int fd)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	int err;

	*peer = (struct peer){};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		return -errno;
	peer->id = (struct call_peer){ .pid = cred.pid, .uid = cred.uid };
	err = read_groups(peer, fd);
	if (err) {
		peer_free(peer);
		return err;
	}
	peer->groups[0] = cred.gid;
	return 0;
}

void peer_free(struct peer *peer)
{
	free(peer->groups);
	*peer = (struct peer){};
}

bool peer_is_own(const struct peer *peer)
{
	return !peer->id.uid || peer->id.uid == geteuid();
}

static int find_group(gid_t *gid, const char *name, struct failure *failure)
{
	struct group entry, *found = NULL;
	char buffer[64 * 1024]; /* a group and the names of its members */
	unsigned int number;
	int err;

	*gid = ACCESS_NO_GROUP;
	if (!name || !*name)
		return 0;
	err = getgrnam_r(name, &entry, buffer, sizeof(buffer), &found);
	if (found)
		*gid = found->gr_gid;
	else if (number_parse(name, ACCESS_NO_GROUP - 1, &number))
		*gid = number;
	else if (err)
		return failure_errno(failure, err, "look it up with 'getent group'",
				     "cannot read the group '%s'", name);
	else
		return failure_set(failure, EXIT_USAGE, "make it with 'groupadd --system'",
				   "there is no group '%s'", name);
	return 0;
}

int access_groups_find(struct access_groups *groups, const char *operators, const char *readers,
		       struct failure *failure)
{
	struct access_groups found;

	if (find_group(&found.operators, operators, failure) ||
	    find_group(&found.readers, readers, failure))
		return -1;
	*groups = found;
	return 0;
}

bool access_groups_any(const struct access_groups *groups)
{
	return groups->operators != ACCESS_NO_GROUP || groups->readers != ACCESS_NO_GROUP;
}

static bool is_in(const struct peer *peer, gid_t group)
{
	if (group == ACCESS_NO_GROUP)
		return false;
	for (size_t i = 0; i < peer->group_count; i++)
		if (peer->groups[i] == group)
			return true;
	return false;
}

bool access_allows(const struct access_groups *groups, const struct peer *peer,
		   enum control_access access)
{
	return peer_is_own(peer) || is_in(peer, groups->operators) ||
	       (access == CONTROL_READS && is_in(peer, groups->readers));
}
