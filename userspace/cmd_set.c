/* SPDX-License-Identifier: GPL-2.0-only */
#include "command.h"
#include "datapath/services.h"
#include "message.h"
#include "target.h"

enum { OPTION_FORCE = 1, OPTION_NO_WAIT };

struct request {
	const char *service; /* NULL: the only one */
	enum bgs_color color;
	bool force, dry_run;
};

static bool is_color(const char *text)
{
	return color_parse(text) >= 0;
}

static int parse(struct command_context *context, int argc, char **argv, struct request *request)
{
	static const struct option own[] = {
		{ "force", no_argument, NULL, OPTION_FORCE },
		{ "no-wait", no_argument, NULL, OPTION_NO_WAIT },
		{ "dry-run", no_argument, NULL, 'n' },
		{},
	};
	const char *color;
	int option;

	while ((option = command_option(context, argc, argv, own)) != -1) {
		if (option == OPTION_FORCE)
			request->force = true;
		else if (option == 'n')
			request->dry_run = true;
		else if (option != OPTION_NO_WAIT) /* nothing waits yet: drain and soak come */
			return -1;
	}
	if (command_split_operands(context, argc, argv, is_color, &color, &request->service))
		return -1;
	if (!is_color(color))
		return failure_set(&context->failure, EXIT_USAGE, "use 'blue' or 'green'",
				   "'%s' is not a color", color);
	request->color = color_parse(color);
	return 0;
}

/* A color without a listener cannot serve: connections would fail over or be refused. */
static int check_target(struct command_context *context, const struct request *request, __u32 slot,
			const struct bgs_service *service)
{
	enum bgs_color color = request->color;
	int serves;

	if (!request->force && !color_listening(&context->datapath, slot, color))
		serves = 0; /* found without a look at every socket there is */
	else
		serves = target_check(&context->datapath, slot, service, color, &context->failure);
	if (serves < 0)
		return -1;
	if (serves || request->force)
		return 0;
	return failure_set(&context->failure, EXIT_REFUSED,
			   "start it and see 'bgswitch status', or add --force",
			   "%s: no instance of %s is listening, nothing changed", service->name,
			   color_name(color));
}

static void report(const struct command_context *context, const struct bgs_service *service,
		   const struct request *request, bool changed)
{
	const char *from = color_name(service->route.active), *to = color_name(request->color);

	if (context->json)
		command_print_json(context, json_pack("{s:s, s:s, s:s, s:b, s:b}", "service",
						      service->name, "from", from, "to", to,
						      "changed", changed && !request->dry_run,
						      "dry_run", request->dry_run));
	if (!changed)
		message_info("%s: %s is active already", service->name, to);
	else
		message_info("%s: new connections %s to %s (before: %s)", service->name,
			     request->dry_run ? "would go" : "go", to, from);
}

int cmd_set(struct command_context *context, int argc, char **argv)
{
	struct request request = {};
	struct bgs_service service;
	struct bgs_route route;
	bool changed;
	__u32 slot;

	if (parse(context, argc, argv, &request) ||
	    command_open(context, request.dry_run ? COMMAND_READS : COMMAND_CHANGES, "set") ||
	    service_find(&context->datapath, request.service, &slot, &service, &context->failure) ||
	    check_target(context, &request, slot, &service))
		return -1;
	route = (struct bgs_route){ .active = request.color, .flips = service.route.flips + 1 };
	changed = service.route.active != request.color || service.route.split_bp;
	if (changed && !request.dry_run &&
	    service_flip(&context->datapath, slot, route, &context->failure))
		return -1;
	report(context, &service, &request, changed);
	return 0;
}
