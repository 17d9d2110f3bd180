/* SPDX-License-Identifier: GPL-2.0-only */
/* A control socket with methods that show what it does, and clients without manners. */
#ifndef BGSWITCH_TESTS_RIG_H
#define BGSWITCH_TESTS_RIG_H

#include <limits.h>

#include "control/control.h"

struct rig {
	sd_event *event;
	struct control *control;
	char path[PATH_MAX];
	struct call *held; /* by Set, Events or Abort, until the test answers it */
	unsigned int calls, gone; /* that reached a method; whose client went away */
};

/*
 * Ping and Check answer at once (Check with its parameters); Set and Abort (which
 * change) and Events are held; History fails with a struct failure; Reload
 * misses its parameter; Promote expects "more"; Split is not implemented.
 */
int rig_open(struct rig *rig, const char *directory, const struct control_setup *how,
	     struct failure *failure);
void rig_close(struct rig *rig);

void rig_step(struct rig *rig); /* one turn of the loop, waiting for at most 20 ms */
void rig_settle(struct rig *rig); /* until nothing is left to do */

int rig_connect(const struct rig *rig); /* a raw client */
void rig_send(int fd, const char *text); /* with its NUL; as much as the kernel takes */
void rig_send_bytes(int fd, const void *bytes, size_t length);

/*
 * The next message, valid until the next call; NULL: the server has closed the
 * connection. Turns the loop meanwhile; no answer within 5 s fails the test.
 */
const char *rig_read(struct rig *rig, int fd);
const char *rig_call(struct rig *rig, int fd, const char *text); /* both */
void rig_expect_end(struct rig *rig, int fd); /* the server closes it; then closes `fd` */

#endif
