/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/cutover.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "datapath/services.h"
#include "duration.h"
#include "switch/cutover_private.h"

static const struct {
	const char *name;
	enum exit_code code;
} outcomes[] = {
	[OUTCOME_COMPLETE] = { "complete", EXIT_DONE },
	/* The switch stands, and connections were lost, or still would be. */
	[OUTCOME_CUT] = { "connections-cut", EXIT_CUT },
	[OUTCOME_KEPT] = { "connections-kept", EXIT_CUT },
	[OUTCOME_REFUSED] = { "refused", EXIT_REFUSED },
	[OUTCOME_ROLLED_BACK] = { "rolled-back", EXIT_ROLLED_BACK },
	/* An operator's word, or another change, ended it: it is not what was asked for. */
	[OUTCOME_ABORTED] = { "aborted", EXIT_ROLLED_BACK },
	[OUTCOME_SUPERSEDED] = { "superseded", EXIT_BUSY },
	[OUTCOME_FAILED] = { "failed", EXIT_SYSTEM },
};

const char *cutover_outcome_name(enum cutover_outcome outcome)
{
	return outcomes[outcome].name;
}

enum exit_code cutover_exit_code(enum cutover_outcome outcome)
{
	return outcomes[outcome].code;
}

bool cutover_is_done(enum cutover_outcome outcome)
{
	return outcome == OUTCOME_COMPLETE || outcome == OUTCOME_CUT || outcome == OUTCOME_KEPT;
}

bool cutover_is_watching(const struct cutover *cutover)
{
	return cutover->state == CUTOVER_DRAINING || cutover->state == CUTOVER_SOAKING;
}

bool cutover_is_settled(const struct cutover *cutover)
{
	return cutover->state == CUTOVER_DRAINING && !cutover->request.soak_ms;
}

void cutover_init(struct cutover *cutover, const struct cutover_host *host,
		  const struct drain_host *drain_host, void *data)
{
	*cutover = (struct cutover){ .host = host, .drain_host = drain_host, .data = data };
}

void cutover_announce(struct cutover *cutover, enum event_kind kind, int color, const char *format,
		      ...)
{
	char text[EVENT_TEXT];
	va_list args;

	if (cutover->request.dry_run)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cutover->host->announce(cutover->data, kind, color, text);
}

static void finish(struct cutover *cutover, enum cutover_outcome outcome)
{
	const struct cutover_host *host = cutover->host;
	struct failure unused;

	drain_stop(&cutover->drain);
	cutover->state = CUTOVER_IDLE;
	cutover->outcome = outcome;
	cutover->changed = cutover->flipped;
	cutover->duration = host->now(cutover->data) - cutover->began;
	/* An operation that is written down longer than it lasts is cleared by the next one. */
	if (!cutover->request.dry_run)
		host->record(cutover->data, cutover, &unused);
	host->finished(cutover->data, cutover);
}

/* `doing` says what failed, and is followed by why. */
static void fail(struct cutover *cutover, const char *doing)
{
	snprintf(cutover->text, sizeof(cutover->text), "%.500s%s", doing, cutover->failure.what);
	cutover_announce(cutover, EVENT_ALARM, cutover->request.to, "%s: %s", cutover->request.verb,
			 cutover->text);
	finish(cutover, OUTCOME_FAILED);
}

static void tell_success(struct cutover *cutover, enum event_kind kind, const char *how)
{
	enum bgs_color to = cutover->request.to;
	char after[DURATION_TEXT];
	unsigned long long spent = cutover->host->now(cutover->data) - cutover->began;

	if (spent > DURATION_MAX_MS)
		spent = DURATION_MAX_MS;
	if (spent > 1000)
		spent -= spent % 100; /* for people */
	cutover_announce(cutover, kind, to, "%s has the new connections%s, after %s",
			 color_name(to), how, duration_format(after, spent));
}

/* After drain and soak. */
static void complete(struct cutover *cutover)
{
	if (cutover->request.soak_ms)
		tell_success(cutover, EVENT_COMPLETED, "");
	finish(cutover, cutover_drain_outcome(cutover));
}

static bool soak_is_over(const struct cutover *cutover)
{
	return cutover->host->now(cutover->data) >= cutover->deadline;
}

/* From the flip on; may be over within the call. */
static void watch(struct cutover *cutover, unsigned int soak_ms)
{
	char text[DURATION_TEXT];

	cutover->state = CUTOVER_SOAKING;
	cutover->deadline = cutover->host->now(cutover->data) + soak_ms;
	if (soak_ms)
		cutover_announce(cutover, EVENT_SOAKING, cutover->request.to, "watching %s for %s",
				 color_name(cutover->request.to), duration_format(text, soak_ms));
	cutover_begin_drain(cutover);
	if (cutover->drain.state == DRAIN_WAITING)
		cutover->state = CUTOVER_DRAINING;
	else if (!soak_ms)
		complete(cutover);
}

/* The gate and the soak take their time: stores of others meanwhile are counted, too. */
static int store(struct cutover *cutover, struct bgs_route route)
{
	struct bgs_route now;

	if (cutover->host->route(cutover->data, &now, &cutover->failure))
		return -1;
	route.flips = now.flips + 1;
	return cutover->host->flip(cutover->data, route, &cutover->failure);
}

/* Written down before and after, so that whoever finds it knows whether to go on or back. */
static void flip(struct cutover *cutover)
{
	const struct cutover_host *host = cutover->host;
	enum bgs_color to = cutover->request.to;
	struct failure unused;

	if (cutover->request.dry_run) {
		finish(cutover, OUTCOME_COMPLETE);
		return;
	}
	cutover->state = CUTOVER_SWITCHING;
	if (host->record(cutover->data, cutover, &cutover->failure) ||
	    store(cutover, (struct bgs_route){ .active = to })) {
		fail(cutover, "");
		return;
	}
	cutover->flipped = cutover->switched = true;
	if (cutover->before.active == to)
		cutover_announce(cutover, EVENT_SWITCHING, to, "switching all traffic to %s",
				 color_name(to));
	else
		cutover_announce(cutover, EVENT_SWITCHING, to, "switching traffic %s -> %s",
				 color_name(cutover->before.active), color_name(to));
	/* A gate without checks asks for a listener only, and health stays unknown. */
	cutover->was_healthy =
		!cutover->request.force || host->health(cutover->data, to) == HEALTH_HEALTHY;
	watch(cutover, cutover->request.soak_ms);
	if (cutover_is_watching(cutover)) /* found as a flip that was made, if not */
		host->record(cutover->data, cutover, &unused);
}

static int flip_back(struct cutover *cutover)
{
	if (store(cutover, cutover->before))
		return -1;
	cutover->flipped = false;
	return 0;
}

static void refuse(struct cutover *cutover, const char *why)
{
	enum bgs_color to = cutover->request.to;

	snprintf(cutover->text, sizeof(cutover->text), "%s: %s", color_name(to), why);
	failure_set(&cutover->failure, EXIT_REFUSED,
		    "see 'bgswitch check', or add --force to switch to it all the same",
		    "%s is not healthy, nothing changed: %s", color_name(to), why);
	cutover_announce(cutover, EVENT_REFUSED, to, "refused to switch to %s, nothing changed: %s",
			 color_name(to), why);
	finish(cutover, OUTCOME_REFUSED);
}

void cutover_begin(struct cutover *cutover, const struct cutover_request *request)
{
	const struct cutover_host *host = cutover->host;
	void *data = cutover->data;

	cutover_init(cutover, host, cutover->drain_host, data);
	cutover->request = *request;
	cutover->began = host->now(data);
	if (host->route(data, &cutover->before, &cutover->failure)) {
		fail(cutover, "");
		return;
	}
	if (cutover->before.active == request->to && !cutover->before.split_bp) {
		snprintf(cutover->text, sizeof(cutover->text), "%s is active already",
			 color_name(request->to));
		finish(cutover, OUTCOME_COMPLETE);
		return;
	}
	if (request->force) {
		flip(cutover);
		return;
	}
	cutover->state = CUTOVER_CHECKING;
	cutover->deadline = cutover->began + request->ready_timeout_ms;
	cutover_announce(cutover, EVENT_CHECKING, request->to, "checking %s",
			 color_name(request->to));
	cutover_step(cutover);
}

void cutover_resume(struct cutover *cutover, const struct cutover_request *request,
		    struct bgs_route before, unsigned int left)
{
	const struct cutover_host *host = cutover->host;
	void *data = cutover->data;

	cutover_init(cutover, host, cutover->drain_host, data);
	cutover->request = *request;
	cutover->before = before;
	cutover->flipped = cutover->switched = true;
	cutover->began = host->now(data);
	/* It passed a gate, unless it was forced; if it is healthy no more, that is news. */
	cutover->was_healthy = !request->force;
	watch(cutover, left);
}

void cutover_drain(struct cutover *cutover, const struct cutover_request *request)
{
	const struct cutover_host *host = cutover->host;
	void *data = cutover->data;

	cutover_init(cutover, host, cutover->drain_host, data);
	cutover->request = *request;
	cutover->began = host->now(data);
	if (host->route(data, &cutover->before, &cutover->failure)) {
		fail(cutover, "");
		return;
	}
	watch(cutover, 0);
}

static void roll_back(struct cutover *cutover)
{
	enum bgs_color to = cutover->request.to, from = cutover->before.active;

	snprintf(cutover->text, sizeof(cutover->text), "%s failed: %s", color_name(to),
		 cutover->host->reason(cutover->data, to));
	if (flip_back(cutover)) {
		char doing[EVENT_TEXT / 2];

		snprintf(doing, sizeof(doing),
			 "%.400s; traffic stays there, as the way back failed: ", cutover->text);
		fail(cutover, doing);
		return;
	}
	cutover_announce(cutover, EVENT_ROLLED_BACK, from, "rolled back %s -> %s: %.900s",
			 color_name(to), color_name(from), cutover->text);
	finish(cutover, OUTCOME_ROLLED_BACK);
}

static void alarm_both(struct cutover *cutover)
{
	enum bgs_color to = cutover->request.to;

	cutover->told_alarm = true;
	cutover_announce(cutover, EVENT_ALARM, to,
			 "both colors are unhealthy; traffic stays on %s: %s", color_name(to),
			 cutover->host->reason(cutover->data, to));
}

enum action { WAIT, FLIP, REFUSE, ROLL_BACK, TELL_ALARM, END_DRAIN, COMPLETE };

static enum action decide_gate(const struct cutover *cutover)
{
	enum verdict verdict = cutover->host->gate(cutover->data, cutover->request.to);

	if (verdict == VERDICT_GOOD)
		return FLIP;
	if (verdict == VERDICT_BAD || cutover->host->now(cutover->data) >= cutover->deadline)
		return REFUSE;
	return WAIT;
}

static enum action decide_watch(const struct cutover *cutover)
{
	const struct cutover_host *host = cutover->host;
	enum bgs_color to = cutover->request.to, from = cutover->before.active;

	/* A color that was forced while it was unhealthy has nothing to fall from yet. */
	if (from != to && cutover->was_healthy && cutover->request.soak_ms &&
	    host->health(cutover->data, to) == HEALTH_UNHEALTHY) {
		if (host->health(cutover->data, from) != HEALTH_UNHEALTHY)
			return ROLL_BACK;
		if (!cutover->told_alarm)
			return TELL_ALARM;
	}
	if (cutover->state == CUTOVER_DRAINING)
		return cutover->drain.state == DRAIN_WAITING ? WAIT : END_DRAIN;
	return soak_is_over(cutover) ? COMPLETE : WAIT;
}

static void end_drain(struct cutover *cutover)
{
	struct failure unused;

	cutover_tell_drain(cutover);
	cutover->state = CUTOVER_SOAKING;
	if (soak_is_over(cutover))
		complete(cutover);
	else
		cutover->host->record(cutover->data, cutover, &unused);
}

static enum action decide(const struct cutover *cutover)
{
	switch (cutover->state) {
	case CUTOVER_CHECKING:
		return decide_gate(cutover);
	case CUTOVER_DRAINING:
	case CUTOVER_SOAKING:
		return decide_watch(cutover);
	default:
		return WAIT;
	}
}

bool cutover_is_due(const struct cutover *cutover)
{
	return decide(cutover) != WAIT;
}

void cutover_step(struct cutover *cutover)
{
	enum bgs_color to = cutover->request.to;
	enum action action = decide(cutover);

	if (cutover_is_watching(cutover) &&
	    cutover->host->health(cutover->data, to) == HEALTH_HEALTHY)
		cutover->was_healthy = true;
	switch (action) {
	case WAIT:
		break;
	case FLIP:
		flip(cutover);
		break;
	case REFUSE:
		refuse(cutover, cutover->host->reason(cutover->data, to));
		break;
	case ROLL_BACK:
		roll_back(cutover);
		break;
	case TELL_ALARM:
		alarm_both(cutover);
		break;
	case END_DRAIN:
		end_drain(cutover);
		break;
	case COMPLETE:
		complete(cutover);
		break;
	}
}

unsigned long long cutover_deadline(const struct cutover *cutover)
{
	switch (cutover->state) {
	case CUTOVER_IDLE:
		return 0;
	case CUTOVER_DRAINING:
		/* The soak's end is nothing to act on before the drain's. */
		return cutover->drain.state == DRAIN_WAITING ? drain_next(&cutover->drain)
							     : cutover->drain.ended;
	default:
		return cutover->deadline;
	}
}

int cutover_promote(struct cutover *cutover, struct failure *failure)
{
	struct failure unused;

	if (!cutover_is_watching(cutover) || !cutover->request.soak_ms)
		return failure_set(failure, EXIT_USAGE, "see 'bgswitch status'",
				   "nothing is soaking that could be promoted");
	tell_success(cutover, EVENT_PROMOTED, " (promoted)");
	cutover->request.soak_ms = 0;
	cutover->deadline = cutover->host->now(cutover->data);
	if (cutover->state == CUTOVER_DRAINING)
		cutover->host->record(cutover->data, cutover, &unused);
	else
		complete(cutover);
	return 0;
}

static void tell_abort(struct cutover *cutover)
{
	enum bgs_color to = cutover->request.to, from = cutover->before.active;

	if (cutover->state == CUTOVER_DRAINING && !cutover->switched)
		cutover_announce(cutover, EVENT_ABORTED, !to, "%s is drained no more",
				 color_name(!to));
	else if (!cutover->switched)
		cutover_announce(cutover, EVENT_ABORTED, from, "aborted before the switch to %s",
				 color_name(to));
	else if (from == to)
		cutover_announce(cutover, EVENT_ABORTED, from, "aborted, the split is back");
	else
		cutover_announce(cutover, EVENT_ABORTED, from, "aborted, back %s -> %s",
				 color_name(to), color_name(from));
}

int cutover_abort(struct cutover *cutover, struct failure *failure)
{
	if (cutover->state == CUTOVER_IDLE)
		return failure_set(failure, EXIT_USAGE,
				   "see 'bgswitch status'; 'bgswitch rollback' goes back to the "
				   "previous color",
				   "nothing is under way that could be aborted");
	if (cutover->flipped && flip_back(cutover)) {
		*failure = cutover->failure;
		fail(cutover, "the way back failed: ");
		return -1;
	}
	tell_abort(cutover);
	strcpy(cutover->text, "aborted");
	finish(cutover, OUTCOME_ABORTED);
	return 0;
}

void cutover_supersede(struct cutover *cutover, const char *text)
{
	if (cutover->state == CUTOVER_IDLE)
		return;
	snprintf(cutover->text, sizeof(cutover->text), "%s", text);
	cutover_announce(cutover, EVENT_SUPERSEDED, cutover->request.to, "%s", text);
	finish(cutover, OUTCOME_SUPERSEDED);
}
