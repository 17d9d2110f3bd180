/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "command.h"
#include "datapath/interfaces.h"
#include "message.h"

static int detach_all(struct command_context *context)
{
	struct failure *failure = &context->failure;
	const struct place *place = &context->place;

	if (datapath_check_owner(place, failure) || pins_check_foreign(place->pin_dir, failure) ||
	    datapath_remove(place, failure) ||
	    state_remove(context->files.directory, context->files.state, failure))
		return -1;
	message_info("detached; nothing is steered any more");
	return 0;
}

static bool is_named(const struct interface *interface, char **names, int count)
{
	for (int i = 0; i < count; i++) {
		if (!strcmp(interface->name, names[i]))
			return true;
	}
	return false;
}

static int detach_some(struct command_context *context, char **names, int count)
{
	struct interface_list list;
	size_t left = 0;

	if (datapath_open(&context->datapath, &context->failure))
		return -1;
	interfaces_list(&context->datapath, &list);
	for (int i = 0; i < count && list.count; i++) {
		if (interfaces_check(&context->datapath, names[i], &context->failure))
			return -1; /* before the first is gone */
	}
	for (size_t i = 0; i < list.count; i++)
		left += !is_named(&list.items[i], names, count);
	/* With none left, also when a detach was cut short here. */
	if (!left)
		return detach_all(context);
	for (int i = 0; i < count; i++) {
		interfaces_remove(&context->datapath, names[i]);
		message_info("detached from %s", names[i]);
	}
	command_keep(context);
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
	if (command_begin(context, all ? COMMAND_REMOVES : COMMAND_CHANGES, "detach"))
		return -1;
	err = all ? detach_all(context) : detach_some(context, argv + optind, argc - optind);
	if (!err && context->json)
		command_print_json(context, json_pack("{s:b}", "detached", 1));
	return err;
}
