/* SPDX-License-Identifier: GPL-2.0-only */
/* Bodies that wait to be sent: a bounded ring, whose entries several queues can share. */
#ifndef BGSWITCH_WEBHOOK_QUEUE_H
#define BGSWITCH_WEBHOOK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct body {
	unsigned int references;
	size_t length;
	char text[];
};

/* One reference is the caller's; NULL: out of memory. */
struct body *body_new(const char *text);
void body_unref(struct body *body); /* NULL is fine */

struct webhook_queue {
	struct body **ring;
	size_t room, first, count;
};

/* False: out of memory. */
bool webhook_queue_init(struct webhook_queue *queue, size_t room);
void webhook_queue_free(struct webhook_queue *queue);

/* Takes a reference of its own. True if the oldest one had to make room. */
bool webhook_queue_push(struct webhook_queue *queue, struct body *body);

/* The oldest one, whose reference is now the caller's; NULL: none. */
struct body *webhook_queue_pop(struct webhook_queue *queue);

#endif
