/* SPDX-License-Identifier: GPL-2.0-only */
/* The status for people, drawn with libsmartcols. */
#ifndef BGSWITCH_STATUS_TABLE_H
#define BGSWITCH_STATUS_TABLE_H

#include <jansson.h>

/* Prints what `status -j` would: it may come from here or from the agent. */
void status_print(const json_t *status);

#endif
