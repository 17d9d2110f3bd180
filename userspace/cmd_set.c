/* SPDX-License-Identifier: GPL-2.0-only */
#include "change.h"
#include "datapath/services.h"

static bool is_color(const char *text)
{
	return color_parse(text) >= 0;
}

int cmd_set(struct command_context *context, int argc, char **argv)
{
	struct change change = { .kind = CHANGE_SET };
	const char *color;
	int option;

	while ((option = command_option(context, argc, argv, change_options)) != -1) {
		if (change_option(context, &change, option) != 1)
			return -1;
	}
	if (command_split_operands(context, argc, argv, is_color, &color, &change.service))
		return -1;
	if (!is_color(color))
		return failure_set(&context->failure, EXIT_USAGE, "use 'blue' or 'green'",
				   "'%s' is not a color", color);
	change.color = color_parse(color);
	return change_run(context, &change);
}
