/* SPDX-License-Identifier: GPL-2.0-only */
/* Cutovers of a service: begun by operators, acting on the maps, written down as they go. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "datapath/listeners.h"
#include "duration.h"
#include "percent.h"
#include "record/history.h"
#include "switch/autonomy.h"
#include "switch/supervisor_private.h"

static long long wall_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static unsigned long long host_now(void *data)
{
	(void)data;
	return supervisor_now();
}

static enum verdict host_gate(void *data, enum bgs_color color)
{
	return supervisor_gate(data, color);
}

static enum health host_health(void *data, enum bgs_color color)
{
	return supervisor_health(data, color);
}

static const char *host_reason(void *data, enum bgs_color color)
{
	static char text[EVENT_TEXT];

	return supervisor_reason(data, color, text);
}

static int host_route(void *data, struct bgs_route *route, struct failure *failure)
{
	const struct supervisor *supervisor = data;
	struct bgs_service service;
	int err = supervisor_read(supervisor, &service);

	if (err)
		return failure_errno(failure, -err, "see 'bgswitch service ls'",
				     "service %s cannot be read", supervisor->name);
	*route = service.route;
	return 0;
}

static int host_flip(void *data, struct bgs_route route, struct failure *failure)
{
	struct supervisor *supervisor = data;

	if (!supervisor->host->autonomous)
		autonomy_admit(supervisor, route.active);
	if (service_flip(supervisor->host->datapath, supervisor->slot, route, failure))
		return -1;
	supervisor->route = route;
	return 0;
}

/* What a process that comes after this one must know; nothing once it is over. */
static int host_record(void *data, const struct cutover *cutover, struct failure *failure)
{
	const struct cutover_request *request = &cutover->request;
	struct supervisor *supervisor = data;
	long long now = wall_clock_ms();
	struct operation operation = {
		.phase = cutover->flipped ? OPERATION_SOAKING : OPERATION_SWITCHING,
		.before = cutover->before,
		.to = request->to,
		.forced = request->force && !cutover->was_healthy,
		.began_ms = now - (long long)(supervisor_now() - cutover->began),
		.soak_until_ms = now + request->soak_ms,
		.soak_ms = request->soak_ms,
		.uid = request->uid,
	};
	bool over = cutover->state == CUTOVER_IDLE;

	snprintf(operation.verb, sizeof(operation.verb), "%s", request->verb);
	/* Without a soak there is nothing to go on with: the flip is one store, made or not. */
	if (!over && !request->soak_ms)
		return 0;
	if (over && cutover->outcome == OUTCOME_COMPLETE && cutover->changed &&
	    cutover->before.active != request->to)
		supervisor->previous = cutover->before.active;
	return supervisor->host->save(supervisor, over ? NULL : &operation, failure,
				      supervisor->host->data);
}

static void host_announce(void *data, enum event_kind kind, int color, const char *text)
{
	struct supervisor *supervisor = data;

	event_emit(supervisor->host->log, kind, supervisor->name, color, "%s", text);
}

static void add_history(const struct supervisor *supervisor, const struct history_entry *entry)
{
	const struct supervisor_host *host = supervisor->host;
	struct failure failure;

	if (history_add(host->history_directory, host->history_name, entry, &failure))
		event_emit(host->log, EVENT_ALARM, supervisor->name, EVENT_NO_COLOR,
			   "history is not kept: %s; %s", failure.what, failure.next);
}

static void host_finished(void *data, const struct cutover *cutover)
{
	struct supervisor *supervisor = data;
	struct history_entry entry = {
		.at_ms = wall_clock_ms() - (long long)cutover->duration,
		.duration_ms = cutover->duration,
		.operation = cutover->request.verb,
		.from = cutover->before.active,
		.to = cutover->request.to,
		.uid = cutover->request.uid,
		.outcome = cutover_outcome_name(cutover->outcome),
		.reason = *cutover->text ? cutover->text : NULL,
	};
	bool nothing = cutover->outcome == OUTCOME_COMPLETE && !cutover->changed;

	memcpy(entry.service, supervisor->name, sizeof(entry.service));
	if (!nothing && !cutover->request.dry_run)
		add_history(supervisor, &entry);
	autonomy_latch(supervisor, cutover);
	supervisor->host->ended(supervisor, cutover, supervisor->host->data);
}

const struct cutover_host supervisor_cutover_host = {
	.now = host_now,
	.gate = host_gate,
	.health = host_health,
	.reason = host_reason,
	.route = host_route,
	.record = host_record,
	.flip = host_flip,
	.announce = host_announce,
	.finished = host_finished,
};

/* The same color again is not another change: its soak goes on, and is waited for. */
void supervisor_make_way(struct supervisor *supervisor, enum bgs_color to)
{
	const struct cutover *cutover = &supervisor->cutover;

	if (cutover->state == CUTOVER_SOAKING && cutover->request.to != to)
		supervisor_supersede(supervisor, "another change was asked for during the soak");
}

int supervisor_begin(struct supervisor *supervisor, const struct cutover_request *request,
		     struct failure *failure)
{
	struct cutover *cutover = &supervisor->cutover;

	supervisor_make_way(supervisor, request->to);
	if (cutover->state == CUTOVER_SOAKING) {
		supervisor_evaluate(supervisor);
		return 0;
	}
	if (cutover->state != CUTOVER_IDLE)
		return failure_set(failure, EXIT_BUSY, "wait until it is done and try again",
				   "another operation is in progress: %s %s (%s)",
				   cutover->request.verb, color_name(cutover->request.to),
				   supervisor_state(supervisor));
	/* Where listeners do not register by themselves, the gate would miss new ones. */
	if (datapath_missing_registration(supervisor->host->datapath))
		listeners_adopt(supervisor->host->datapath);
	for (size_t i = 0; i < supervisor->monitor_count && !request->force; i++) {
		if (supervisor->monitors[i]->color == request->to)
			monitor_watch(supervisor->monitors[i]);
	}
	cutover_begin(cutover, request);
	supervisor_evaluate(supervisor);
	return 0;
}

int supervisor_rollback_request(const struct supervisor *supervisor,
				struct cutover_request *request, struct failure *failure)
{
	bool is_under_way = supervisor->cutover.state != CUTOVER_IDLE;

	if (supervisor->previous < 0 || supervisor->previous == (int)supervisor->route.active)
		return failure_set(failure, EXIT_USAGE,
				   is_under_way ? "'bgswitch abort' undoes the switch under way"
						: "see 'bgswitch history'; 'bgswitch set COLOR' "
						  "switches anywhere",
				   "%s: there is no previous color to go back to",
				   supervisor->name);
	strcpy(request->verb, "rollback");
	request->to = supervisor->previous;
	return 0;
}

int supervisor_promote(struct supervisor *supervisor, struct failure *failure)
{
	int err;

	supervisor_notice_others(supervisor);
	err = cutover_promote(&supervisor->cutover, failure);
	supervisor_evaluate(supervisor);
	return err;
}

int supervisor_abort(struct supervisor *supervisor, uid_t uid, struct failure *failure)
{
	int err;

	supervisor_notice_others(supervisor);
	supervisor->cutover.request.uid = uid; /* history names who ended it */
	err = cutover_abort(&supervisor->cutover, failure);
	supervisor_evaluate(supervisor);
	return err;
}

void supervisor_supersede(struct supervisor *supervisor, const char *text)
{
	cutover_supersede(&supervisor->cutover, text);
}

int supervisor_split(struct supervisor *supervisor, unsigned int basis_points, uid_t uid,
		     struct failure *failure)
{
	struct bgs_route route = {};
	char share[16], reason[EVENT_TEXT];
	enum bgs_color standby;
	struct history_entry entry = { .at_ms = wall_clock_ms(),
				       .operation = "split",
				       .uid = uid,
				       .outcome = "complete",
				       .reason = share };

	if (host_route(supervisor, &route, failure))
		return -1;
	standby = !route.active;
	if (basis_points && supervisor->health[standby] == HEALTH_UNHEALTHY)
		return failure_set(failure, EXIT_REFUSED, "see 'bgswitch check'",
				   "%s: %s is not healthy, nothing changed: %s", supervisor->name,
				   color_name(standby),
				   supervisor_reason(supervisor, standby, reason));
	supervisor_supersede(supervisor, "the split was changed during the soak");
	route.split_bp = basis_points;
	route.flips++;
	if (host_flip(supervisor, route, failure) ||
	    supervisor->host->save(supervisor, NULL, failure, supervisor->host->data))
		return -1;
	percent_format(share, basis_points);
	entry.from = route.active;
	entry.to = standby;
	memcpy(entry.service, supervisor->name, sizeof(entry.service));
	add_history(supervisor, &entry);
	return 0;
}

/* It stands nowhere that it is under way any more, and history says what became of it. */
static void give_up(struct supervisor *supervisor, const struct operation *operation,
		    const char *outcome, const char *text)
{
	const struct supervisor_host *host = supervisor->host;
	struct history_entry entry = {
		.at_ms = operation->began_ms,
		.duration_ms = operation->soak_ms,
		.operation = operation->verb,
		.from = operation->before.active,
		.to = operation->to,
		.uid = operation->uid,
		.outcome = outcome,
		.reason = text,
	};
	struct failure failure;

	memcpy(entry.service, supervisor->name, sizeof(entry.service));
	event_emit(host->log, EVENT_INTERRUPTED, supervisor->name, operation->to,
		   "%s %s was interrupted: %s", operation->verb, color_name(operation->to), text);
	add_history(supervisor, &entry);
	host->save(supervisor, NULL, &failure, host->data);
}

void supervisor_adopt(struct supervisor *supervisor, const struct operation *operation)
{
	const struct bgs_route *now = &supervisor->route;
	struct cutover_request request = { .to = operation->to,
					   .force = operation->forced,
					   .soak_ms = operation->soak_ms,
					   .uid = operation->uid };
	char text[DURATION_TEXT];
	long long left =
		(operation->phase == OPERATION_SOAKING ? operation->soak_until_ms
						       : operation->began_ms + operation->soak_ms) -
		wall_clock_ms();

	snprintf(request.verb, sizeof(request.verb), "%s", operation->verb);
	if (now->active != operation->to || now->split_bp) {
		give_up(supervisor, operation,
			operation->phase == OPERATION_SWITCHING ? "undone" : "superseded",
			operation->phase == OPERATION_SWITCHING
				? "before the flip; nothing changed"
				: "new connections go elsewhere by now");
		return;
	}
	if (operation->before.active != operation->to)
		supervisor->previous = operation->before.active;
	if (left <= 0 || !operation->soak_ms) {
		give_up(supervisor, operation, "complete",
			operation->soak_ms ? "its soak is over by now; the switch stands"
					   : "after the flip; the switch stands");
		return;
	}
	if (left > operation->soak_ms)
		left = operation->soak_ms; /* the clock was set back */
	event_emit(supervisor->host->log, EVENT_INTERRUPTED, supervisor->name, operation->to,
		   "%s %s was interrupted after the flip; its soak goes on for %s", operation->verb,
		   color_name(operation->to), duration_format(text, left));
	cutover_resume(&supervisor->cutover, &request, operation->before, left);
	supervisor_evaluate(supervisor);
}
