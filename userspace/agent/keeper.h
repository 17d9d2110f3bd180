/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock on changes, as the agent holds it: for moments when it acts by
 * itself, and as long as somebody waits for a cutover.
 */
#ifndef BGSWITCH_KEEPER_H
#define BGSWITCH_KEEPER_H

#include "failure.h"

struct keeper {
	const char *run_dir, *lock_name, *pin_dir; /* borrowed */
	int lock, pin_lock;
	unsigned int depth; /* holds within the agent */
};

void keeper_init(struct keeper *keeper, const char *run_dir, const char *lock_name,
		 const char *pin_dir);

/* Each take needs its release. -1: another process holds it (EXIT_BUSY), or it cannot be had. */
int keeper_take(struct keeper *keeper, const char *operation, struct failure *failure);
void keeper_release(struct keeper *keeper);

/* Waits for it, `seconds` at the most: when the agent starts, before anything depends on it. */
int keeper_wait(struct keeper *keeper, const char *operation, unsigned int seconds,
		struct failure *failure);

#endif
