/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading what an iterator program writes: lines of one size, as bytes. */
#ifndef BGSWITCH_ITERATOR_H
#define BGSWITCH_ITERATOR_H

#include <stddef.h>

/*
 * Runs the iterator behind `link` and calls `each` with every line of `size`
 * bytes; a non-zero return ends it and is returned. 0 or -errno.
 */
int iterator_each(int link, size_t size, int (*each)(const void *line, void *data), void *data);

#endif
