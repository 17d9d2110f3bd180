/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/webhook_queue.h"

#include <stdlib.h>
#include <string.h>

struct body *body_new(const char *text)
{
	size_t length = strlen(text);
	struct body *body = malloc(sizeof(*body) + length + 1);

	if (!body)
		return NULL;
	body->references = 1;
	body->length = length;
	memcpy(body->text, text, length + 1);
	return body;
}

void body_unref(struct body *body)
{
	if (body && !--body->references)
		free(body);
}

bool webhook_queue_init(struct webhook_queue *queue, size_t room)
{
	*queue = (struct webhook_queue){ .ring = calloc(room, sizeof(*queue->ring)), .room = room };
	return queue->ring;
}

void webhook_queue_free(struct webhook_queue *queue)
{
	while (queue->count)
		body_unref(webhook_queue_pop(queue));
	free(queue->ring);
	*queue = (struct webhook_queue){};
}

bool webhook_queue_push(struct webhook_queue *queue, struct body *body)
{
	bool full = queue->count == queue->room;

	if (full)
		body_unref(webhook_queue_pop(queue));
	queue->ring[(queue->first + queue->count++) % queue->room] = body;
	body->references++;
	return full;
}

struct body *webhook_queue_pop(struct webhook_queue *queue)
{
	struct body *body;

	if (!queue->count)
		return NULL;
	body = queue->ring[queue->first];
	queue->first = (queue->first + 1) % queue->room;
	queue->count--;
	return body;
}
