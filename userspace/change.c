/* SPDX-License-Identifier: GPL-2.0-only */
#include "change.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control/client.h"
#include "duration.h"
#include "message.h"
#include "progress.h"
#include "record/event.h"
#include "switch/local.h"
#include "switch/result.h"
#include "target.h"

enum { OPTION_FORCE = 1, OPTION_NO_WAIT, OPTION_SOAK };

const struct option change_options[] = {
	{ "force", no_argument, NULL, OPTION_FORCE },
	{ "no-wait", no_argument, NULL, OPTION_NO_WAIT },
	{ "soak", required_argument, NULL, OPTION_SOAK },
	{ "dry-run", no_argument, NULL, 'n' },
	DRAIN_OPTIONS("drain-timeout"),
	{},
};

int change_option(struct command_context *context, struct change *change, int option)
{
	switch (option) {
	case OPTION_FORCE:
		change->force = true;
		return 1;
	case OPTION_NO_WAIT:
		change->no_wait = true;
		return 1;
	case OPTION_SOAK:
		change->has_soak = true;
		return duration_parse(&change->soak_ms, optarg, "--soak", &context->failure) ? -1
											     : 1;
	case 'n':
		change->dry_run = true;
		return 1;
	default:
		return drain_options_parse(&change->drain, option, &context->failure);
	}
}

static const struct {
	const char *verb, *method;
} kinds[] = {
	[CHANGE_SET] = { "set", "Set" },
	[CHANGE_ROLLBACK] = { "rollback", "Rollback" },
	[CHANGE_DRAIN] = { "drain", "Drain" },
};

static void report_change(const char *service, const json_t *result)
{
	char drained[RESULT_TEXT];
	const char *from = json_string_value(json_object_get(result, "from"));
	const char *to = json_string_value(json_object_get(result, "to"));
	const char *reason = json_string_value(json_object_get(result, "reason"));
	bool dry_run = json_is_true(json_object_get(result, "dry_run"));

	if (json_is_true(json_object_get(result, "changed")) || dry_run)
		message_info("%s: new connections %s to %s (before: %s)", service,
			     dry_run && !reason ? "would go" : "go", to, from);
	else if (reason)
		message_info("%s: %s", service, reason);
	if (*result_drained_text(drained, result))
		message_info("%s: %s", service, drained);
}

/* Takes over `result`; NULL: there is a failure already. */
static int report(struct command_context *context, json_t *result)
{
	int err;

	if (!result)
		return -1;
	err = result_failure(result, &context->failure);
	if (!err)
		report_change(json_string_value(json_object_get(result, "service")), result);
	if (context->json)
		command_print_json(context, result);
	else
		json_decref(result);
	return err;
}

/* Progress, for those who wait. A refusal is what the command ends with: once is enough. */
static void show_event(const struct event *event, void *data)
{
	struct progress *progress = data;
	char line[EVENT_LINE];

	progress_clear(progress);
	progress->is_told = progress->is_told || event->kind == EVENT_DRAINING;
	if (event->kind != EVENT_REFUSED)
		message_info("%s", event_format(line, event));
}

static void show_progress(const json_t *object, void *data)
{
	progress_show(data, object, supervisor_now());
}

/* ---- through the agent */

static void show_reply(const json_t *parameters, void *data)
{
	struct event event;

	if (event_from_json(&event, json_object_get(parameters, "event")))
		show_event(&event, data);
	else
		show_progress(json_object_get(parameters, "progress"), data);
}

static int signal_fd(sigset_t *before)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, before);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* One that came while we waited is answered by a message: it must not end us when it is let in. */
static void close_signals(int fd, const sigset_t *before)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		;
	close(fd);
	sigprocmask(SIG_SETMASK, before, NULL);
}

static json_t *or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *parameters_of(const struct change *change)
{
	json_t *object = json_pack("{s:o}", "service", or_null(change->service));

	if (change->kind != CHANGE_DRAIN) {
		json_object_set_new(object, "force", json_boolean(change->force));
		json_object_set_new(object, "dry_run", json_boolean(change->dry_run));
		json_object_set_new(object, "wait", json_boolean(!change->no_wait));
	}
	if (change->color >= 0)
		json_object_set_new(object, "color", json_string(color_name(change->color)));
	if (change->has_soak)
		json_object_set_new(object, "soak_ms", json_integer(change->soak_ms));
	drain_options_add(&change->drain, object);
	return object;
}

static int by_agent(struct command_context *context, int agent, const struct change *change)
{
	sigset_t before;
	struct progress progress;
	struct client_call call = {
		.method = kinds[change->kind].method,
		.parameters = parameters_of(change),
		.waits = true,
		.stop_fd = signal_fd(&before),
		.progress = change->no_wait ? NULL : show_reply,
		.data = &progress,
	};
	json_t *reply, *result;

	progress_init(&progress);
	reply = client_call(agent, &call, &context->failure);
	progress_clear(&progress);
	result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	close_signals(call.stop_fd, &before);
	if (!reply && context->failure.code == EXIT_DONE)
		return failure_set(&context->failure, EXIT_SYSTEM,
				   "see 'bgswitch status'; 'bgswitch abort' undoes it",
				   "interrupted; the agent goes on with it");
	if (reply && !result)
		return failure_set(&context->failure, EXIT_AGENT, "see its log",
				   "the agent's answer has no result");
	return report(context, result);
}

/* ---- by this process */

/* For what a signal ended: as whoever sent it expects. */
static void end_by_signal(int number)
{
	fflush(stdout);
	signal(number, SIG_DFL);
	raise(number);
}

static int warn_of_families(struct command_context *context, const struct change *change)
{
	const struct datapath *datapath = &context->datapath;
	struct bgs_service service;
	__u32 slot;

	if (service_find(datapath, change->service, &slot, &service, &context->failure))
		return -1;
	/* Of a color without any listener the gate speaks. */
	if (change->kind != CHANGE_DRAIN && change->color >= 0 &&
	    (change->force || color_families(datapath, slot, change->color, ALL_PLACES)))
		target_warn(datapath, slot, &service, change->color);
	return 0;
}

static int begin_here(struct command_context *context, struct local *local,
		      const struct change *change)
{
	struct cutover_request request = { .force = change->force,
					   .dry_run = change->dry_run,
					   .soak_ms = change->no_wait ? 0 : change->soak_ms,
					   .drains = !change->no_wait,
					   .uid = getuid() };

	if (change->kind == CHANGE_DRAIN)
		return local_drain(local, change->color, &change->drain, &context->failure);
	strcpy(request.verb, kinds[change->kind].verb);
	if (change->color >= 0)
		request.to = change->color;
	else if (supervisor_rollback_request(local_supervisor(local), &request, &context->failure))
		return -1;
	/* Without an agent nobody is left to watch once the command has returned. */
	if (supervisor_complete_request(local_supervisor(local), &request,
					change->has_soak || change->no_wait, &change->drain,
					&context->failure))
		return -1;
	return local_begin(local, &request, &context->failure);
}

static int by_itself(struct command_context *context, const struct change *change)
{
	struct progress progress;
	struct local_setup setup = { .datapath = &context->datapath,
				     .service = change->service,
				     .dry_run = change->dry_run,
				     .show = change->no_wait ? NULL : show_event,
				     .progress = change->no_wait ? NULL : show_progress,
				     .data = &progress };
	struct local *local;
	int err, signal = 0;

	if (command_need_root(context) ||
	    command_open(context, change->dry_run ? COMMAND_READS : COMMAND_CHANGES,
			 kinds[change->kind].verb) ||
	    warn_of_families(context, change))
		return -1;
	setup.files = &context->files;
	progress_init(&progress);
	if (local_open(&local, &setup, &context->failure))
		return -1;
	err = begin_here(context, local, change);
	if (!err)
		signal = local_run(local, change->no_wait);
	progress_clear(&progress);
	if (!err)
		err = report(context, local_result(local));
	local_close(local);
	if (signal)
		end_by_signal(signal);
	return err;
}

int change_run(struct command_context *context, const struct change *change)
{
	int agent = command_agent(context);

	if (agent == CLIENT_NO_AGENT)
		return by_itself(context, change);
	return agent < 0 ? -1 : by_agent(context, agent, change);
}

/* ---- ending what is under way */

static int end_by_agent(struct command_context *context, int agent, const char *verb,
			const char *service)
{
	struct client_call call = {
		.method = !strcmp(verb, "abort") ? "Abort" : "Promote",
		.parameters = json_pack("{s:o}", "service", or_null(service)),
		.stop_fd = -1,
	};
	json_t *reply = client_call(agent, &call, &context->failure);
	json_t *result = json_incref(json_object_get(reply, "result"));

	json_decref(reply);
	if (!result)
		return -1;
	if (context->json)
		command_print_json(context, json_incref(result));
	message_info("%s: %s", json_string_value(json_object_get(result, "service")),
		     json_string_value(json_object_get(result, "text")));
	json_decref(result);
	return 0;
}

/* Without an agent only a command that was killed can have left something under way. */
static int end_by_itself(struct command_context *context, const char *verb, const char *service)
{
	struct progress progress;
	struct local_setup setup = { .datapath = &context->datapath,
				     .service = service,
				     .show = show_event,
				     .data = &progress };
	struct local *local;
	int err;

	if (command_need_root(context) || command_open(context, COMMAND_CHANGES, verb))
		return -1;
	setup.files = &context->files;
	progress_init(&progress);
	if (local_open(&local, &setup, &context->failure))
		return -1;
	err = !strcmp(verb, "abort")
		      ? supervisor_abort(local_supervisor(local), getuid(), &context->failure)
		      : supervisor_promote(local_supervisor(local), &context->failure);
	if (!err && context->json)
		command_print_json(context, local_result(local));
	local_close(local);
	return err;
}

int change_end(struct command_context *context, const char *verb, const char *service)
{
	int agent = command_agent(context);

	if (agent == CLIENT_NO_AGENT)
		return end_by_itself(context, verb, service);
	return agent < 0 ? -1 : end_by_agent(context, agent, verb, service);
}
