/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/map.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/membarrier.h>

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

/*
 * Programs run inside an RCU read-side section, and this command waits for a
 * grace period (kernel/sched/membarrier.c, since Linux 4.3; not with nohz_full
 * CPUs, where only a lookup that runs at this very moment may see an old entry).
 */
void map_wait_for_lookups(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}
