/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "command.h"
#include "message.h"
#include "text.h"

struct request {
	const char *path;
	bool dry_run;
};

static int parse(struct command_context *context, int argc, char **argv, struct request *request)
{
	static const struct option own[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{},
	};
	int option;

	while ((option = command_option(context, argc, argv, own)) != -1) {
		if (option != 'n')
			return -1;
		request->dry_run = true;
	}
	if (command_operands(context, argc, argv, 1, 1))
		return -1;
	request->path = argv[optind];
	return 0;
}

static void print(const struct command_context *context, const struct plan *plan, bool dry_run)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < plan_count(plan); i++) {
		if (context->json)
			json_array_append_new(steps, text_json(plan_line(plan, i)));
		else
			puts(plan_line(plan, i));
	}
	if (context->json)
		command_print_json(context,
				   json_pack("{s:O, s:b}", "steps", steps, "dry_run", dry_run));
	else if (!plan_count(plan))
		message_info("nothing to do");
	json_decref(steps);
}

/* What an unfinished plan has changed is to survive a reboot as well. */
static int run(struct command_context *context, struct state *state, const struct plan *plan)
{
	struct failure *failure = &context->failure, unused;

	if (!plan_run(plan, &context->datapath, failure))
		return state_save(state, failure);
	if (datapath_exists(&context->place) && !state_capture(state, &context->datapath, &unused))
		state_save(state, &unused);
	return -1;
}

static int apply(struct command_context *context, const struct request *request,
		 const struct config *config)
{
	struct state *state = NULL;
	struct plan *plan = NULL;
	int err = files_open_state(&context->files, &state, NULL, NULL, &context->failure);

	if (!err)
		err = plan_make(&plan, &context->datapath, state, config, &context->failure);
	if (!err && !request->dry_run && plan_count(plan))
		err = run(context, state, plan);
	if (!err)
		print(context, plan, request->dry_run);
	plan_free(plan);
	state_close(state);
	return err;
}

int cmd_apply(struct command_context *context, int argc, char **argv)
{
	struct failure *failure = &context->failure;
	struct request request = {};
	struct config *config;
	int err = -1;

	if (parse(context, argc, argv, &request) || config_load(&config, request.path, failure))
		return -1;
	if (config_try_secrets(config, true, failure) ||
	    command_begin(context, request.dry_run ? COMMAND_READS : COMMAND_CHANGES, "apply"))
		goto out;
	if (datapath_exists(&context->place) && datapath_open(&context->datapath, failure))
		goto out;
	if (context->datapath.fds[PIN_SETTINGS] >= 0 && !request.dry_run &&
	    services_repair(&context->datapath, failure))
		goto out;
	err = apply(context, &request, config);
out:
	config_free(config);
	return err;
}
