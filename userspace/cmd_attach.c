/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "datapath/attach.h"
#include "datapath/services.h"
#include "message.h"
#include "status.h"

/* What `attach` makes of a machine that has no service yet. */
static const struct {
	const char *name;
	unsigned short listen, blue, green;
} default_service = { "default", 80, 8081, 8082 };

static struct endpoint any_address(unsigned short port)
{
	return (struct endpoint){
		.key = { .port = htons(port), .protocol = IPPROTO_TCP },
		.any_family = true,
	};
}

static int add_default_service(struct datapath *datapath, struct failure *failure)
{
	const struct endpoint listen = any_address(default_service.listen);
	struct service_spec spec = { .flags.failover = 1, .listen_count = BGS_FAMILIES };

	strcpy(spec.name, default_service.name);
	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++)
		spec.listen[family] = endpoint_wildcard(&listen.key, family);
	spec.colors[BGS_BLUE].instances[0] = any_address(default_service.blue);
	spec.colors[BGS_GREEN].instances[0] = any_address(default_service.green);
	spec.colors[BGS_BLUE].count = spec.colors[BGS_GREEN].count = 1;
	return service_add(datapath, &spec, failure);
}

/* Nothing steers yet; later, no service means that somebody removed them. */
static int prepare(struct datapath *datapath, void *data, struct failure *failure)
{
	struct service *services;
	int count = services_read(datapath, &services, failure);

	(void)data;
	if (count < 0)
		return -1;
	free(services);
	return count ? 0 : add_default_service(datapath, failure);
}

static int find_interfaces(struct command_context *context, int argc, char **argv,
			   struct interface *found)
{
	for (int i = optind; i < argc; i++) {
		if (interface_find(&found[i - optind], argv[i], &context->failure))
			return -1;
	}
	return 0;
}

static int report(struct command_context *context)
{
	struct status status;

	if (status_read(&status, &context->datapath, &context->failure))
		return -1;
	if (context->json)
		command_print_json(context, status_json(&status));
	for (size_t i = 0; i < status.interfaces.count; i++)
		message_info("attached to %s", status.interfaces.items[i].name);
	for (size_t i = 0; i < status.warnings.count && !context->json; i++)
		message_warning("%s", status.warnings.texts[i]);
	status_free(&status);
	return 0;
}

int cmd_attach(struct command_context *context, int argc, char **argv)
{
	struct interface interfaces[BGS_MAX_INTERFACES];
	struct attachment attachment = { .interfaces = interfaces, .prepare = prepare };

	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_operands(context, argc, argv, 1, BGS_MAX_INTERFACES) ||
	    command_begin(context, COMMAND_CHANGES, "attach") ||
	    find_interfaces(context, argc, argv, interfaces))
		return -1;
	attachment.count = argc - optind;
	if (datapath_attach(&context->datapath, &attachment, &context->failure))
		return -1;
	command_keep(context);
	return report(context);
}

/* The programs of this binary over the maps that are there; interfaces stay. */
int cmd_upgrade(struct command_context *context, int argc, char **argv)
{
	struct interface_list list;

	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_operands(context, argc, argv, 0, 0) ||
	    command_open(context, COMMAND_CHANGES, "upgrade") ||
	    pins_check_foreign(context->place.pin_dir, &context->failure) ||
	    services_repair(&context->datapath, &context->failure))
		return -1;
	interfaces_list(&context->datapath, &list);
	if (datapath_load(&context->datapath, list.count && !list.items[0].index,
			  &context->failure))
		return -1;
	return report(context);
}
