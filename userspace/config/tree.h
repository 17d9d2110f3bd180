/* SPDX-License-Identifier: GPL-2.0-only */
/* The last part of reader_open(). */
#ifndef BGSWITCH_TREE_H
#define BGSWITCH_TREE_H

#include "config/reader.h"

/* Holds the document of a reader to what reader_open() promises. */
int tree_check(struct reader *reader);

#endif
