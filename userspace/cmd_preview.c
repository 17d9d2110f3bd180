/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "datapath/preview.h"
#include "datapath/services.h"
#include "message.h"
#include "network.h"
#include "target.h"

/* What the operands say, before the service's slot is known. */
struct request {
	char **networks; /* each allocated */
	size_t count;
	int color; /* -1: none given */
	const char *service;
};

static int add_network(struct request *request, const char *text, struct failure *failure)
{
	char **grown = reallocarray(request->networks, request->count + 1, sizeof(*grown));
	char *copy = strdup(text);

	if (grown)
		request->networks = grown;
	if (!grown || !copy) {
		free(copy);
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	}
	request->networks[request->count++] = copy;
	return 0;
}

static void free_request(struct request *request)
{
	for (size_t i = 0; i < request->count; i++)
		free(request->networks[i]);
	free(request->networks);
}

/* Networks from standard input, separated by white space or lines. */
static int read_networks(struct request *request, struct failure *failure)
{
	char text[NETWORK_TEXT];
	int err = 0;

	while (!err && scanf("%63s", text) == 1)
		err = add_network(request, text, failure);
	return err;
}

static bool is_network(const char *text)
{
	return strpbrk(text, ":/") || (*text >= '0' && *text <= '9');
}

static int parse(struct command_context *context, int argc, char **argv, struct request *request)
{
	struct failure *failure = &context->failure;
	int err = 0;

	if (command_option(context, argc, argv, NULL) != -1)
		return -1;
	for (int i = optind + 1; i < argc && !err; i++) {
		if (!strcmp(argv[i], "-"))
			err = read_networks(request, failure);
		else if (is_network(argv[i]))
			err = add_network(request, argv[i], failure);
		else if (color_parse(argv[i]) >= 0 && request->color < 0)
			request->color = color_parse(argv[i]);
		else if (!request->service)
			request->service = argv[i];
		else
			err = failure_set(failure, EXIT_USAGE, "see 'bgswitch help preview'",
					  "preview: what is '%s'?", argv[i]);
	}
	return err;
}

static int parse_networks(const struct request *request, struct preview *previews,
			  struct failure *failure)
{
	for (size_t i = 0; i < request->count; i++) {
		if (network_parse(&previews[i].network, request->networks[i], failure))
			return -1;
		previews[i].color = request->color;
	}
	return 0;
}

static int change(struct command_context *context, const struct request *request, bool add)
{
	struct failure *failure = &context->failure;
	struct bgs_service service;
	struct preview *previews;
	__u32 slot;
	int err;

	if (!request->count && request->service)
		return failure_set(failure, EXIT_USAGE, "write ADDRESS/BITS, as 10.1.0.0/16",
				   "'%s' is not a network", request->service);
	if (!request->count)
		return failure_set(failure, EXIT_USAGE, "see 'bgswitch help preview'",
				   "preview: no network given");
	previews = calloc(request->count, sizeof(*previews));
	if (!previews)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	err = parse_networks(request, previews, failure); /* before anything is touched */
	if (!err)
		err = command_open(context, COMMAND_CHANGES, "preview");
	if (!err)
		err = services_repair(&context->datapath, failure);
	if (!err)
		err = service_find(&context->datapath, request->service, &slot, &service, failure);
	if (!err && add)
		target_warn(&context->datapath, slot, &service, request->color);
	if (!err)
		err = add ? previews_add(&context->datapath, slot, previews, request->count,
					 failure)
			  : previews_remove(&context->datapath, slot, previews, request->count,
					    failure);
	free(previews);
	if (err)
		return -1;
	command_keep_previews(context);
	if (context->json)
		command_print_json(context, json_pack("{s:s, s:I}", "service", service.name,
						      add ? "added" : "removed",
						      (json_int_t)request->count));
	message_info("%s: %zu network%s %s", service.name, request->count,
		     request->count == 1 ? "" : "s", add ? "added" : "removed");
	return 0;
}

struct listing {
	json_t *array; /* NULL: print lines */
	const char *service;
};

static void show(const struct preview *preview, void *data)
{
	struct listing *listing = data;
	char text[NETWORK_TEXT];

	network_format(text, &preview->network);
	if (listing->array)
		json_array_append_new(listing->array,
				      json_pack("{s:s, s:s, s:s}", "service", listing->service,
						"network", text, "color",
						color_name(preview->color)));
	else
		printf("%s %s %s\n", listing->service, text, color_name(preview->color));
}

static int list(struct command_context *context, const struct request *request)
{
	struct service *services;
	struct listing listing = {};
	struct bgs_service unused;
	__u32 slot;
	int count;

	if (command_open(context, COMMAND_READS, NULL) ||
	    (request->service &&
	     service_find(&context->datapath, request->service, &slot, &unused, &context->failure)))
		return -1;
	count = services_read(&context->datapath, &services, &context->failure);
	if (count < 0)
		return -1;
	if (context->json)
		listing.array = json_array();
	for (int i = 0; i < count; i++) {
		if (request->service && strcmp(request->service, services[i].spec.name))
			continue;
		listing.service = services[i].spec.name;
		if (services[i].spec.flags.has_preview)
			previews_each(&context->datapath, services[i].slot, show, &listing);
	}
	if (context->json)
		command_print_json(context, listing.array);
	free(services);
	return 0;
}

static int dispatch(struct command_context *context, const char *verb,
		    const struct request *request)
{
	struct failure *failure = &context->failure;

	if (!strcmp(verb, "ls"))
		return list(context, request);
	if (!strcmp(verb, "rm"))
		return change(context, request, false);
	if (request->color < 0)
		return failure_set(failure, EXIT_USAGE, "use 'blue' or 'green'",
				   request->service ? "preview add: '%s' is not a color"
						    : "preview add: no color given%s",
				   request->service ? request->service : "");
	return change(context, request, true);
}

int cmd_preview(struct command_context *context, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct request request = { .color = -1 };
	int err;

	if (strcmp(verb, "add") && strcmp(verb, "rm") && strcmp(verb, "ls"))
		return failure_set(&context->failure, EXIT_USAGE, "see 'bgswitch help preview'",
				   *verb ? "preview: '%s' is not add, rm or ls"
					 : "preview: expected add, rm or ls%s",
				   verb);
	err = parse(context, argc, argv, &request);
	if (!err)
		err = dispatch(context, verb, &request);
	free_request(&request);
	return err;
}
