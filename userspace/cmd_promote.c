/* SPDX-License-Identifier: GPL-2.0-only */
/* `promote` and `abort`: the two ways to end what is under way before its time. */
#include "change.h"

static int end(struct command_context *context, int argc, char **argv, const char *verb)
{
	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_operands(context, argc, argv, 0, 1))
		return -1;
	return change_end(context, verb, argv[optind]);
}

int cmd_promote(struct command_context *context, int argc, char **argv)
{
	return end(context, argc, argv, "promote");
}

int cmd_abort(struct command_context *context, int argc, char **argv)
{
	return end(context, argc, argv, "abort");
}
