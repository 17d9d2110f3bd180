/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <unistd.h>

#include "command.h"
#include "control/client.h"
#include "datapath/services.h"
#include "message.h"
#include "percent.h"
#include "target.h"

static bool is_percentage(const char *text)
{
	return isdigit((unsigned char)*text) || *text == '-' || *text == '+' || *text == '.';
}

/* {"service", "standby", "split"} */
static json_t *by_agent(struct command_context *context, int agent, const char *service,
			unsigned int split)
{
	struct client_call call = {
		.method = "Split",
		.parameters = json_pack("{s:i}", "basis_points", (int)split),
		.stop_fd = -1,
	};
	json_t *reply, *result;

	if (service)
		json_object_set_new(call.parameters, "service", json_string(service));
	reply = client_call(agent, &call, &context->failure);
	close(agent);
	result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	return result;
}

static json_t *by_itself(struct command_context *context, const char *name, unsigned int split)
{
	struct bgs_service service;
	__u32 slot;

	if (command_need_root(context) || command_open(context, COMMAND_CHANGES, "split") ||
	    service_find(&context->datapath, name, &slot, &service, &context->failure))
		return NULL;
	if (split)
		target_warn(&context->datapath, slot, &service, !service.route.active);
	service.route.split_bp = split;
	service.route.flips++;
	if (service_flip(&context->datapath, slot, service.route, &context->failure))
		return NULL;
	command_keep(context);
	return json_pack("{s:s, s:s, s:i}", "service", service.name, "standby",
			 color_name(!service.route.active), "split", (int)split);
}

int cmd_split(struct command_context *context, int argc, char **argv)
{
	const char *text, *name;
	unsigned int split = 0;
	char share[16];
	json_t *result;
	int agent;

	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_split_operands(context, argc, argv, is_percentage, &text, &name) ||
	    percent_parse(&split, text, &context->failure))
		return -1;
	agent = command_agent(context);
	if (agent == -1)
		return -1;
	result = agent >= 0 ? by_agent(context, agent, name, split)
			    : by_itself(context, name, split);
	if (!result)
		return -1;
	message_info("%s: %s of new connections go to %s",
		     json_string_value(json_object_get(result, "service")),
		     percent_format(share, split),
		     json_string_value(json_object_get(result, "standby")));
	if (context->json)
		command_print_json(context, result);
	else
		json_decref(result);
	return 0;
}
