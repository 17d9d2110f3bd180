/* SPDX-License-Identifier: GPL-2.0-only */
/* Cutovers that another process left under way: gone on with, or given up. */
#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "record/history.h"
#include "record/moment.h"
#include "switch/supervisor_private.h"
#include "switch/warming.h"

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
	supervisor_add_history(supervisor, &entry);
	host->save(supervisor, NULL, &failure, host->data);
}

/* Of a length of time that began then; 0: it is over. */
static unsigned int left_of(unsigned int length, long long began_ms)
{
	long long spent = moment_now() - began_ms;

	if (spent >= length)
		return 0;
	return spent < 0 ? length : length - (unsigned int)spent; /* the clock was set back */
}

/* When drain and soak began: with the flip, or not long after it was written down to come. */
static long long flip_ms(const struct operation *operation)
{
	return operation->phase == OPERATION_SOAKING ? operation->soak_until_ms - operation->soak_ms
						     : operation->began_ms;
}

static void go_on(struct supervisor *supervisor, const struct operation *operation,
		  unsigned int soak_left)
{
	struct cutover_request request = { .to = operation->to,
					   .force = operation->forced,
					   .soak_ms = soak_left ? operation->soak_ms : 0,
					   .drains = operation->draining,
					   .drain = operation->drain,
					   .drained = operation->drained,
					   .uid = operation->uid };
	char text[DURATION_TEXT];

	snprintf(request.verb, sizeof(request.verb), "%s", operation->verb);
	if (request.drain.timeout_ms != DRAIN_FOREVER)
		request.drain.timeout_ms = left_of(request.drain.timeout_ms, flip_ms(operation));
	/* Whose connections these are is not known for sure, a while after the deadline. */
	if (!request.drain.timeout_ms)
		request.drain.at_deadline = DEADLINE_KEEP;
	if (soak_left)
		event_emit(supervisor->host->log, EVENT_INTERRUPTED, supervisor->name,
			   operation->to,
			   "%s %s was interrupted after the flip; its soak goes on for %s",
			   operation->verb, color_name(operation->to),
			   duration_format(text, soak_left));
	else
		event_emit(supervisor->host->log, EVENT_INTERRUPTED, supervisor->name,
			   operation->to,
			   "%s %s was interrupted after the flip; draining %s goes on",
			   operation->verb, color_name(operation->to), color_name(!operation->to));
	cutover_resume(&supervisor->cutover, &request, operation->before, soak_left);
	supervisor_evaluate(supervisor);
}

void supervisor_adopt(struct supervisor *supervisor, const struct operation *operation)
{
	const struct bgs_route *now = &supervisor->route;
	unsigned int left = left_of(operation->soak_ms, flip_ms(operation));

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
	if (left || operation->draining)
		go_on(supervisor, operation, left);
	else
		give_up(supervisor, operation, "complete",
			operation->soak_ms ? "its soak is over by now; the switch stands"
					   : "after the flip; the switch stands");
	if (supervisor->cutover.state == CUTOVER_IDLE && operation->drained)
		warming_begin(supervisor, !operation->to, operation->uid);
}
