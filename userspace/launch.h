/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of the user's, started without a shell. */
#ifndef BGSWITCH_LAUNCH_H
#define BGSWITCH_LAUNCH_H

#include <sys/types.h>

/*
 * Starts argv[0], looked up in PATH unless it has a '/'. It leads a process group
 * of its own, reads nothing (/dev/null), writes standard output and error to
 * `output`, and has no other descriptor, no signal blocked and none ignored.
 * 0 or -errno, ENOENT and EACCES of the program included; then there is no child.
 */
int launch_group(pid_t *pid, char *const argv[], char *const environment[], int output);

#endif
