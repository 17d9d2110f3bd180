/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "command.h"
#include "datapath/interfaces.h"
#include "message.h"

static int detach_all(struct command_context *context)
{
	struct failure *failure = &context->failure;
	const char *dir = context->place.pin_dir;

	if (datapath_remove(&context->place, failure) || pins_check_foreign(dir, failure))
		return -1;
	message_info("detached; nothing is steered any more");
	return 0;
}

static int detach_some(struct command_context *context, char **names, int count)
{
	struct interface_list left;

	if (datapath_open(&context->datapath, &context->failure))
		return -1;
	for (int i = 0; i < count; i++) {
		if (interfaces_check(&context->datapath, names[i], &context->failure))
			return -1; /* before the first is gone */
	}
	for (int i = 0; i < count; i++)
		interfaces_remove(&context->datapath, names[i]);
	interfaces_list(&context->datapath, &left);
	if (!left.count)
		return detach_all(context);
	for (int i = 0; i < count; i++)
		message_info("detached from %s", names[i]);
	return 0;
}

int cmd_detach(struct command_context *context, int argc, char **argv)
{
	bool all = false;
	int err;

	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_operands(context, argc, argv, 1, BGS_MAX_INTERFACES))
		return -1;
	for (int i = optind; i < argc; i++)
		all = all || !strcmp(argv[i], "all");
	if (command_begin(context, COMMAND_CHANGES, "detach"))
		return -1;
	err = all ? detach_all(context) : detach_some(context, argv + optind, argc - optind);
	if (!err && context->json)
		command_print_json(context, json_pack("{s:b}", "detached", 1));
	return err;
}
