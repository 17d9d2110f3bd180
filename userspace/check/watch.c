/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 256
#define BATCHES 64 /* in a run: others want their turn, and the epoll set stays readable */

int watches_open(struct watches *watches)
{
	*watches = (struct watches){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
	return watches->epoll < 0 ? -errno : 0;
}

static void free_retired(struct watches *watches)
{
	struct watch *watch;

	while ((watch = watches->retired)) {
		watches->retired = watch->next;
		free(watch);
	}
}

void watches_close(struct watches *watches)
{
	free_retired(watches);
	if (watches->epoll >= 0)
		close(watches->epoll);
	watches->epoll = -1;
}

static int control(struct watches *watches, int operation, int fd, uint32_t events,
		   struct watch *watch)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(watches->epoll, operation, fd, &event) ? -errno : 0;
}

int watch_add(struct watches *watches, int fd, uint32_t events, struct watch *watch)
{
	return control(watches, EPOLL_CTL_ADD, fd, events, watch);
}

int watch_change(struct watches *watches, int fd, uint32_t events, struct watch *watch)
{
	return control(watches, EPOLL_CTL_MOD, fd, events, watch);
}

static void ignore(struct watch *watch, uint32_t events)
{
	(void)watch, (void)events;
}

void watch_retire(struct watches *watches, struct watch *watch)
{
	watch->ready = ignore;
	watch->next = watches->retired;
	watches->retired = watch;
}

void watches_run(struct watches *watches)
{
	struct epoll_event events[BATCH];
	int count = BATCH;

	for (int batch = 0; batch < BATCHES && count == BATCH; batch++) {
		count = epoll_wait(watches->epoll, events, BATCH, 0);
		for (int i = 0; i < count; i++) {
			struct watch *watch = events[i].data.ptr;

			watch->ready(watch, events[i].events);
		}
		free_retired(watches);
	}
}
