/* SPDX-License-Identifier: GPL-2.0-only */
/* Small helpers over map descriptors. Errors are -errno. */
#ifndef BGSWITCH_MAP_H
#define BGSWITCH_MAP_H

#include <stddef.h>

/*
 * Calls `visit` for every entry of a hash; a visit that returns non-zero ends
 * the walk with that value. An entry that stays is visited once, whatever comes
 * and goes meanwhile (batched reading: Linux 5.6).
 */
int map_each(int fd, size_t key_size, size_t value_size,
	     int (*visit)(const void *key, const void *value, void *data), void *data);

int map_get(int fd, const void *key, void *value);
int map_put(int fd, const void *key, const void *value); /* adds or replaces */
int map_add(int fd, const void *key, const void *value); /* -EEXIST if it is there */
int map_delete(int fd, const void *key); /* 0 if it is not there */

/*
 * Returns when every lookup has ended that began before: from here on no
 * program sees what was deleted. Takes some milliseconds.
 */
void map_wait_for_lookups(void);

#endif
