/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/place.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "process.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static int check_netns_name(const char *name, struct failure *failure)
{
	if (*name && !strchr(name, '/') && !strchr(name, '.'))
		return 0;
	return failure_set(failure, EXIT_USAGE,
			   "use a name from 'ip netns list' without dots or slashes",
			   "--netns: '%s' cannot name a network namespace", name);
}

int place_suffix(char suffix[PLACE_SUFFIX], const char *netns, struct failure *failure)
{
	*suffix = '\0';
	if (netns && check_netns_name(netns, failure))
		return -1;
	if (netns)
		snprintf(suffix, PLACE_SUFFIX, "@%.200s", netns);
	return 0;
}

static int enter_netns(struct place *place, const char *name, struct failure *failure)
{
	char path[PATH_MAX];
	int fd, err;

	snprintf(path, sizeof(path), PROCESS_NETNS_DIR "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	place->netns_gone = fd < 0 && errno == ENOENT;
	if (fd < 0)
		return failure_set(failure, EXIT_USAGE,
				   "see 'ip netns list'; 'detach all' removes what one that is "
				   "gone left behind",
				   "--netns: no network namespace %s: %s", name, strerror(errno));
	err = setns(fd, CLONE_NEWNET) ? errno : 0;
	close(fd);
	if (err)
		return failure_errno(failure, err, "run it as root",
				     "cannot enter network namespace %s", name);
	return 0;
}

/* The cgroup2 mount, wherever it sits (unified or hybrid). */
static void find_cgroup(char *path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *entry;

	*path = '\0';
	if (!mounts)
		return;
	while ((entry = getmntent(mounts))) {
		if (!strcmp(entry->mnt_type, "cgroup2")) {
			snprintf(path, size, "%s", entry->mnt_dir);
			break;
		}
	}
	endmntent(mounts);
}

static int check_cgroup(const char *path, struct failure *failure)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return failure_errno(failure, errno, "name a cgroup v2 directory", "--cgroup %s",
				     path);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return failure_set(failure, EXIT_SYSTEM, "name a cgroup v2 directory",
				   "--cgroup %s: not on a cgroup v2 file system", path);
	return 0;
}

int place_find(struct place *place, const char *netns, const char *bpffs, const char *cgroup,
	       struct failure *failure)
{
	memset(place, 0, sizeof(*place));
	if (!bpffs)
		bpffs = DEFAULT_BPFFS;
	if (strlen(bpffs) >= sizeof(place->bpffs) ||
	    (cgroup && strlen(cgroup) >= sizeof(place->cgroup)))
		return failure_set(failure, EXIT_USAGE, "use a shorter path",
				   "--bpffs or --cgroup: path too long");
	snprintf(place->bpffs, sizeof(place->bpffs), "%s", bpffs);
	if (place_suffix(place->suffix, netns, failure))
		return -1;
	snprintf(place->pin_dir, sizeof(place->pin_dir), "%s/bgswitch%s", bpffs, place->suffix);
	snprintf(place->lock_name, sizeof(place->lock_name), "lock%s", place->suffix);
	if (netns && enter_netns(place, netns, failure))
		return -1;
	place->cgroup_given = cgroup;
	if (!cgroup) {
		find_cgroup(place->cgroup, sizeof(place->cgroup));
		return 0;
	}
	snprintf(place->cgroup, sizeof(place->cgroup), "%s", cgroup);
	return check_cgroup(cgroup, failure);
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

int place_mount_bpffs(const struct place *place, struct failure *failure)
{
	const char *path = place->bpffs;

	if (is_bpffs(path))
		return 0;
	if (mkdir(path, 0700) && errno != EEXIST)
		return failure_errno(failure, errno, "name another directory with --bpffs",
				     "cannot make %s", path);
	if (is_bpffs(path)) /* a new directory inside a mounted one */
		return 0;
	if (strcmp(path, DEFAULT_BPFFS) && rmdir(path)) {
		/* Never mount over what somebody keeps there. */
		return failure_set(failure, EXIT_SYSTEM, "name an empty one, or mount bpffs on it",
				   "--bpffs %s: not a bpffs and not empty", path);
	}
	if (mkdir(path, 0700) && errno != EEXIST)
		return failure_errno(failure, errno, "name another directory with --bpffs",
				     "cannot make %s", path);
	if (mount("bpf", path, "bpf", 0, "mode=0700"))
		return failure_errno(failure, errno, "mount one by hand and name it with --bpffs",
				     "cannot mount bpffs on %s", path);
	return 0;
}

__u64 place_netns_cookie(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	__u64 cookie = 0;
	socklen_t size = sizeof(cookie);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
		cookie = 0;
	close(fd);
	return cookie;
}
