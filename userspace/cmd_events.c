/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "command.h"
#include "message.h"
#include "number.h"
#include "record/event.h"
#include "record/records.h"

#define MOST_LINES 1000000

struct request {
	bool follow;
	unsigned int lines; /* the last ones of those there are; 0: all */
};

/* Lines are printed as they come, or kept until it is known which ones are the last. */
struct output {
	const struct command_context *context;
	bool keep;
	json_t **kept; /* a ring of `room` */
	size_t room, count; /* `count`: lines seen while keeping */
	bool follow, seen; /* `seen`: any line at all */
};

static int parse(struct command_context *context, int argc, char **argv, struct request *request)
{
	static const struct option own[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "lines", required_argument, NULL, 'n' },
		{},
	};
	int option;

	while ((option = command_option(context, argc, argv, own)) != -1) {
		if (option == 'f')
			request->follow = true;
		else if (option != 'n')
			return -1;
		else if (!number_parse(optarg, MOST_LINES, &request->lines) || !request->lines)
			return failure_set(&context->failure, EXIT_USAGE,
					   "write a number from 1 to 1000000",
					   "-n: '%s' is no number of lines", optarg);
	}
	return command_operands(context, argc, argv, 0, 0);
}

static void print_line(const struct output *output, json_t *line)
{
	char text[EVENT_LINE];
	struct event event;

	if (output->context->json)
		command_print_json(output->context, json_incref(line));
	else if (event_from_json(&event, line))
		puts(event_format(text, &event));
}

static void print_kept(struct output *output)
{
	size_t first = output->count > output->room ? output->count - output->room : 0;

	for (size_t i = first; i < output->count; i++)
		print_line(output, output->kept[i % output->room]);
	output->keep = false;
}

static int take_line(json_t *line, void *data)
{
	struct output *output = data;

	output->seen |= line != NULL;
	if (!line && output->keep) {
		print_kept(output);
	} else if (line && output->keep) {
		json_t **place = &output->kept[output->count++ % output->room];

		json_decref(*place);
		*place = json_incref(line);
		return 0;
	} else if (line) {
		print_line(output, line);
	}
	/* A line that comes is shown when it comes. */
	return output->follow && fflush(stdout) ? 1 : 0;
}

/* Readable when it is time to stop: a signal, or a reader of our output that went away. */
static int make_stop(struct failure *failure)
{
	struct epoll_event event = { .events = EPOLLIN };
	int stop = epoll_create1(EPOLL_CLOEXEC), signals;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (stop < 0 || signals < 0 || epoll_ctl(stop, EPOLL_CTL_ADD, signals, &event)) {
		failure_errno(failure, errno, "try again", "cannot wait for signals");
		if (signals >= 0)
			close(signals);
		if (stop >= 0)
			close(stop);
		return -1;
	}
	/* Errors and hang-ups are always told; a file has none (EPERM). */
	event.events = 0;
	epoll_ctl(stop, EPOLL_CTL_ADD, STDOUT_FILENO, &event);
	return stop; /* `signals` lives as long as the process */
}

static int follow(struct command_context *context, const char *name, struct output *output)
{
	int stop = make_stop(&context->failure), err;

	if (stop < 0)
		return -1;
	err = records_follow(command_state_dir(context), name, stop, take_line, output,
			     &context->failure);
	close(stop);
	return err;
}

static int show(struct command_context *context, const char *name, struct output *output)
{
	if (records_read(command_state_dir(context), name, take_line, output, &context->failure))
		return -1;
	take_line(NULL, output);
	if (!output->seen)
		message_info("nothing is recorded in %s/%s", command_state_dir(context), name);
	return 0;
}

int cmd_events(struct command_context *context, int argc, char **argv)
{
	struct request request = {};
	struct output output = { .context = context };
	char name[NAME_MAX];
	int err;

	if (parse(context, argc, argv, &request) ||
	    command_record_name(context, EVENTS_NAME, EVENTS_ENDING, name))
		return -1;
	output.follow = request.follow;
	output.keep = request.lines;
	output.room = request.lines;
	output.kept = calloc(output.room + 1, sizeof(*output.kept));
	if (!output.kept)
		return failure_set(&context->failure, EXIT_SYSTEM, "free some", "out of memory");
	err = request.follow ? follow(context, name, &output) : show(context, name, &output);
	for (size_t i = 0; i < output.room; i++)
		json_decref(output.kept[i]);
	free(output.kept);
	return err < 0 ? -1 : 0;
}
