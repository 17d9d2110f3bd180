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
#include <sys/types.h>

#include "failure.h"

#define RECORDS_MAX_SIZE (4 * 1024 * 1024) /* of each of the two files */
/* A line, with its break: longer ones are refused by writers and skipped by readers. */
#define RECORDS_MAX_LINE (64 * 1024)

/*
 * Appends one line; takes a reference of nothing. Directory and file (0640) are
 * made if missing; a file that follows another one has its group and mode.
 */
int records_append(const char *directory, const char *name, const json_t *line,
		   struct failure *failure);

/* Can lines be appended? Makes what is missing. */
int records_check(const char *directory, const char *name, struct failure *failure);

/* Lets members of `group` read both files, and those that follow. Makes what is missing. */
int records_share(const char *directory, const char *name, gid_t group, struct failure *failure);

/*
 * Calls `visit` for every line (a JSON object; valid during the call, may be
 * kept by json_incref()), oldest first; non-zero ends the walk and is returned.
 * -1: failure. Files that are not there have no lines.
 */
typedef int records_visit(json_t *line, void *data);

int records_read(const char *directory, const char *name, records_visit *visit, void *data,
		 struct failure *failure);

/*
 * The same, then calls `visit` once with NULL (that was all there is), and goes
 * on with lines as they come, also over rotation, until `visit` returns
 * non-zero or `stop_fd` becomes readable (-1: never).
 */
int records_follow(const char *directory, const char *name, int stop_fd, records_visit *visit,
		   void *data, struct failure *failure);

#endif
