/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/iterator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define ROOM 65536 /* the kernel gives 8 pages at a time, at the most */

static int take_lines(const char *bytes, size_t have, size_t size,
		      int (*each)(const void *line, void *data), void *data)
{
	for (size_t at = 0; at + size <= have; at += size) {
		int err = each(bytes + at, data);

		if (err)
			return err;
	}
	return 0;
}

static int read_lines(int fd, char *buffer, size_t size, int (*each)(const void *line, void *data),
		      void *data)
{
	size_t have = 0; /* of a line that is not whole yet */

	for (;;) {
		ssize_t got = read(fd, buffer + have, ROOM - have);
		int err;

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		have += got;
		err = take_lines(buffer, have, size, each, data);
		if (err)
			return err;
		memmove(buffer, buffer + have - have % size, have % size);
		have %= size;
	}
}

int iterator_each(int link, size_t size, int (*each)(const void *line, void *data), void *data)
{
	char *buffer = malloc(ROOM);
	int fd, err;

	if (!buffer)
		return -ENOMEM;
	fd = bpf_iter_create(link);
	err = fd < 0 ? -errno : read_lines(fd, buffer, size, each, data);
	if (fd >= 0)
		close(fd);
	free(buffer);
	return err;
}
