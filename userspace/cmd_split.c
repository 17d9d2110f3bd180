/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>

#include "command.h"
#include "datapath/services.h"
#include "message.h"
#include "percent.h"
#include "target.h"

static bool is_percentage(const char *text)
{
	return isdigit((unsigned char)*text) || *text == '-' || *text == '+' || *text == '.';
}

int cmd_split(struct command_context *context, int argc, char **argv)
{
	const char *text, *name;
	struct bgs_service service;
	unsigned int split = 0;
	char share[16];
	__u32 slot;

	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_split_operands(context, argc, argv, is_percentage, &text, &name) ||
	    percent_parse(&split, text, &context->failure) ||
	    command_open(context, COMMAND_CHANGES, "split") ||
	    service_find(&context->datapath, name, &slot, &service, &context->failure))
		return -1;
	if (split && target_check(&context->datapath, slot, &service, !service.route.active,
				  &context->failure) < 0)
		return -1;
	service.route.split_bp = split;
	service.route.flips++;
	if (service_flip(&context->datapath, slot, service.route, &context->failure))
		return -1;
	if (context->json)
		command_print_json(context, json_pack("{s:s, s:s, s:i}", "service", service.name,
						      "standby", color_name(!service.route.active),
						      "split", (int)split));
	message_info("%s: %s of new connections go to %s", service.name,
		     percent_format(share, split), color_name(!service.route.active));
	return 0;
}
