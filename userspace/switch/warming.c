/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/warming.h"

#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "record/moment.h"
#include "switch/draining.h"
#include "switch/supervisor_private.h"

static char **command_of(const struct supervisor *supervisor, enum bgs_color color)
{
	return supervisor->policy->stop.commands[color].argv;
}

static unsigned long long now(void *data)
{
	(void)data;
	return supervisor_now();
}

static bool has_share(const struct bgs_route *route, enum bgs_color color)
{
	return route->active == color ? route->split_bp < BGS_SPLIT_MAX : route->split_bp > 0;
}

static bool in_use(void *data, enum bgs_color color)
{
	const struct supervisor *supervisor = data;

	return has_share(&supervisor->route, color);
}

/* ---- what is written down */

static struct pending_stop describe(const struct warm *warm, bool running)
{
	return (struct pending_stop){
		.color = warm->color,
		.since_ms = moment_now() - ((long long)supervisor_now() - warm->since),
		.uid = warm->uid,
		.running = running,
	};
}

/* Only an agent comes back to what it kept: others say so, and leave nothing. */
static bool save(void *data, const struct warm *warm)
{
	struct supervisor *supervisor = data;
	const struct supervisor_host *host = supervisor->host;
	struct pending_stop pending = describe(warm, false);
	bool is_kept = warm->state == WARM_KEPT && host->autonomous;
	struct failure failure;

	if (host->lock("stop", &failure, host->data))
		return false;
	host->save_stop(supervisor, is_kept ? &pending : NULL, &failure, host->data);
	host->unlock(host->data);
	return true;
}

static void announce(void *data, enum event_kind kind, enum bgs_color color, const char *text)
{
	const struct supervisor *supervisor = data;

	event_emit(supervisor->host->log, kind, supervisor->name, (int)color, "%s", text);
}

static void record(void *data, const struct warm *warm, const char *outcome, const char *reason,
		   unsigned int duration_ms)
{
	const struct supervisor *supervisor = data;
	struct history_entry entry = {
		.at_ms = moment_now() - duration_ms,
		.duration_ms = duration_ms,
		.operation = "stop",
		.from = (int)warm->color,
		.to = -1,
		.uid = warm->uid,
		.outcome = outcome,
		.reason = reason,
	};

	memcpy(entry.service, supervisor->name, sizeof(entry.service));
	supervisor_add_history(supervisor, &entry);
}

/* ---- is it safe? */

static enum warm_attempt unsafe(char why[WARM_TEXT], const struct failure *failure)
{
	snprintf(why, WARM_TEXT, "%.250s", failure->what);
	return WARM_NOT_SAFE;
}

static bool is_previewed(const struct supervisor *supervisor, const struct bgs_service *service,
			 enum bgs_color color)
{
	return color_is_previewed(supervisor->host->datapath, supervisor->slot, service, color);
}

static enum warm_attempt look_at_route(const struct supervisor *supervisor, enum bgs_color color,
				       char why[WARM_TEXT])
{
	struct bgs_service service;
	const char *other = color_name(!color);

	if (supervisor_read(supervisor, &service))
		return WARM_BUSY; /* it is being removed, which will be heard of */
	if (has_share(&service.route, color))
		return WARM_IN_USE;
	if (is_previewed(supervisor, &service, color)) {
		snprintf(why, WARM_TEXT, "preview networks send clients there");
		return WARM_NOT_SAFE;
	}
	/* It may be all that can serve: by the kernel's failover, or by an operator's word. */
	if (supervisor_health(supervisor, !color) == HEALTH_UNHEALTHY) {
		snprintf(why, WARM_TEXT, "%s, which is active, is unhealthy", other);
		return WARM_NOT_SAFE;
	}
	return WARM_STARTED;
}

static unsigned long long checks_of(const struct supervisor *supervisor, enum bgs_color color)
{
	unsigned long long count = 0;

	for (size_t i = 0; i < supervisor->monitor_count; i++)
		count += supervisor->monitors[i]->color == color;
	return count;
}

/* The gauges first: a proof costs more, and our own checks have to be held for it. */
static enum warm_attempt look_at_connections(struct supervisor *supervisor, enum bgs_color color,
					     char why[WARM_TEXT])
{
	const struct drain_host *host = &supervisor->drain_host;
	struct connection_counts counts;
	struct failure failure;

	if (host->count(host->data, color, &counts, &failure))
		return unsafe(why, &failure);
	if (counts.handshaking + counts.accept_queue + counts.established <=
	    checks_of(supervisor, color)) {
		supervisor->holds_checks = true;
		draining_hold_checks(supervisor);
		if (!draining_is_left_alone(supervisor))
			return WARM_SOON;
		if (host->prove(host->data, color, &counts, &failure))
			return unsafe(why, &failure);
	}
	supervisor->holds_checks = false;
	if (connections_is_zero(&counts))
		return WARM_STARTED;
	snprintf(why, WARM_TEXT, "it has %s", drain_counts_text((char[DRAIN_TEXT]){ 0 }, &counts));
	return WARM_NOT_SAFE;
}

/* ---- the command */

static enum warm_attempt start(struct supervisor *supervisor, const struct warm *warm,
			       char why[WARM_TEXT])
{
	const struct supervisor_host *host = supervisor->host;
	struct pending_stop pending = describe(warm, true);
	struct failure failure;
	int err;

	host->save_stop(supervisor, &pending, &failure, host->data);
	event_emit(host->log, EVENT_STOPPING, supervisor->name, (int)warm->color, "stopping %s",
		   color_name(warm->color));
	supervisor->stop =
		stop_new(supervisor->name, warm->color, command_of(supervisor, warm->color),
			 supervisor->policy->stop.timeout_ms, &failure);
	if (!supervisor->stop) {
		unsafe(why, &failure);
		return WARM_CANNOT;
	}
	err = host->watch_stop(supervisor, stop_fd(supervisor->stop), host->data);
	if (err) {
		snprintf(why, WARM_TEXT, "its end cannot be waited for: %s", strerror(-err));
		stop_free(supervisor->stop);
		supervisor->stop = NULL;
		return WARM_CANNOT;
	}
	return WARM_STARTED;
}

static enum warm_attempt attempt(void *data, const struct warm *warm, char why[WARM_TEXT])
{
	struct supervisor *supervisor = data;
	const struct supervisor_host *host = supervisor->host;
	enum warm_attempt result;
	struct failure failure;

	if (supervisor->cutover.state != CUTOVER_IDLE || !supervisor_has_looked(supervisor)) {
		supervisor->holds_checks = false;
		return WARM_BUSY;
	}
	if (host->lock("stop", &failure, host->data))
		return WARM_SOON;
	result = look_at_route(supervisor, warm->color, why);
	if (result == WARM_STARTED)
		result = look_at_connections(supervisor, warm->color, why);
	if (result != WARM_SOON)
		supervisor->holds_checks = false;
	if (result == WARM_STARTED)
		result = start(supervisor, warm, why);
	host->unlock(host->data);
	return result;
}

static void end(struct supervisor *supervisor)
{
	const struct supervisor_host *host = supervisor->host;

	host->watch_stop(supervisor, -1, host->data);
	stop_free(supervisor->stop);
	supervisor->stop = NULL;
}

void supervisor_run_stop(struct supervisor *supervisor)
{
	const char *how = "failed";
	struct stop_outcome outcome;

	if (!supervisor->stop)
		return;
	stop_run(supervisor->stop);
	if (!stop_is_over(supervisor->stop))
		return;
	outcome = *stop_outcome(supervisor->stop);
	end(supervisor);
	if (outcome.end == STOP_DONE)
		how = "complete";
	else if (outcome.end == STOP_TIMED_OUT)
		how = "timed-out";
	warm_ended(&supervisor->warm, how, outcome.text, outcome.duration_ms);
	supervisor_evaluate(supervisor);
}

/* ---- begin and end */

static const struct warm_host warm_host = {
	.now = now,
	.in_use = in_use,
	.attempt = attempt,
	.save = save,
	.announce = announce,
	.record = record,
};

void warming_init(struct supervisor *supervisor)
{
	warm_init(&supervisor->warm, &warm_host, supervisor, !supervisor->host->autonomous);
}

void warming_close(struct supervisor *supervisor)
{
	if (!supervisor->stop)
		return;
	end(supervisor);
	warm_ended(&supervisor->warm, "failed",
		   "its command was killed, as nobody is left to wait for it", 0);
}

void warming_begin(struct supervisor *supervisor, enum bgs_color color, uid_t uid)
{
	const struct stop_policy *policy = &supervisor->policy->stop;
	char text[DURATION_TEXT];

	if (!command_of(supervisor, color))
		return;
	if (policy->keep_warm_ms && !supervisor->host->autonomous)
		event_emit(supervisor->host->log, EVENT_KEPT_WARM, supervisor->name, (int)color,
			   "%s is kept; no agent is there to stop it after %s", color_name(color),
			   duration_format(text, policy->keep_warm_ms));
	else
		warm_begin(&supervisor->warm, color, uid, policy->keep_warm_ms);
}

void warming_after(struct supervisor *supervisor, const struct cutover *cutover)
{
	const struct cutover_request *request = &cutover->request;

	if (cutover->switched && cutover->changed && cutover_is_done(cutover->outcome) &&
	    request->uid != HISTORY_AGENT && cutover_has_drained(cutover))
		warming_begin(supervisor, !request->to, request->uid);
}

void warming_follow(struct supervisor *supervisor)
{
	struct warm *warm = &supervisor->warm;

	if (command_of(supervisor, warm->color))
		warm_change(warm, supervisor->policy->stop.keep_warm_ms);
	else
		warm_drop(warm, "there is no stop command any more");
}

/* Set back, or ahead: the clock must not make it longer than the policy says. */
static unsigned int spent_since(long long since_ms)
{
	long long spent = moment_now() - since_ms;

	if (spent < 0)
		return 0;
	return spent > DURATION_MAX_MS ? DURATION_MAX_MS : (unsigned int)spent;
}

void supervisor_resume_stop(struct supervisor *supervisor, const struct pending_stop *pending)
{
	struct warm *warm = &supervisor->warm;

	if (!supervisor->host->autonomous) {
		warm_leave(warm, pending->color);
		return;
	}
	if (pending->running) {
		event_emit(supervisor->host->log, EVENT_INTERRUPTED, supervisor->name,
			   (int)pending->color,
			   "stopping %s was interrupted; nobody saw how its command ended",
			   color_name(pending->color));
		warm->color = pending->color;
		warm->uid = pending->uid;
		record(supervisor, warm, "interrupted", "nobody saw how its command ended", 0);
		save(supervisor, warm);
		return;
	}
	warm_resume(warm, pending->color, pending->uid, spent_since(pending->since_ms),
		    supervisor->policy->stop.keep_warm_ms);
	warming_follow(supervisor);
}

/* ---- for others */

bool warming_holds(const struct supervisor *supervisor, enum bgs_color color)
{
	return supervisor->holds_checks && supervisor->warm.state == WARM_KEPT &&
	       supervisor->warm.color == color && supervisor->cutover.state == CUTOVER_IDLE;
}

int warming_allows(const struct supervisor *supervisor, enum bgs_color color,
		   struct failure *failure)
{
	if (!warm_is_stopping(&supervisor->warm, color))
		return 0;
	return failure_set(failure, EXIT_BUSY,
			   "wait until its command has ended (see 'bgswitch events'), and start it "
			   "again",
			   "%s: %s is being stopped", supervisor->name, color_name(color));
}

json_t *warming_json(const struct supervisor *supervisor, enum bgs_color color)
{
	long long left = warm_left(&supervisor->warm, color);

	if (warm_is_stopping(&supervisor->warm, color))
		return json_pack("{s:b}", "running", 1);
	return left < 0 ? json_null() : json_pack("{s:I}", "in_ms", (json_int_t)left);
}
