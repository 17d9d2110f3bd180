/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/keeper.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lock.h"

#define TRIES_A_SECOND 50

void keeper_init(struct keeper *keeper, const char *run_dir, const char *lock_name,
		 const char *pin_dir)
{
	*keeper = (struct keeper){
		.run_dir = run_dir,
		.lock_name = lock_name,
		.pin_dir = pin_dir,
		.lock = -1,
		.pin_lock = -1,
	};
}

int keeper_take(struct keeper *keeper, const char *operation, struct failure *failure)
{
	char name[64];

	if (keeper->depth) {
		keeper->depth++;
		return 0;
	}
	snprintf(name, sizeof(name), "agent: %s", operation);
	keeper->lock = lock_take(keeper->run_dir, keeper->lock_name, name, failure);
	if (keeper->lock < 0)
		return -1;
	keeper->pin_lock = lock_directory(keeper->pin_dir, failure);
	if (keeper->pin_lock == -1) {
		close(keeper->lock);
		return -1;
	}
	keeper->depth = 1;
	return 0;
}

void keeper_release(struct keeper *keeper)
{
	if (--keeper->depth)
		return;
	if (keeper->pin_lock >= 0)
		close(keeper->pin_lock);
	close(keeper->lock);
}

int keeper_wait(struct keeper *keeper, const char *operation, unsigned int seconds,
		struct failure *failure)
{
	const struct timespec pause = { .tv_nsec = 1000000000 / TRIES_A_SECOND };

	/* flock(2) has no time limit; its holders keep it for moments. */
	for (unsigned int i = 0; i < seconds * TRIES_A_SECOND; i++) {
		if (!keeper_take(keeper, operation, failure))
			return 0;
		if (failure->code != EXIT_BUSY)
			return -1;
		nanosleep(&pause, NULL);
	}
	return -1;
}
