/* SPDX-License-Identifier: GPL-2.0-only */
/* The files in the state directory, and keeping the one that repeats the maps in step. */
#ifndef BGSWITCH_FILES_H
#define BGSWITCH_FILES_H

#include <limits.h>

#include "record/state.h"

/* Where the files that survive are. */
struct files {
	const char *directory; /* borrowed */
	char state[NAME_MAX], events[NAME_MAX], history[NAME_MAX]; /* names in it */
	void (*warn)(const char *text); /* of what had to be set aside; NULL: not said */
};

/* Fills in the directory and the names, with `suffix` ("" or "@NETNS") before their endings. */
void files_name(struct files *files, const char *directory, const char *suffix);

/*
 * Opens the state file; what had to be set aside is said with `warn` (NULL:
 * with that of `files`). The caller holds the lock if it means to write.
 */
int files_open_state(const struct files *files, struct state **state,
		     void (*warn)(const char *text, void *data), void *data,
		     struct failure *failure);

/* The maps' part of the state file, after a change of them. */
int files_save_maps(const struct files *files, const struct datapath *datapath,
		    struct failure *failure);

/* The same, with how one service is looked after. */
int files_save_policy(const struct files *files, const struct datapath *datapath,
		      const char *service, const struct policy *policy, struct failure *failure);

/* The same after a change of preview networks. */
int files_save_previews(const struct files *files, const struct datapath *datapath,
			struct failure *failure);

/* The maps, and what is under way for one service (NULL: nothing), and where a rollback goes (-1).
 */
int files_save_operation(const struct files *files, const struct datapath *datapath,
			 const char *service, const struct operation *operation, int previous,
			 struct failure *failure);

/* The maps, and the stop that is to come for one service (NULL: none). */
int files_save_stop(const struct files *files, const struct datapath *datapath, const char *service,
		    const struct pending_stop *stop, struct failure *failure);

#endif
