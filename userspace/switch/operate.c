/* SPDX-License-Identifier: GPL-2.0-only */
/* Cutovers of a service: begun by operators, acting on the maps, written down as they go. */
#include <stdio.h>
#include <string.h>

#include "datapath/listeners.h"
#include "duration.h"
#include "percent.h"
#include "record/history.h"
#include "record/moment.h"
#include "switch/autonomy.h"
#include "switch/draining.h"
#include "switch/supervisor_private.h"
#include "switch/warming.h"

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

static const char *host_receives(void *data, enum bgs_color color)
{
	return draining_receives(data, color);
}

static struct operation describe(const struct cutover *cutover)
{
	const struct cutover_request *request = &cutover->request;
	const struct drain *drain = &cutover->drain;
	long long now = moment_now(), ahead = now - (long long)supervisor_now();
	struct operation operation = {
		.phase = cutover->flipped ? OPERATION_SOAKING : OPERATION_SWITCHING,
		.before = cutover->before,
		.to = request->to,
		.forced = request->force && !cutover->was_healthy,
		.began_ms = ahead + (long long)cutover->began,
		.soak_until_ms = cutover->flipped ? ahead + (long long)cutover->deadline
						  : now + request->soak_ms,
		.soak_ms = request->soak_ms,
		.draining = request->drains && (!cutover->flipped || drain->state == DRAIN_WAITING),
		.drain = request->drain,
		.drained = cutover_has_drained(cutover),
		.uid = request->uid,
	};

	/* A drain that was resumed, or whose soak was ended, has another beginning by now. */
	if (drain->state == DRAIN_WAITING && drain->deadline) {
		long long left =
			(long long)(drain->deadline + request->soak_ms - cutover->deadline);

		operation.drain.timeout_ms = left > 0 ? left : 0;
	}
	snprintf(operation.verb, sizeof(operation.verb), "%s", request->verb);
	return operation;
}

/* What a process that comes after this one must know; nothing once it is over. */
static int host_record(void *data, const struct cutover *cutover, struct failure *failure)
{
	struct supervisor *supervisor = data;
	struct operation operation = describe(cutover);
	bool over = cutover->state == CUTOVER_IDLE;

	/* Nothing to go on with: the flip is one store, made or not. */
	if (!over && !operation.soak_ms && cutover->state != CUTOVER_DRAINING)
		return 0;
	if (over && cutover_is_done(cutover->outcome) && cutover->changed &&
	    cutover->before.active != cutover->request.to)
		supervisor->previous = cutover->before.active;
	return supervisor->host->save(supervisor, over ? NULL : &operation, failure,
				      supervisor->host->data);
}

static void host_announce(void *data, enum event_kind kind, int color, const char *text)
{
	struct supervisor *supervisor = data;

	event_emit(supervisor->host->log, kind, supervisor->name, color, "%s", text);
}

void supervisor_add_history(const struct supervisor *supervisor, const struct history_entry *entry)
{
	const struct supervisor_host *host = supervisor->host;
	struct failure failure;

	if (history_add(host->history_directory, host->history_name, entry, &failure))
		event_emit(host->log, EVENT_ALARM, supervisor->name, EVENT_NO_COLOR,
			   "history is not kept: %s; %s", failure.what, failure.next);
}

/* Nothing of where new connections go is its matter. */
static bool is_plain_drain(const struct cutover *cutover)
{
	return cutover->drain.state != DRAIN_IDLE && !cutover->switched;
}

static void host_finished(void *data, const struct cutover *cutover)
{
	struct supervisor *supervisor = data;
	struct history_entry entry = {
		.at_ms = moment_now() - (long long)cutover->duration,
		.duration_ms = cutover->duration,
		.operation = cutover->request.verb,
		.from = cutover->before.active,
		.to = cutover->request.to,
		.uid = cutover->request.uid,
		.outcome = cutover_outcome_name(cutover->outcome),
		.reason = *cutover->text ? cutover->text : NULL,
	};
	bool nothing = cutover->outcome == OUTCOME_COMPLETE && !cutover->changed &&
		       cutover->drain.state == DRAIN_IDLE;

	if (is_plain_drain(cutover)) {
		entry.from = cutover->drain.color;
		entry.to = -1;
	}

	memcpy(entry.service, supervisor->name, sizeof(entry.service));
	if (!nothing && !cutover->request.dry_run)
		supervisor_add_history(supervisor, &entry);
	if (!is_plain_drain(cutover))
		autonomy_latch(supervisor, cutover);
	warming_after(supervisor, cutover);
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
	.receives = host_receives,
	.announce = host_announce,
	.finished = host_finished,
};

/* The same color again is not another change: its drain and soak go on, and are waited for. */
void supervisor_make_way(struct supervisor *supervisor, enum bgs_color to)
{
	const struct cutover *cutover = &supervisor->cutover;

	if (cutover_is_watching(cutover) && cutover->request.to != to)
		supervisor_supersede(supervisor,
				     cutover_is_settled(cutover)
					     ? "another change was asked for during the drain"
					     : "another change was asked for during the soak");
}

int supervisor_complete_request(const struct supervisor *supervisor,
				struct cutover_request *request, bool has_soak,
				const struct drain_options *options, struct failure *failure)
{
	const struct policy *policy = supervisor->policy;

	request->ready_timeout_ms = policy->ready_timeout_ms;
	request->drain = policy->drain;
	if (!has_soak)
		request->soak_ms = policy->soak_ms;
	return drain_options_apply(options, &request->drain, failure);
}

static const char *way_out(const struct cutover *cutover)
{
	if (is_plain_drain(cutover))
		return "wait until it is done, or end it with 'bgswitch abort'";
	if (cutover_is_watching(cutover) && cutover->request.soak_ms)
		return "wait until it is done, or run 'bgswitch promote' or 'bgswitch abort'";
	return "wait until it is done, or undo it with 'bgswitch abort'";
}

int supervisor_busy(const struct supervisor *supervisor, struct failure *failure)
{
	const struct cutover *cutover = &supervisor->cutover;
	enum bgs_color color = is_plain_drain(cutover) ? cutover->drain.color : cutover->request.to;

	return failure_set(failure, EXIT_BUSY, way_out(cutover),
			   "another operation is in progress: %s %s (%s)", cutover->request.verb,
			   color_name(color), supervisor_state(supervisor));
}

int supervisor_begin(struct supervisor *supervisor, const struct cutover_request *request,
		     struct failure *failure)
{
	struct cutover *cutover = &supervisor->cutover;

	if (warming_allows(supervisor, request->to, failure))
		return -1;
	supervisor_make_way(supervisor, request->to);
	if (cutover_is_watching(cutover)) {
		supervisor_evaluate(supervisor);
		return 0;
	}
	if (cutover->state != CUTOVER_IDLE)
		return supervisor_busy(supervisor, failure);
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

/* Draining a color that gets new connections would never end, and cutting it would harm them. */
static int refuse_drain(const struct supervisor *supervisor, enum bgs_color color,
			struct failure *failure)
{
	const struct bgs_route *route = &supervisor->route;
	const char *name = color_name(color), *receives;

	if (route->active == color)
		return failure_set(failure, EXIT_REFUSED, "switch to the other color first",
				   "%s: %s is active and gets the new connections",
				   supervisor->name, name);
	if (route->split_bp)
		return failure_set(failure, EXIT_REFUSED, "run 'bgswitch split 0' first",
				   "%s: %s gets a share of the new connections", supervisor->name,
				   name);
	receives = draining_receives(supervisor, color);
	if (receives)
		return failure_set(failure, EXIT_REFUSED,
				   "see 'bgswitch status' and 'bgswitch preview ls'", "%s: %s",
				   supervisor->name, receives);
	return 0;
}

int supervisor_drain(struct supervisor *supervisor, enum bgs_color color,
		     const struct drain_options *options, uid_t uid, struct failure *failure)
{
	struct cutover_request request = { .verb = "drain",
					   .to = !color,
					   .drains = true,
					   .drain = supervisor->policy->drain,
					   .uid = uid };

	if (drain_options_apply(options, &request.drain, failure))
		return -1;
	supervisor_notice_others(supervisor);
	if (supervisor->cutover.state != CUTOVER_IDLE)
		return supervisor_busy(supervisor, failure);
	if (refuse_drain(supervisor, color, failure))
		return -1;
	cutover_drain(&supervisor->cutover, &request);
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
	struct history_entry entry = { .at_ms = moment_now(),
				       .operation = "split",
				       .uid = uid,
				       .outcome = "complete",
				       .reason = share };

	if (host_route(supervisor, &route, failure))
		return -1;
	standby = !route.active;
	if (basis_points && warming_allows(supervisor, standby, failure))
		return -1;
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
	warm_step(&supervisor->warm);
	percent_format(share, basis_points);
	entry.from = route.active;
	entry.to = standby;
	memcpy(entry.service, supervisor->name, sizeof(entry.service));
	supervisor_add_history(supervisor, &entry);
	return 0;
}
