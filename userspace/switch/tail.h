/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of a stream of bytes: as much as there is room for, whatever its length. */
#ifndef BGSWITCH_TAIL_H
#define BGSWITCH_TAIL_H

#include <stddef.h>

#define TAIL_SIZE 4096

struct tail {
	size_t length;
	char bytes[TAIL_SIZE];
};

void tail_add(struct tail *tail, const char *bytes, size_t length);

/*
 * The last line that is not blank, without blanks around it and fit to be shown:
 * control characters and what is no UTF-8 are '?'. Cut to `size` bytes, NUL
 * included, with "..." behind. Empty if there is none.
 */
void tail_last_line(const struct tail *tail, char *line, size_t size);

#endif
