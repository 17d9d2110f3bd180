/* SPDX-License-Identifier: GPL-2.0-only */
#include "record/files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/event.h"
#include "record/history.h"

static void name_file(char name[NAME_MAX], const char *base, const char *suffix, const char *ending)
{
	snprintf(name, NAME_MAX, "%s%s%s", base, suffix, ending);
}

void files_name(struct files *files, const char *directory, const char *suffix)
{
	files->directory = directory;
	name_file(files->state, STATE_NAME, suffix, STATE_ENDING);
	name_file(files->events, EVENTS_NAME, suffix, EVENTS_ENDING);
	name_file(files->history, HISTORY_NAME, suffix, HISTORY_ENDING);
}

int files_open_state(const struct files *files, struct state **state,
		     void (*warn)(const char *text, void *data), void *data,
		     struct failure *failure)
{
	char *warning = NULL;
	int err = state_open(state, files->directory, files->state, &warning, failure);

	if (!err && warning && warn)
		warn(warning, data);
	else if (!err && warning && files->warn)
		files->warn(warning);
	free(warning);
	return err;
}

/* What a save writes beside the maps; each may be missing. */
struct addition {
	bool previews;
	const struct policy *policy; /* of `service`; else its operation is meant, */
	bool is_stop; /* or its stop */
	const struct pending_stop *stop;
	const char *service;
	const struct operation *operation;
	int previous;
};

static int save(const struct files *files, const struct datapath *datapath,
		const struct addition *addition, struct failure *failure)
{
	struct state *state;
	int err;

	if (files_open_state(files, &state, NULL, NULL, failure))
		return -1;
	err = addition->previews ? state_save_previews(state, datapath, failure) : 0;
	if (!err)
		err = state_capture(state, datapath, failure);
	if (!err && addition->policy) {
		state_set_policy(state, addition->service, addition->policy);
	} else if (!err && addition->is_stop) {
		state_set_stop(state, addition->service, addition->stop);
	} else if (!err && addition->service) {
		state_set_operation(state, addition->service, addition->operation);
		state_set_previous(state, addition->service, addition->previous);
	}
	if (!err)
		err = state_save(state, failure);
	state_close(state);
	return err;
}

int files_save_maps(const struct files *files, const struct datapath *datapath,
		    struct failure *failure)
{
	const struct addition nothing = {};

	return save(files, datapath, &nothing, failure);
}

int files_save_policy(const struct files *files, const struct datapath *datapath,
		      const char *service, const struct policy *policy, struct failure *failure)
{
	const struct addition addition = { .service = service, .policy = policy };

	return save(files, datapath, &addition, failure);
}

int files_save_previews(const struct files *files, const struct datapath *datapath,
			struct failure *failure)
{
	const struct addition previews = { .previews = true };

	return save(files, datapath, &previews, failure);
}

int files_save_operation(const struct files *files, const struct datapath *datapath,
			 const char *service, const struct operation *operation, int previous,
			 struct failure *failure)
{
	const struct addition addition = { .service = service,
					   .operation = operation,
					   .previous = previous };

	return save(files, datapath, &addition, failure);
}

int files_save_stop(const struct files *files, const struct datapath *datapath, const char *service,
		    const struct pending_stop *stop, struct failure *failure)
{
	const struct addition addition = { .service = service, .is_stop = true, .stop = stop };

	return save(files, datapath, &addition, failure);
}
