/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON objects in files that survive anything: written to a temporary file,
 * fsynced, renamed. Each says its format, and in which boot and network
 * namespace it was written.
 */
#ifndef BGSWITCH_STATE_FILE_H
#define BGSWITCH_STATE_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "failure.h"

#define STATE_FORMAT 1
#define STATE_MAX_SIZE (64 * 1024 * 1024)

/*
 * Reads it into `*root` (json_decref() it); an empty object if the file is
 * missing or is of another network namespace of this boot. A newer format is
 * refused. What `is_whole` (may be NULL) does not hold for, and what is no JSON,
 * is damaged: renamed to NAME.damaged, empty, and named in `*warning` (free()
 * it; NULL: nothing to say).
 */
int state_file_load(json_t **root, const char *directory, const char *name,
		    bool (*is_whole)(const json_t *root), char **warning, struct failure *failure);

/* Adds format, boot and network namespace to `root` and writes it (0600). */
int state_file_save(json_t *root, const char *directory, const char *name, struct failure *failure);

/* 0 also if it is not there. */
int state_file_remove(const char *directory, const char *name, struct failure *failure);

/* Was it written in this boot? */
bool state_file_is_of_this_boot(const json_t *root);

#endif
