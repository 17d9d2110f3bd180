/* SPDX-License-Identifier: GPL-2.0-only */
#include "change.h"

int cmd_rollback(struct command_context *context, int argc, char **argv)
{
	struct change change = { .kind = CHANGE_ROLLBACK, .color = -1 };
	int option;

	while ((option = command_option(context, argc, argv, change_options)) != -1) {
		if (change_option(context, &change, option) != 1)
			return -1;
	}
	if (command_operands(context, argc, argv, 0, 1))
		return -1;
	change.service = argv[optind];
	return change_run(context, &change);
}
