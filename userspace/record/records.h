/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of JSON lines that are bounded: NAME, and NAME.1 with what came before
 * it. Several processes may append; a line is never torn, and one that a crash
 * tore is skipped by readers.
 */
#ifndef BGSWITCH_RECORDS_H
#define BGSWITCH_RECORDS_H

#include <jansson.h>
#include <stdbool.h>

#include "failure.h"

#define RECORDS_MAX_SIZE (4 * 1024 * 1024) /* of each of the two files */

/* Appends one line; takes a reference of nothing. Directory and file are made if missing. */
int records_append(const char *directory, const char *name, const json_t *line,
		   struct failure *failure);

/* Calls `visit` for every line, oldest first; non-zero ends the walk and is returned. -1: failure. */
int records_read(const char *directory, const char *name,
		 int (*visit)(const json_t *line, void *data), void *data, struct failure *failure);

/*
 * Then goes on with lines as they come, also over rotation, until `visit`
 * returns non-zero or `stop_fd` becomes readable (-1: never).
 */
int records_follow(const char *directory, const char *name, int stop_fd,
		   int (*visit)(const json_t *line, void *data), void *data,
		   struct failure *failure);

#endif
