/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes on their way: added at the end, taken from the front. All zero is an empty one. */
#ifndef BGSWITCH_BUFFER_H
#define BGSWITCH_BUFFER_H

#include <stddef.h>

struct buffer {
	char *data; /* owned */
	size_t start, end, capacity; /* data[start..end) is inside */
};

static inline size_t buffer_length(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

static inline char *buffer_front(const struct buffer *buffer)
{
	return buffer->data + buffer->start;
}

/* Room for `length` bytes at the end, filled in by buffer_added(); NULL without memory. */
char *buffer_room(struct buffer *buffer, size_t length);
void buffer_added(struct buffer *buffer, size_t length);

/* Drops bytes from the front; an empty buffer keeps no memory. */
void buffer_take(struct buffer *buffer, size_t length);
void buffer_free(struct buffer *buffer);

#endif
