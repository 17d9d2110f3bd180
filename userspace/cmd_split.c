/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "datapath/services.h"
#include "message.h"
#include "status_table.h"

static bool is_percentage(const char *text)
{
	return isdigit((unsigned char)*text) || *text == '-' || *text == '+' || *text == '.';
}

/* "30", "12.5" or "30%", to basis points. */
static int parse(const char *text, unsigned int *basis_points, struct failure *failure)
{
	char *end;
	double percent = strtod(text, &end);

	/* strtod() reads more than people write: exponents, hexadecimal, infinity. */
	if (strspn(text, "0123456789.") != (size_t)(end - text) || end == text ||
	    (*end && strcmp(end, "%")) || percent > 100)
		return failure_set(failure, EXIT_USAGE, "use a number from 0 to 100",
				   "'%s' is not a percentage", text);
	*basis_points = lround(percent * 100);
	return 0;
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
	    parse(text, &split, &context->failure) ||
	    command_open(context, COMMAND_CHANGES, "split") ||
	    service_find(&context->datapath, name, &slot, &service, &context->failure))
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
