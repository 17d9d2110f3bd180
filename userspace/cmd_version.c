/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include <bpf/libbpf.h>

#include "bgswitch/limits.h"
#include "command.h"
#include "version.h"

int cmd_version(struct command_context *context, int argc, char **argv)
{
	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_operands(context, argc, argv, 0, 0))
		return -1;
	if (context->json)
		command_print_json(context, json_pack("{s:s, s:i, s:s}", "version",
						      BGSWITCH_VERSION, "layout", BGS_LAYOUT,
						      "libbpf", libbpf_version_string()));
	else
		puts("bgswitch " BGSWITCH_VERSION);
	return 0;
}
