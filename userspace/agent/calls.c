/* SPDX-License-Identifier: GPL-2.0-only */
/* The methods of org.bgswitch. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/parameters.h"
#include "percent.h"
#include "switch/draining.h"
#include "switch/result.h"
#include "version.h"

#define PROGRESS_MS 500 /* between replies that tell it */

static const char *string_of(const json_t *parameters, const char *key)
{
	return json_string_value(json_object_get(parameters, key));
}

static bool true_of(const json_t *parameters, const char *key)
{
	return json_is_true(json_object_get(parameters, key));
}

/* The service that a call is about; NULL with `failure` set, also if a parameter is wrong. */
static struct member *find_member(const struct agent *agent, const json_t *parameters,
				  struct failure *failure)
{
	if (parameters_check(parameters, failure))
		return NULL;
	return roster_find(agent, string_of(parameters, "service"), failure);
}

static json_t *webhooks_json(const struct webhooks *webhooks)
{
	json_t *list = json_array();

	for (size_t place = 0; webhooks && place < webhooks_count(webhooks); place++) {
		const struct webhook_statistics *hook = webhooks_statistics(webhooks, place);

		json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:I}", "delivered",
						      (json_int_t)hook->delivered, "failed",
						      (json_int_t)hook->failed, "dropped",
						      (json_int_t)hook->dropped, "waiting",
						      (json_int_t)hook->waiting));
	}
	return list;
}

static void run_ping(struct call *call, const json_t *parameters, void *data)
{
	const struct agent *agent = data;
	const struct prober_statistics *checks = prober_statistics(agent->prober);

	(void)parameters;
	call_reply(call, json_pack("{s:i, s:s, s:{s:I, s:I, s:I, s:I}, s:o}", "pid", (int)getpid(),
				   "version", BGSWITCH_VERSION, "checks", "ended",
				   (json_int_t)checks->checks, "failed", (json_int_t)checks->failed,
				   "late", (json_int_t)checks->late, "worst_delay_us",
				   (json_int_t)checks->worst_delay_us, "webhooks",
				   webhooks_json(agent->webhooks)));
}

static void run_health(struct call *call, const json_t *parameters, void *data)
{
	const struct agent *agent = data;
	json_t *services = json_object();

	(void)parameters;
	for (size_t i = 0; i < agent->member_count; i++) {
		const struct supervisor *supervisor = agent->members[i]->supervisor;

		json_object_set_new(services, supervisor->name, supervisor_json(supervisor));
	}
	call_reply(call, json_pack("{s:o}", "services", services));
}

static void run_status(struct call *call, const json_t *parameters, void *data)
{
	static const char *const words[] = { "status", "-j", NULL };

	(void)parameters;
	child_answer(data, call, "status", words);
}

static void run_history(struct call *call, const json_t *parameters, void *data)
{
	static const char *const words[] = { "history", "-j", NULL };

	(void)parameters;
	child_answer(data, call, "entries", words);
}

static void run_check(struct call *call, const json_t *parameters, void *data)
{
	const char *words[6] = { "check", "--here", "-j" };
	const char *service = string_of(parameters, "service");
	const char *color = string_of(parameters, "color");
	struct failure failure;
	size_t count = 3;

	/* Words of a client become words of a command: only what is known may pass. */
	if (parameters_check(parameters, &failure) ||
	    (service && !roster_find(data, service, &failure))) {
		call_fail_with(call, &failure);
		return;
	}
	if (color && color_parse(color) < 0) {
		failure_set(&failure, EXIT_USAGE, "use 'blue' or 'green'", "'%.40s' is not a color",
			    color);
		call_fail_with(call, &failure);
		return;
	}
	if (service)
		words[count++] = service;
	if (color)
		words[count++] = color;
	child_answer(data, call, "services", words);
}

/* ---- cutovers */

static void on_gone(struct call *call, void *data)
{
	struct member *member = data;

	(void)call;
	/* It goes on without them; with nobody waiting the lock is not held through the soak. */
	member->call = NULL;
	calls_moved(member, NULL);
}

static void release(struct member *member)
{
	if (member->holds_lock)
		keeper_release(&member->agent->keeper);
	member->holds_lock = false;
}

static void answer(struct member *member, const struct cutover *cutover)
{
	struct call *call = member->call;

	member->call = NULL;
	if (call)
		call_reply(call, json_pack("{s:o}", "result",
					   result_json(member->supervisor->name, cutover)));
}

/* Whoever waits sees how far the drain has come. */
static void tell_progress(struct member *member)
{
	unsigned long long now = supervisor_now();

	if (now < member->progress_at || !call_wants_more(member->call))
		return;
	member->progress_at = now + PROGRESS_MS;
	call_continue(member->call,
		      json_pack("{s:o}", "progress", draining_progress(member->supervisor)));
}

void calls_moved(struct member *member, const struct cutover *over)
{
	const struct cutover *cutover = &member->supervisor->cutover;

	if (over) {
		answer(member, over);
		release(member);
		return;
	}
	if (!cutover_is_watching(cutover))
		return;
	if (member->waits_for_flip)
		answer(member, cutover);
	/* What only waits for connections to end changes nothing that others may change. */
	if (!member->call || cutover_is_settled(cutover))
		release(member);
	if (member->call && cutover->state == CUTOVER_DRAINING)
		tell_progress(member);
}

static int prepare(struct member *member, struct call *call, const json_t *parameters,
		   struct cutover_request *request, struct failure *failure)
{
	const struct cutover *cutover = &member->supervisor->cutover;
	const json_t *soak = json_object_get(parameters, "soak_ms");
	struct drain_options drain;

	request->force = true_of(parameters, "force");
	request->dry_run = true_of(parameters, "dry_run");
	request->drains = true;
	/* What nobody waits for after a flip is no operation in progress: the next change ends it.
	 */
	if (member->call ||
	    (cutover->state != CUTOVER_IDLE && (!cutover_is_watching(cutover) || request->dry_run)))
		return supervisor_busy(member->supervisor, failure);
	request->soak_ms = (unsigned int)json_integer_value(soak);
	request->uid = call_peer(call)->uid;
	if (drain_options_read(&drain, parameters, failure))
		return -1;
	return supervisor_complete_request(member->supervisor, request, json_is_integer(soak),
					   &drain, failure);
}

/* From here on `call` waits for what the member does; the lock is held. */
static void let_wait(struct member *member, struct call *call, bool until_flip)
{
	member->holds_lock = true;
	member->call = call;
	member->waits_for_flip = until_flip;
	member->progress_at = 0;
	call_on_gone(call, on_gone, member);
}

static void give_up(struct member *member, struct call *call, const struct failure *failure)
{
	member->call = NULL;
	release(member);
	call_fail_with(call, failure);
}

static void begin(struct agent *agent, struct member *member, struct call *call,
		  const json_t *parameters, struct cutover_request *request)
{
	struct failure failure;

	if (prepare(member, call, parameters, request, &failure) ||
	    keeper_take(&agent->keeper, request->verb, &failure)) {
		call_fail_with(call, &failure);
		return;
	}
	supervisor_make_way(member->supervisor, request->to);
	let_wait(member, call, !true_of(parameters, "wait"));
	if (supervisor_begin(member->supervisor, request, &failure))
		give_up(member, call, &failure);
}

/* The color that a call has to name; -1 with `failure` set. */
static int color_of(const json_t *parameters, struct failure *failure)
{
	const char *color = string_of(parameters, "color");

	if (color && color_parse(color) >= 0)
		return color_parse(color);
	return failure_set(failure, EXIT_USAGE, "use 'blue' or 'green'", "'%.40s' is not a color",
			   color ? color : "");
}

static void run_set(struct call *call, const json_t *parameters, void *data)
{
	struct cutover_request request = { .verb = "set" };
	struct failure failure;
	struct member *member = find_member(data, parameters, &failure);
	int color = member ? color_of(parameters, &failure) : -1;

	if (color < 0) {
		call_fail_with(call, &failure);
		return;
	}
	request.to = color;
	begin(data, member, call, parameters, &request);
}

static void drain(struct agent *agent, struct member *member, struct call *call,
		  enum bgs_color color, const struct drain_options *options)
{
	struct failure failure;

	if (member->call ? supervisor_busy(member->supervisor, &failure)
			 : keeper_take(&agent->keeper, "drain", &failure)) {
		call_fail_with(call, &failure);
		return;
	}
	let_wait(member, call, false);
	if (supervisor_drain(member->supervisor, color, options, call_peer(call)->uid, &failure))
		give_up(member, call, &failure);
}

static void run_drain(struct call *call, const json_t *parameters, void *data)
{
	struct drain_options options;
	struct failure failure;
	struct member *member = find_member(data, parameters, &failure);
	int color = member ? color_of(parameters, &failure) : -1;

	if (color < 0 || drain_options_read(&options, parameters, &failure))
		call_fail_with(call, &failure);
	else
		drain(data, member, call, color, &options);
}

static void run_rollback(struct call *call, const json_t *parameters, void *data)
{
	struct cutover_request request = {};
	struct failure failure;
	struct member *member = find_member(data, parameters, &failure);

	if (!member || supervisor_rollback_request(member->supervisor, &request, &failure)) {
		call_fail_with(call, &failure);
		return;
	}
	begin(data, member, call, parameters, &request);
}

/* Promote and Abort act on a cutover that somebody may wait for: that holds the lock already. */
static void end(struct agent *agent, struct call *call, const json_t *parameters, const char *verb,
		const char *done,
		int (*act)(struct supervisor *supervisor, uid_t uid, struct failure *failure))
{
	struct failure failure;
	struct member *member = find_member(agent, parameters, &failure);
	int err;

	if (!member || keeper_take(&agent->keeper, verb, &failure)) {
		call_fail_with(call, &failure);
		return;
	}
	err = act(member->supervisor, call_peer(call)->uid, &failure);
	keeper_release(&agent->keeper);
	if (err)
		call_fail_with(call, &failure);
	else
		call_reply(call,
			   json_pack("{s:{s:s, s:s, s:s}}", "result", "service",
				     member->supervisor->name, "active",
				     color_name(member->supervisor->route.active), "text", done));
}

static int promote(struct supervisor *supervisor, uid_t uid, struct failure *failure)
{
	(void)uid;
	return supervisor_promote(supervisor, failure);
}

static void run_promote(struct call *call, const json_t *parameters, void *data)
{
	end(data, call, parameters, "promote", "promoted; the soak is over", promote);
}

static void run_abort(struct call *call, const json_t *parameters, void *data)
{
	end(data, call, parameters, "abort", "aborted; new connections go where they went before",
	    supervisor_abort);
}

static void split(struct agent *agent, struct member *member, struct call *call,
		  unsigned int basis_points)
{
	struct supervisor *supervisor = member->supervisor;
	uid_t uid = call_peer(call)->uid;
	char share[16];
	struct failure failure;
	int err;

	if (member->call) {
		supervisor_busy(supervisor, &failure);
		call_fail_with(call, &failure);
		return;
	}
	if (keeper_take(&agent->keeper, "split", &failure)) {
		call_fail_with(call, &failure);
		return;
	}
	err = supervisor_split(supervisor, basis_points, uid, &failure);
	if (!err)
		event_emit(agent->log, EVENT_SPLIT, supervisor->name, !supervisor->route.active,
			   "%s of new connections go to %s", percent_format(share, basis_points),
			   color_name(!supervisor->route.active));
	keeper_release(&agent->keeper);
	if (err)
		call_fail_with(call, &failure);
	else
		call_reply(call,
			   json_pack("{s:{s:s, s:s, s:i}}", "result", "service", supervisor->name,
				     "standby", color_name(!supervisor->route.active), "split",
				     (int)basis_points));
}

static void run_split(struct call *call, const json_t *parameters, void *data)
{
	const json_t *share = json_object_get(parameters, "basis_points");
	struct failure failure;
	struct member *member = find_member(data, parameters, &failure);

	if (member && !json_is_integer(share)) {
		failure_set(&failure, EXIT_USAGE, "give it, 0 to 10000",
			    "basis_points says which share, and is missing");
		member = NULL;
	}
	if (member)
		split(data, member, call, (unsigned int)json_integer_value(share));
	else
		call_fail_with(call, &failure);
}

void calls_forget(struct agent *agent)
{
	for (size_t i = 0; i < agent->member_count; i++)
		agent->members[i]->call = NULL;
}

static void run_reload(struct call *call, const json_t *parameters, void *data)
{
	struct failure failure;

	(void)parameters;
	if (configure_reload(data, &failure))
		call_fail_with(call, &failure);
	else
		call_reply(call, json_object());
}

const struct control_method agent_methods[] = {
	{ "Ping", CONTROL_READS, run_ping },	    { "Health", CONTROL_READS, run_health },
	{ "Status", CONTROL_READS, run_status },    { "Check", CONTROL_READS, run_check },
	{ "Events", CONTROL_READS, followers_add }, { "History", CONTROL_READS, run_history },
	{ "Set", CONTROL_CHANGES, run_set },	    { "Rollback", CONTROL_CHANGES, run_rollback },
	{ "Drain", CONTROL_CHANGES, run_drain },    { "Promote", CONTROL_CHANGES, run_promote },
	{ "Abort", CONTROL_CHANGES, run_abort },    { "Split", CONTROL_CHANGES, run_split },
	{ "Reload", CONTROL_CHANGES, run_reload },  {},
};
