/* SPDX-License-Identifier: GPL-2.0-only */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_owner(int fd, const char *path, struct failure *failure)
{
	struct stat st;

	if (fstat(fd, &st))
		return failure_errno(failure, errno, "see the run directory", "stat %s", path);
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return failure_set(failure, EXIT_SYSTEM,
				   "make it root's alone, or name another with --run-dir",
				   "%s can be written by others than its user", path);
	return 0;
}

static int open_run_dir(const char *run_dir, struct failure *failure)
{
	int fd;

	if (mkdir(run_dir, 0755) && errno != EEXIST)
		return failure_errno(failure, errno, "name another with --run-dir",
				     "cannot make the run directory %s", run_dir);
	fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failure_errno(failure, errno, "name another with --run-dir",
				     "cannot open the run directory %s", run_dir);
	if (check_owner(fd, run_dir, failure)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int busy(int fd, struct failure *failure)
{
	char holder[128] = "";
	ssize_t length = pread(fd, holder, sizeof(holder) - 1, 0);

	if (length > 0)
		holder[strcspn(holder, "\n")] = '\0';
	return failure_set(failure, EXIT_BUSY, "wait until it is done and try again",
			   "another operation is in progress: %s", *holder ? holder : "unnamed");
}

int lock_directory(const char *path, struct failure *failure)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		return fd < 0 ? LOCK_NO_DIRECTORY : fd;
	close(fd);
	failure_set(failure, EXIT_BUSY, "wait until it is done and try again",
		    "another operation is in progress in %s, with another run directory", path);
	return -1;
}

int lock_take(const char *run_dir, const char *name, const char *operation, struct failure *failure)
{
	int dir = open_run_dir(run_dir, failure);
	char path[PATH_MAX];
	int fd;

	if (dir < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	close(dir);
	if (fd < 0)
		return failure_errno(failure, errno, "see the run directory",
				     "cannot open the lock %s", path);
	if (check_owner(fd, path, failure))
		goto fail;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			busy(fd, failure);
		else
			failure_errno(failure, errno, "see the run directory", "cannot lock %s",
				      path);
		goto fail;
	}
	if (ftruncate(fd, 0) || dprintf(fd, "%s (pid %d)\n", operation, (int)getpid()) < 0) {
		failure_errno(failure, errno, "make room there", "cannot write %s", path);
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}
