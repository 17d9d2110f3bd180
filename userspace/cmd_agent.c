/* SPDX-License-Identifier: GPL-2.0-only */
#include <unistd.h>

#include "agent/agent.h"
#include "command.h"

#define DEFAULT_CONFIG "/etc/bgswitch/bgswitch.yaml"

/* Global options as they were given, for commands that the agent runs to answer clients. */
static void keep_options(const struct command_context *context, const char *options[11])
{
	const struct {
		const char *name, *value;
	} given[] = {
		{ "--netns", context->netns },	   { "--bpffs", context->bpffs },
		{ "--run-dir", context->run_dir }, { "--state-dir", context->state_dir },
		{ "--cgroup", context->cgroup },
	};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		if (!given[i].value)
			continue;
		options[count++] = given[i].name;
		options[count++] = given[i].value;
	}
	options[count] = NULL;
}

int cmd_agent(struct command_context *context, int argc, char **argv)
{
	static const struct option own[] = { { "config", required_argument, NULL, 'c' }, {} };
	const char *options[11];
	struct agent_setup setup = { .options = options };
	int option;

	while ((option = command_option(context, argc, argv, own)) != -1) {
		if (option != 'c')
			return -1;
		setup.config_path = optarg;
	}
	if (command_operands(context, argc, argv, 0, 0) ||
	    command_begin(context, COMMAND_READS, NULL))
		return -1;
	if (!setup.config_path && !access(DEFAULT_CONFIG, F_OK))
		setup.config_path = DEFAULT_CONFIG;
	keep_options(context, options);
	setup.run_dir = command_run_dir(context);
	setup.suffix = context->place.suffix;
	setup.files = &context->files;
	setup.place = &context->place;
	return agent_run(&setup, &context->failure);
}
