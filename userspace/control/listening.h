/* SPDX-License-Identifier: GPL-2.0-only */
/* The socket's file: made with the right permissions, in place of a dead agent's only. */
#ifndef BGSWITCH_LISTENING_H
#define BGSWITCH_LISTENING_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "failure.h"

struct listening {
	int fd; /* listens, nonblocking */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	dev_t device; /* of the file that is ours */
	ino_t inode;
};

/* `open` to all users, or to our own only. The file's directory must be ours alone. */
int listening_open(struct listening *listening, const char *path, bool open,
		   struct failure *failure);
int listening_set_open(const struct listening *listening, bool open, struct failure *failure);
void listening_close(struct listening *listening); /* removes the file, if it is still ours */

#endif
