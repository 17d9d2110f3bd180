/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/map.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <bpf/bpf.h>

#define MAX_KEY 32
#define MAX_VALUE 64

int map_each(int fd, size_t key_size, size_t value_size,
	     int (*visit)(const void *key, const void *value, void *data), void *data)
{
	unsigned char key[MAX_KEY], next[MAX_KEY], value[MAX_VALUE];
	bool more;

	if (key_size > MAX_KEY || value_size > MAX_VALUE)
		return -E2BIG;
	more = !bpf_map_get_next_key(fd, NULL, next);
	while (more) {
		int err;

		memcpy(key, next, key_size);
		/* Before the visit: once an entry is gone, its successor cannot be asked for. */
		more = !bpf_map_get_next_key(fd, key, next);
		if (bpf_map_lookup_elem(fd, key, value))
			continue; /* gone meanwhile */
		err = visit(key, value, data);
		if (err)
			return err;
	}
	return 0;
}

int map_get(int fd, const void *key, void *value)
{
	return bpf_map_lookup_elem(fd, key, value) ? -errno : 0;
}

int map_put(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) ? -errno : 0;
}

int map_add(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_NOEXIST) ? -errno : 0;
}

int map_delete(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) && errno != ENOENT ? -errno : 0;
}
