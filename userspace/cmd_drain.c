/* SPDX-License-Identifier: GPL-2.0-only */
#include "change.h"
#include "datapath/services.h"

static bool is_color(const char *text)
{
	return color_parse(text) >= 0;
}

int cmd_drain(struct command_context *context, int argc, char **argv)
{
	static const struct option own[] = { DRAIN_OPTIONS("timeout"), {} };
	struct change change = { .kind = CHANGE_DRAIN };
	const char *color;
	int option;

	while ((option = command_option(context, argc, argv, own)) != -1) {
		if (drain_options_parse(&change.drain, option, &context->failure) != 1)
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
