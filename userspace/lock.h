/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One change at a time. The lock is a file only root can open, so no
 * unprivileged process can hold it; the kernel drops it when its holder dies.
 */
#ifndef BGSWITCH_LOCK_H
#define BGSWITCH_LOCK_H

#include "failure.h"

/*
 * Takes the lock `name` in `run_dir` (made if missing) for `operation`.
 * Returns a file descriptor to keep until the change is done. A lock held by
 * someone else fails with EXIT_BUSY and names that operation.
 */
int lock_take(const char *run_dir, const char *name, const char *operation,
	      struct failure *failure);

#define LOCK_NO_DIRECTORY (-2)

/*
 * Locks a directory that only root can open, if it is there: keeps those apart
 * who were given different run directories. A descriptor, LOCK_NO_DIRECTORY, or
 * -1 with `failure` set.
 */
int lock_directory(const char *path, struct failure *failure);

#endif
