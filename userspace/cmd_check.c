/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "control/client.h"
#include "inspection.h"

enum { OPTION_HERE = 1 };

struct request {
	const char *service; /* NULL: all of them */
	int color; /* -1: both */
	bool here;
};

static int parse(struct command_context *context, int argc, char **argv, struct request *request)
{
	static const struct option own[] = { { "here", no_argument, NULL, OPTION_HERE }, {} };
	int option;

	request->color = -1;
	while ((option = command_option(context, argc, argv, own)) != -1) {
		if (option != OPTION_HERE)
			return -1;
		request->here = true;
	}
	if (command_operands(context, argc, argv, 0, 2))
		return -1;
	for (int i = optind; i < argc; i++) {
		if (request->color < 0 && color_parse(argv[i]) >= 0)
			request->color = color_parse(argv[i]);
		else if (!request->service)
			request->service = argv[i];
		else
			return failure_set(&context->failure, EXIT_USAGE, "use 'blue' or 'green'",
					   "'%s' is not a color", argv[i]);
	}
	return 0;
}

static json_t *by_agent(struct command_context *context, int agent, const struct request *request)
{
	struct client_call call = {
		.method = "Check",
		.parameters = json_object(),
		.waits = true,
		.stop_fd = -1,
	};
	json_t *reply, *services;

	if (request->service)
		json_object_set_new(call.parameters, "service", json_string(request->service));
	if (request->color >= 0)
		json_object_set_new(call.parameters, "color",
				    json_string(color_name(request->color)));
	reply = client_call(agent, &call, &context->failure);
	services = json_incref(json_object_get(reply, "services"));
	json_decref(reply);
	return services;
}

static json_t *inspect_all(struct command_context *context, const struct request *request,
			   const struct service *services, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *one;

		if (request->service && strcmp(services[i].spec.name, request->service))
			continue;
		one = inspect_service(&context->datapath, &context->files, &services[i],
				      request->color, &context->failure);
		if (!one) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *by_itself(struct command_context *context, const struct request *request)
{
	struct bgs_service found;
	struct service *services;
	json_t *list;
	__u32 slot;
	int count;

	if (command_need_root(context) || command_open(context, COMMAND_READS, NULL))
		return NULL;
	if (request->service &&
	    service_find(&context->datapath, request->service, &slot, &found, &context->failure))
		return NULL;
	count = services_read(&context->datapath, &services, &context->failure);
	if (count < 0)
		return NULL;
	list = inspect_all(context, request, services, count);
	free(services);
	return list;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void print_instance(const json_t *instance)
{
	const json_t *ok = json_object_get(instance, "ok");
	const json_t *status = json_object_get(instance, "status");

	printf("    %-24s %s", text_of(instance, "address"),
	       !ok		  ? "not checked"
	       : json_is_true(ok) ? "good"
				  : "FAILED");
	if (json_is_integer(status))
		printf(", status %d", (int)json_integer_value(status));
	if (ok)
		printf(", %.1f ms, %s", json_real_value(json_object_get(instance, "ms")),
		       text_of(instance, "sent"));
	puts("");
	if (*text_of(instance, "error"))
		printf("    %-24s %s\n", "", text_of(instance, "error"));
	if (*text_of(instance, "body"))
		printf("    %-24s answer: '%s'\n", "", text_of(instance, "body"));
}

/* One that took no time was not made: there was nobody to connect to, or no way from here. */
static const char *through_text(const json_t *through)
{
	if (!json_is_true(json_object_get(through, "ok")))
		return text_of(through, "error");
	return json_real_value(json_object_get(through, "ms")) > 0
		       ? "steered as the map says"
		       : "not tried, as nobody could answer";
}

static void print_service(const json_t *service)
{
	const json_t *through = json_object_get(service, "service_check");
	const json_t *color, *instance;
	const char *name;
	size_t i;

	printf("%s, %s is active\n", text_of(service, "service"), text_of(service, "active"));
	if (json_is_object(through))
		printf("  through %s: %s\n", text_of(through, "address"), through_text(through));
	json_object_foreach(json_object_get(service, "colors"), name, color)
	{
		printf("  %s: %s\n", name, text_of(color, "health"));
		json_array_foreach(json_object_get(color, "instances"), i, instance)
			print_instance(instance);
	}
}

/* Of a color that was named, else of the active one: is it healthy? */
static int judge(struct command_context *context, const struct request *request,
		 const json_t *services)
{
	const json_t *service;
	size_t i;

	json_array_foreach(services, i, service)
	{
		const char *color = request->color < 0 ? text_of(service, "active")
						       : color_name(request->color);
		const json_t *checked = json_object_get(json_object_get(service, "colors"), color);

		if (!strcmp(text_of(checked, "health"), "unhealthy"))
			return failure_set(&context->failure, EXIT_REFUSED,
					   "mend it; 'bgswitch events' shows what was seen before",
					   "%s: %s is unhealthy", text_of(service, "service"),
					   color);
	}
	return 0;
}

int cmd_check(struct command_context *context, int argc, char **argv)
{
	struct request request = {};
	json_t *services;
	const json_t *service;
	int agent = CLIENT_NO_AGENT, err;
	size_t i;

	if (parse(context, argc, argv, &request))
		return -1;
	if (!request.here)
		agent = command_agent(context);
	if (agent == -1)
		return -1;
	services = agent >= 0 ? by_agent(context, agent, &request) : by_itself(context, &request);
	if (!services)
		return -1;
	err = judge(context, &request, services);
	if (context->json) {
		command_print_json(context, services);
		return err;
	}
	json_array_foreach(services, i, service) print_service(service);
	json_decref(services);
	return err;
}
