/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "command.h"
#include "control/client.h"
#include "message.h"
#include "status.h"
#include "status_health.h"
#include "status_table.h"

#define WATCH_INTERVAL_MS 1000

/* It is there, and more is not known. */
static void note_silent_agent(json_t *status, const struct failure *failure)
{
	json_object_set_new(status, "agent", json_pack("{s:b, s:n}", "running", 1, "pid"));
	message_warning("%s; %s", failure->what, failure->next);
}

/* The services' health as the agent knows it; without one nothing is known. */
static void ask_agent(struct command_context *context, json_t *status)
{
	struct client_call ping = { .method = "Ping", .stop_fd = -1 };
	struct client_call health = { .method = "Health", .stop_fd = -1 };
	struct failure *failure = &context->failure;
	json_t *pong, *answer = NULL;
	int agent = command_agent(context);

	if (agent == CLIENT_NO_AGENT)
		status_warn_of_rotation(status);
	else if (agent < 0)
		note_silent_agent(status, failure);
	if (agent < 0)
		return;
	pong = client_call(agent, &ping, failure);
	if (pong)
		answer = client_call(agent, &health, failure);
	if (answer)
		status_add_health(status, (pid_t)json_integer_value(json_object_get(pong, "pid")),
				  json_object_get(answer, "services"));
	else
		note_silent_agent(status, failure);
	json_decref(pong);
	json_decref(answer);
	close(agent);
}

static json_t *read_here(struct command_context *context)
{
	struct datapath *datapath = &context->datapath;
	struct status status;
	json_t *object;

	datapath_close(datapath);
	if (datapath_exists(&context->place) && datapath_open(datapath, &context->failure))
		return NULL;
	if (status_read(&status, datapath, &context->failure))
		return NULL;
	object = status_json(&status);
	status_free(&status);
	ask_agent(context, object);
	return object;
}

/* For readers that are not root: the agent looks for them. */
static json_t *read_by_agent(struct command_context *context)
{
	struct client_call call = { .method = "Status", .waits = true, .stop_fd = -1 };
	json_t *answer, *status;
	int agent = command_agent(context);

	if (agent == CLIENT_NO_AGENT)
		command_need_root(context);
	if (agent < 0)
		return NULL;
	answer = client_call(agent, &call, &context->failure);
	status = json_incref(json_object_get(answer, "status"));
	json_decref(answer);
	close(agent);
	return status;
}

static int show(struct command_context *context)
{
	json_t *status = geteuid() ? read_by_agent(context) : read_here(context);
	const json_t *warning;
	size_t i;

	if (!status)
		return -1;
	if (context->json) {
		command_print_json(context, status);
	} else {
		status_print(status);
		json_array_foreach(json_object_get(status, "warnings"), i, warning)
			message_warning("%s", json_string_value(warning));
		json_decref(status);
	}
	if (fflush(stdout))
		return failure_errno(&context->failure, errno, "see where stdout goes",
				     "cannot write the output");
	return 0;
}

/* Shows it every second until a signal or a reader that went away. */
static int watch(struct command_context *context)
{
	struct pollfd events[] = { { .events = POLLIN }, { .fd = STDOUT_FILENO } };
	bool terminal = isatty(STDOUT_FILENO);
	sigset_t signals;
	int err = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	events[0].fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (events[0].fd < 0)
		return failure_errno(&context->failure, errno, "try again", "cannot watch signals");
	do {
		if (terminal && !context->json)
			fputs("\033[H\033[2J", stdout);
		err = show(context);
	} while (!err && !poll(events, 2, WATCH_INTERVAL_MS));
	close(events[0].fd);
	return err;
}

int cmd_status(struct command_context *context, int argc, char **argv)
{
	static const struct option own[] = { { "watch", no_argument, NULL, 'w' }, {} };
	bool again = false;
	int option;

	while ((option = command_option(context, argc, argv, own)) != -1) {
		if (option != 'w')
			return -1;
		again = true;
	}
	if (command_operands(context, argc, argv, 0, 0) ||
	    command_begin(context, COMMAND_READS, NULL))
		return -1;
	return again ? watch(context) : show(context);
}
