/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors in one epoll set, and who is told when they are ready. */
#ifndef BGSWITCH_WATCH_H
#define BGSWITCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* First member of an allocation of its own: watch_retire() frees it. */
struct watch {
	void (*ready)(struct watch *watch, uint32_t events);
	struct watch *next; /* of the retired */
};

struct watches {
	int epoll;
	struct watch *retired;
};

/* 0 or -errno */
int watches_open(struct watches *watches);
void watches_close(struct watches *watches);

/* 0 or -errno; `events` as epoll_ctl() wants them. */
int watch_add(struct watches *watches, int fd, uint32_t events, struct watch *watch);
int watch_change(struct watches *watches, int fd, uint32_t events, struct watch *watch);

/*
 * Tells nobody any more, and is freed once no event can name it. The
 * descriptor is the caller's to close or to take out.
 */
void watch_retire(struct watches *watches, struct watch *watch);

/* Tells everyone whose descriptor is ready; does not wait. */
void watches_run(struct watches *watches);

#endif
