/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/persist.h"

#include <stdio.h>
#include <stdlib.h>

void files_name(struct files *files, const char *directory, const char *suffix)
{
	files->directory = directory;
	snprintf(files->state, sizeof(files->state), "state%.40s.json", suffix);
	snprintf(files->events, sizeof(files->events), "events%.40s.jsonl", suffix);
	snprintf(files->history, sizeof(files->history), "history%.40s.jsonl", suffix);
}

int files_open_state(const struct files *files, struct state **state,
		     void (*warn)(const char *text, void *data), void *data,
		     struct failure *failure)
{
	char *warning = NULL;
	int err = state_open(state, files->directory, files->state, &warning, failure);

	if (!err && warning && warn)
		warn(warning, data);
	free(warning);
	return err;
}

int files_save_maps(const struct files *files, const struct datapath *datapath,
		    struct failure *failure)
{
	struct state *state;
	int err;

	if (files_open_state(files, &state, NULL, NULL, failure))
		return -1;
	err = state_capture(state, datapath, failure);
	if (!err)
		err = state_save(state, failure);
	state_close(state);
	return err;
}

int files_save_operation(const struct files *files, const struct datapath *datapath,
			 const char *service, const struct operation *operation, int previous,
			 struct failure *failure)
{
	struct state *state;
	int err;

	if (files_open_state(files, &state, NULL, NULL, failure))
		return -1;
	err = state_capture(state, datapath, failure);
	if (!err) {
		state_set_operation(state, service, operation);
		state_set_previous(state, service, previous);
		err = state_save(state, failure);
	}
	state_close(state);
	return err;
}
