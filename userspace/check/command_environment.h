/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BGSWITCH_COMMAND_ENVIRONMENT_H
#define BGSWITCH_COMMAND_ENVIRONMENT_H

struct probe;

/*
 * Our environment without what is between systemd and us, and with
 * BGSWITCH_ADDRESS ("127.0.0.1:8081"), BGSWITCH_HOST and BGSWITCH_PORT.
 * words_free() it; NULL: out of memory.
 */
char **command_environment(const struct probe *probe);

#endif
