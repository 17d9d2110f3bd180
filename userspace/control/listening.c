/* SPDX-License-Identifier: GPL-2.0-only */
#include "control/listening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lock.h"

#define NEXT_DIR "see the run directory, or name another with --run-dir"
#define BACKLOG 128

static int to_address(struct sockaddr_un *address, const char *path, struct failure *failure)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (*path != '/' || strlen(path) >= sizeof(address->sun_path))
		return failure_set(failure, EXIT_USAGE, "name a shorter one with --run-dir",
				   "the control socket %s: not an absolute path below %zu bytes",
				   path, sizeof(address->sun_path));
	strcpy(address->sun_path, path);
	return 0;
}

/* 1: somebody listens, or cannot be asked; 0: it is a dead one's; -1 with `failure` */
static int is_alive(const struct sockaddr_un *address, struct failure *failure)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int refused;

	if (fd < 0)
		return failure_errno(failure, errno, "raise the limit of open files",
				     "cannot open a socket");
	refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
		  errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

static int remove_dead(const struct sockaddr_un *address, struct failure *failure)
{
	const char *path = address->sun_path;
	struct stat st;
	int alive;

	if (lstat(path, &st))
		return errno == ENOENT ? 0
				       : failure_errno(failure, errno, NEXT_DIR, "stat %s", path);
	if (!S_ISSOCK(st.st_mode))
		return failure_set(failure, EXIT_SYSTEM, "remove it, or see who made it",
				   "%s is there and is not a socket", path);
	alive = is_alive(address, failure);
	if (alive < 0)
		return -1;
	if (alive)
		return failure_set(failure, EXIT_BUSY, "stop it first: 'systemctl stop bgswitch'",
				   "another agent is running: it answers at %s", path);
	if (unlink(path) && errno != ENOENT)
		return failure_errno(failure, errno, NEXT_DIR, "cannot remove %s", path);
	return 0;
}

/* Opened without following links: the permissions of no other file are ever changed. */
static int change_mode(const struct listening *listening, mode_t mode)
{
	char self[sizeof("/proc/self/fd/") + 12];
	int fd = open(listening->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st))
		err = -errno;
	else if (st.st_dev != listening->device || st.st_ino != listening->inode)
		err = -ESTALE;
	else if (chmod(self, mode))
		err = -errno;
	close(fd);
	return err;
}

int listening_set_open(const struct listening *listening, bool open, struct failure *failure)
{
	int err = change_mode(listening, open ? 0666 : 0600);

	return err ? failure_errno(failure, -err, NEXT_DIR, "cannot set the permissions of %s",
				   listening->path)
		   : 0;
}

static int make(struct listening *listening, const struct sockaddr_un *address,
		struct failure *failure)
{
	struct stat st;

	/* The file gets the socket's own mode: it is never open to others for a moment. */
	if (fchmod(listening->fd, 0600) ||
	    bind(listening->fd, (const struct sockaddr *)address, sizeof(*address)))
		return failure_errno(failure, errno, NEXT_DIR, "cannot make the control socket %s",
				     address->sun_path);
	if (lstat(address->sun_path, &st) || listen(listening->fd, BACKLOG)) {
		failure_errno(failure, errno, NEXT_DIR, "cannot listen at %s", address->sun_path);
		unlink(address->sun_path);
		return -1;
	}
	listening->device = st.st_dev;
	listening->inode = st.st_ino;
	return 0;
}

static int open_locked(struct listening *listening, const struct sockaddr_un *address, bool open,
		       struct failure *failure)
{
	if (remove_dead(address, failure))
		return -1;
	listening->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listening->fd < 0)
		return failure_errno(failure, errno, "raise the limit of open files",
				     "cannot open a socket");
	if (make(listening, address, failure)) {
		close(listening->fd);
		return -1;
	}
	if (open && listening_set_open(listening, true, failure)) {
		listening_close(listening);
		return -1;
	}
	return 0;
}

int listening_open(struct listening *listening, const char *path, bool open,
		   struct failure *failure)
{
	char directory[sizeof(listening->path)], lock_name[sizeof(listening->path) + 8];
	struct sockaddr_un address;
	char *slash;
	int lock, err;

	if (to_address(&address, path, failure))
		return -1;
	strcpy(listening->path, path);
	strcpy(directory, path);
	slash = strrchr(directory, '/');
	snprintf(lock_name, sizeof(lock_name), "%s.lock", slash + 1);
	slash[slash == directory] = '\0';
	/* Two agents that start at once must not both find a dead one's file. */
	lock = lock_take(directory, lock_name, "the start of another agent", failure);
	if (lock < 0)
		return -1;
	err = open_locked(listening, &address, open, failure);
	close(lock);
	return err;
}

void listening_close(struct listening *listening)
{
	struct stat st;

	if (!lstat(listening->path, &st) && st.st_dev == listening->device &&
	    st.st_ino == listening->inode)
		unlink(listening->path);
	close(listening->fd);
	listening->fd = -1;
}
