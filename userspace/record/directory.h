/* SPDX-License-Identifier: GPL-2.0-only */
/* The directory of state, events and history. */
#ifndef BGSWITCH_DIRECTORY_H
#define BGSWITCH_DIRECTORY_H

#include "failure.h"

#define DIRECTORY_NEXT "see its owner and mode, or name another with --state-dir"

/* Opens it, made if it is missing (0755, its parent must be there). A descriptor, or -1. */
int directory_open(const char *path, struct failure *failure);

#endif
