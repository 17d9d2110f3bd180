/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "datapath/listeners.h"
#include "datapath/services.h"
#include "message.h"
#include "percent.h"
#include "status.h"

enum {
	OPTION_LISTEN = 1,
	OPTION_BLUE,
	OPTION_GREEN,
	OPTION_AFFINITY,
	OPTION_EMPTY,
	OPTION_FAILOVER
};

static const struct option add_options[] = {
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "blue", required_argument, NULL, OPTION_BLUE },
	{ "green", required_argument, NULL, OPTION_GREEN },
	{ "affinity", required_argument, NULL, OPTION_AFFINITY },
	{ "on-empty", required_argument, NULL, OPTION_EMPTY },
	{ "failover", required_argument, NULL, OPTION_FAILOVER },
	{},
};

static int add_listen(struct service_spec *spec, const char *text, struct failure *failure)
{
	struct endpoint endpoint;

	if (endpoint_parse(&endpoint, text, "--listen", failure))
		return -1;
	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++) {
		if (spec->listen_count == BGS_MAX_LISTEN)
			return failure_set(failure, EXIT_USAGE, "declare a second service",
					   "--listen %s: more than %d addresses", text,
					   BGS_MAX_LISTEN);
		if (!endpoint.any_family) {
			spec->listen[spec->listen_count++] = endpoint.key;
			return 0;
		}
		spec->listen[spec->listen_count++] = endpoint_wildcard(&endpoint.key, family);
	}
	return 0;
}

static int add_instance(struct service_spec *spec, enum bgs_color color, const char *text,
			struct failure *failure)
{
	struct color_spec *instances = &spec->colors[color];
	char option[16];

	snprintf(option, sizeof(option), "--%s", color_name(color));
	if (instances->count == BGS_MAX_INSTANCES)
		return failure_set(failure, EXIT_USAGE, "declare fewer",
				   "%s %s: more than %d instances", option, text,
				   BGS_MAX_INSTANCES);
	return endpoint_parse(&instances->instances[instances->count++], text, option, failure);
}

/* Addresses may be repeated options or lists with commas. */
static int add_addresses(struct service_spec *spec, int option, char *list, struct failure *failure)
{
	char *rest = list;
	const char *text;
	int err = 0;

	while (!err && (text = strsep(&rest, ","))) {
		if (option == OPTION_LISTEN)
			err = add_listen(spec, text, failure);
		else
			err = add_instance(spec, option == OPTION_BLUE ? BGS_BLUE : BGS_GREEN, text,
					   failure);
	}
	return err;
}

/* Who may move its traffic: kept in the state file, for the maps only know on and off. */
static int choose_failover(struct config_service *service, struct failure *failure)
{
	int mode = failover_parse(optarg);

	if (mode < 0)
		return failure_set(failure, EXIT_USAGE, "use 'auto', 'listener' or 'off'",
				   "--failover: unknown value '%s'", optarg);
	service->policy.failover = mode;
	service->spec.flags.failover = mode != FAILOVER_OFF;
	return 0;
}

/* One of two words: sets `*value` to whether it is the second. */
static int choose(__u8 *value, const char *option, const char *first, const char *second,
		  struct failure *failure)
{
	char next[64];

	if (strcmp(optarg, first) && strcmp(optarg, second)) {
		snprintf(next, sizeof(next), "use '%s' or '%s'", first, second);
		return failure_set(failure, EXIT_USAGE, next, "--%s: unknown value '%s'", option,
				   optarg);
	}
	*value = !strcmp(optarg, second);
	return 0;
}

static int parse_add(struct command_context *context, int argc, char **argv,
		     struct config_service *service)
{
	struct service_spec *spec = &service->spec;
	struct failure *failure = &context->failure;
	int option, err = 0;

	while (!err && (option = command_option(context, argc, argv, add_options)) != -1) {
		switch (option) {
		case OPTION_LISTEN:
		case OPTION_BLUE:
		case OPTION_GREEN:
			err = add_addresses(spec, option, optarg, failure);
			break;
		case OPTION_AFFINITY:
			err = choose(&spec->flags.by_connection, "affinity", "client", "connection",
				     failure);
			break;
		case OPTION_EMPTY:
			err = choose(&spec->flags.pass_when_empty, "on-empty", "refuse", "pass",
				     failure);
			break;
		case OPTION_FAILOVER:
			err = choose_failover(service, failure);
			break;
		default:
			err = -1;
		}
	}
	return err;
}

static int check_complete(struct command_context *context, const struct service_spec *spec)
{
	const char *missing = !spec->listen_count	       ? "--listen"
			      : !spec->colors[BGS_BLUE].count  ? "--blue"
			      : !spec->colors[BGS_GREEN].count ? "--green"
							       : NULL;

	if (!missing)
		return 0;
	return failure_set(&context->failure, EXIT_USAGE, "see 'bgswitch help service'",
			   "service %s: no %s address given", spec->name, missing);
}

static int add(struct command_context *context, int argc, char **argv)
{
	struct config_service *service = calloc(1, sizeof(*service));
	struct service_spec *spec;
	int err = -1;

	if (!service)
		return failure_set(&context->failure, EXIT_SYSTEM, "free some", "out of memory");
	spec = &service->spec;
	policy_init(&service->policy);
	spec->flags.failover = 1;
	if (parse_add(context, argc, argv, service) ||
	    command_operands(context, argc, argv, 2, 2) ||
	    service_name_check(argv[optind + 1], &context->failure))
		goto out;
	strcpy(spec->name, argv[optind + 1]);
	if (check_complete(context, spec) ||
	    command_open(context, COMMAND_CHANGES, "service add") ||
	    services_repair(&context->datapath, &context->failure) ||
	    service_add(&context->datapath, spec, &context->failure))
		goto out;
	command_keep_policy(context, spec->name, &service->policy);
	message_info("%s: added; new connections go to blue", spec->name);
	if (context->json)
		command_print_json(context, json_pack("{s:s}", "added", spec->name));
	err = 0;
out:
	policy_free(&service->policy);
	free(service);
	return err;
}

static int rm(struct command_context *context, int argc, char **argv)
{
	struct bgs_service service;
	int err;
	__u32 slot;

	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_operands(context, argc, argv, 2, 2) ||
	    command_open(context, COMMAND_CHANGES, "service rm") ||
	    services_repair(&context->datapath, &context->failure) ||
	    service_find(&context->datapath, argv[optind + 1], &slot, &service,
			 &context->failure) ||
	    service_remove(&context->datapath, slot, &context->failure))
		return -1;
	err = listeners_adopt(&context->datapath); /* its listeners may serve another now */
	if (err)
		return failure_errno(&context->failure, -err, "run 'bgswitch status'",
				     "cannot look for listeners");
	command_keep_previews(context);
	message_info("%s: removed", service.name);
	if (context->json)
		command_print_json(context, json_pack("{s:s}", "removed", service.name));
	return 0;
}

static void print_service(const struct service *service)
{
	char text[ENDPOINT_TEXT], share[16];

	printf("%-16s %s", service->spec.name, color_name(service->route.active));
	if (service->route.split_bp)
		printf(" (%s to %s)", percent_format(share, service->route.split_bp),
		       color_name(!service->route.active));
	fputs("  listen", stdout);
	for (size_t i = 0; i < service->spec.listen_count; i++)
		printf(" %s", endpoint_format(text, &service->spec.listen[i], false));
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		const struct color_spec *spec = &service->spec.colors[color];

		printf("  %s", color_name(color));
		for (size_t i = 0; i < spec->count; i++) {
			if (color_has(spec, i))
				printf(" %s", endpoint_format(text, &spec->instances[i].key,
							      spec->instances[i].any_family));
		}
	}
	puts("");
}

static int ls(struct command_context *context, int argc, char **argv)
{
	struct service *services;
	int count;

	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_operands(context, argc, argv, 1, 1) ||
	    command_open(context, COMMAND_READS, NULL))
		return -1;
	if (context->json) {
		struct status status;

		if (status_read(&status, &context->datapath, &context->failure))
			return -1;
		command_print_json(context, status_services_json(&status));
		status_free(&status);
		return 0;
	}
	count = services_read(&context->datapath, &services, &context->failure);
	if (count < 0)
		return -1;
	for (int i = 0; i < count; i++)
		print_service(&services[i]);
	free(services);
	return 0;
}

int cmd_service(struct command_context *context, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (!strcmp(verb, "add"))
		return add(context, argc, argv);
	if (!strcmp(verb, "rm"))
		return rm(context, argc, argv);
	if (!strcmp(verb, "ls"))
		return ls(context, argc, argv);
	return failure_set(&context->failure, EXIT_USAGE, "see 'bgswitch help service'",
			   *verb ? "service: '%s' is not add, rm or ls"
				 : "service: expected add, rm or ls%s",
			   verb);
}
