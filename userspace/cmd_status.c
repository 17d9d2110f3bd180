/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "command.h"
#include "message.h"
#include "status.h"
#include "status_table.h"

#define WATCH_INTERVAL_MS 1000

static int show(struct command_context *context)
{
	struct datapath *datapath = &context->datapath;
	struct status status;

	datapath_close(datapath);
	if (datapath_exists(&context->place) && datapath_open(datapath, &context->failure))
		return -1;
	if (status_read(&status, datapath, &context->failure))
		return -1;
	if (context->json) {
		command_print_json(context, status_json(&status));
	} else {
		status_print(&status);
		for (size_t i = 0; i < status.warnings.count; i++)
			message_warning("%s", status.warnings.texts[i]);
	}
	status_free(&status);
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
