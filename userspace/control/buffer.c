/* SPDX-License-Identifier: GPL-2.0-only */
#include "control/buffer.h"

#include <stdlib.h>
#include <string.h>

#define SMALLEST 1024

static void move_to_front(struct buffer *buffer)
{
	size_t length = buffer_length(buffer);

	if (length)
		memmove(buffer->data, buffer_front(buffer), length);
	buffer->start = 0;
	buffer->end = length;
}

char *buffer_room(struct buffer *buffer, size_t length)
{
	size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST;
	char *data;

	if (buffer->capacity - buffer->end >= length && buffer->data)
		return buffer->data + buffer->end;
	/* At least half of it must be free: each byte moves once on average. */
	if (buffer->start >= buffer_length(buffer))
		move_to_front(buffer);
	while (capacity - buffer->end < length)
		capacity *= 2;
	if (capacity > buffer->capacity) {
		data = realloc(buffer->data, capacity);
		if (!data)
			return NULL;
		buffer->data = data;
		buffer->capacity = capacity;
	}
	return buffer->data + buffer->end;
}

void buffer_added(struct buffer *buffer, size_t length)
{
	buffer->end += length;
}

void buffer_take(struct buffer *buffer, size_t length)
{
	buffer->start += length;
	if (buffer->start == buffer->end)
		buffer_free(buffer);
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){};
}
