/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/warming.h"

#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "record/moment.h"
#include "switch/supervisor_private.h"
#include "words.h"

static char **command_of(const struct supervisor *supervisor, enum bgs_color color)
{
	return supervisor->policy->stop.commands[color].argv;
}

static unsigned long long now(void *data)
{
	(void)data;
	return supervisor_now();
}

static bool in_use(void *data, enum bgs_color color)
{
	const struct supervisor *supervisor = data;

	return warming_has_share(&supervisor->route, color);
}

/* ---- what is written down */

static struct pending_stop describe(const struct supervisor *supervisor, bool running)
{
	const struct warm *warm = &supervisor->warm;

	return (struct pending_stop){
		.color = warm->color,
		.since_ms = moment_now() - ((long long)supervisor_now() - warm->since),
		.uid = warm->uid,
		.listeners = supervisor->kept_listeners,
		.running = running,
	};
}

/* Only an agent comes back to what it kept: others say so, and leave nothing. */
static bool save(void *data, const struct warm *warm)
{
	struct supervisor *supervisor = data;
	const struct supervisor_host *host = supervisor->host;
	struct pending_stop pending = describe(supervisor, false);
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

/* ---- the command */

static enum warm_attempt start(struct supervisor *supervisor, const struct warm *warm,
			       char why[WARM_TEXT])
{
	const struct supervisor_host *host = supervisor->host;
	struct pending_stop pending = describe(supervisor, true);
	struct failure failure;
	int err;

	host->save_stop(supervisor, &pending, &failure, host->data);
	event_emit(host->log, EVENT_STOPPING, supervisor->name, (int)warm->color, "stopping %s",
		   color_name(warm->color));
	supervisor->stop =
		stop_new(supervisor->name, warm->color, command_of(supervisor, warm->color),
			 supervisor->policy->stop.timeout_ms, &failure);
	if (!supervisor->stop) {
		snprintf(why, WARM_TEXT, "%.250s", failure.what);
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
	result = warming_look(supervisor, warm, why);
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

static void begin(struct supervisor *supervisor, enum bgs_color color, uid_t uid)
{
	supervisor->kept_listeners = warming_listeners(supervisor, color);
	warm_begin(&supervisor->warm, color, uid, supervisor->policy->stop.keep_warm_ms);
}

void warming_begin(struct supervisor *supervisor, enum bgs_color color, uid_t uid)
{
	const struct stop_policy *policy = &supervisor->policy->stop;
	char text[DURATION_TEXT], command[WARM_TEXT];

	if (!command_of(supervisor, color))
		return;
	if (policy->keep_warm_ms && !supervisor->host->autonomous)
		event_emit(supervisor->host->log, EVENT_KEPT_WARM, supervisor->name, (int)color,
			   "%s is kept; no agent is there to stop it after %s; by hand: %s",
			   color_name(color), duration_format(text, policy->keep_warm_ms),
			   words_quote(command, sizeof(command), command_of(supervisor, color)));
	else if (supervisor->warm.state != WARM_STOPPING)
		begin(supervisor, color, uid);
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
	supervisor->kept_listeners = pending->listeners;
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
