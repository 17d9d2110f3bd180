/* SPDX-License-Identifier: GPL-2.0-only */
#include "record/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int directory_open(const char *path, struct failure *failure)
{
	int fd;

	if (mkdir(path, 0755) && errno != EEXIST)
		return failure_errno(failure, errno, DIRECTORY_NEXT, "cannot make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failure_errno(failure, errno, DIRECTORY_NEXT, "cannot open %s", path);
	return fd;
}
