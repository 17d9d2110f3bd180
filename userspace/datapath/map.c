/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/membarrier.h>

#define CHUNK 1024 /* entries asked for at once; a hash bucket has to fit */

/* The kernel's cursor walks buckets, so entries that come and go disturb no others. */
static int each_chunk(int fd, size_t key_size, size_t value_size, unsigned char *keys,
		      unsigned char *values,
		      int (*visit)(const void *key, const void *value, void *data), void *data)
{
	__u64 cursor[4]; /* opaque; as large as a key at the most */
	bool first = true, last = false;

	while (!last) {
		__u32 count = CHUNK;

		if (bpf_map_lookup_batch(fd, first ? NULL : cursor, cursor, keys, values, &count,
					 NULL)) {
			if (errno != ENOENT)
				return -errno;
			last = true;
		}
		first = false;
		for (__u32 i = 0; i < count; i++) {
			int err = visit(keys + i * key_size, values + i * value_size, data);

			if (err)
				return err;
		}
	}
	return 0;
}

int map_each(int fd, size_t key_size, size_t value_size,
	     int (*visit)(const void *key, const void *value, void *data), void *data)
{
	unsigned char *keys = malloc(CHUNK * key_size), *values = malloc(CHUNK * value_size);
	int err = keys && values ? each_chunk(fd, key_size, value_size, keys, values, visit, data)
				 : -ENOMEM;

	free(keys);
	free(values);
	return err;
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
