/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/autonomy.h"

#include <stdio.h>
#include <string.h>

#include "percent.h"
#include "record/history.h"
#include "switch/supervisor_private.h"

static void rotate(struct supervisor *supervisor, enum bgs_color color)
{
	const struct datapath *datapath = supervisor->host->datapath;
	struct rotation_place places[BGS_MAX_INSTANCES];
	struct bgs_service service;
	size_t count = 0;
	__u64 mask;

	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		const struct monitor *monitor = supervisor->monitors[i];

		if (monitor->color == color && count < BGS_MAX_INSTANCES)
			places[count++] =
				(struct rotation_place){ monitor->place, monitor->health.health };
	}
	if (!count || supervisor_read(supervisor, &service))
		return;
	mask = rotation_mask(places, count, service.enabled[color]);
	if (mask != service.enabled[color])
		service_enable(datapath, supervisor->slot, color, mask);
}

void autonomy_admit(const struct supervisor *supervisor, enum bgs_color color)
{
	struct bgs_service service;
	__u64 mask = 0;

	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		const struct monitor *monitor = supervisor->monitors[i];

		if (monitor->color == color && monitor->health.health == HEALTH_HEALTHY)
			mask |= 1ULL << monitor->place;
	}
	if (!supervisor_read(supervisor, &service) && mask & ~service.enabled[color])
		service_enable(supervisor->host->datapath, supervisor->slot, color,
			       service.enabled[color] | mask);
}

static void rotate_all(struct supervisor *supervisor)
{
	if (!supervisor->rotation_due)
		return;
	supervisor->rotation_due = false;
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		rotate(supervisor, color);
}

void supervisor_alarm(struct supervisor *supervisor, const char *text)
{
	if (!strcmp(supervisor->alarm, text))
		return;
	snprintf(supervisor->alarm, sizeof(supervisor->alarm), "%s", text);
	event_emit(supervisor->host->log, EVENT_ALARM, supervisor->name, EVENT_NO_COLOR, "%s",
		   text);
}

void supervisor_clear_alarm(struct supervisor *supervisor)
{
	if (!*supervisor->alarm)
		return;
	*supervisor->alarm = '\0';
	event_emit(supervisor->host->log, EVENT_ALARM_CLEARED, supervisor->name, EVENT_NO_COLOR,
		   "the alarm is over");
}

static void fail_over(struct supervisor *supervisor)
{
	const struct supervisor_host *host = supervisor->host;
	enum bgs_color from = supervisor->route.active, to = !from;
	struct cutover_request request = { .verb = "failover",
					   .to = to,
					   .force = true, /* it is healthy, and time matters */
					   .uid = (uid_t)-1 };
	char reason[EVENT_TEXT];
	struct failure failure;

	if (host->lock("failover", &failure, host->data)) {
		supervisor->retry = supervisor_now() + SUPERVISOR_RETRY_MS;
		return;
	}
	event_emit(host->log, EVENT_FAILOVER, supervisor->name, from,
		   "%s is unhealthy, failing over to %s: %s", color_name(from), color_name(to),
		   supervisor_reason(supervisor, from, reason));
	supervisor_begin(supervisor, &request, &failure);
	host->unlock(host->data);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

static void alarm_about(struct supervisor *supervisor, const char *why)
{
	enum bgs_color active = supervisor->route.active;
	char reason[EVENT_TEXT], text[EVENT_TEXT];

	/* The reason has figures that differ each time: by it the alarm would be told each time. */
	if (ends_with(supervisor->alarm, why))
		return;
	snprintf(text, sizeof(text), "%s is unhealthy (%.700s); %s", color_name(active),
		 supervisor_reason(supervisor, active, reason), why);
	supervisor_alarm(supervisor, text);
}

static const char *latch_reason(const struct supervisor *supervisor)
{
	return supervisor->latch == LATCH_FORCED ? "this one was forced"
						 : "traffic was moved automatically before";
}

static void consider_failover(struct supervisor *supervisor)
{
	enum bgs_color active = supervisor->route.active, standby = !active;
	enum health health = supervisor_health(supervisor, standby);
	char why[160];

	if (health == HEALTH_UNHEALTHY) {
		snprintf(why, sizeof(why), "so is %s, and traffic stays where it is",
			 color_name(standby));
	} else if (health == HEALTH_UNKNOWN) {
		return; /* its checks will tell */
	} else if (supervisor->policy->failover != FAILOVER_AUTO) {
		snprintf(why, sizeof(why),
			 "%s is healthy, but failover is '%s': run 'bgswitch set %s %s'",
			 color_name(standby), failover_name(supervisor->policy->failover),
			 supervisor->name, color_name(standby));
	} else if (warm_is_stopping(&supervisor->warm, standby)) {
		snprintf(why, sizeof(why), "%s is being stopped", color_name(standby));
	} else if (supervisor->latch != LATCH_NONE) {
		snprintf(why, sizeof(why), "%s is healthy, but %s: run 'bgswitch set %s %s'",
			 color_name(standby), latch_reason(supervisor), supervisor->name,
			 color_name(standby));
	} else {
		fail_over(supervisor);
		return;
	}
	alarm_about(supervisor, why);
}

static void take_back_split(struct supervisor *supervisor)
{
	const struct supervisor_host *host = supervisor->host;
	enum bgs_color standby = !supervisor->route.active;
	char share[16], reason[EVENT_TEXT];
	struct failure failure;

	percent_format(share, supervisor->route.split_bp);
	if (host->lock("split", &failure, host->data)) {
		supervisor->retry = supervisor_now() + SUPERVISOR_RETRY_MS;
		return;
	}
	if (!supervisor_split(supervisor, 0, (uid_t)-1, &failure))
		event_emit(host->log, EVENT_SPLIT, supervisor->name, standby,
			   "%s is unhealthy, its %s of new connections go to %s: %s",
			   color_name(standby), share, color_name(!standby),
			   supervisor_reason(supervisor, standby, reason));
	host->unlock(host->data);
}

/* The active color is well: an alarm about it is over, and in time a failover is forgotten. */
static void relax(struct supervisor *supervisor)
{
	unsigned long long now = supervisor_now();

	if (supervisor->latch == LATCH_ROLLBACK)
		return; /* until an operator has seen it */
	supervisor_clear_alarm(supervisor);
	if (supervisor->latch == LATCH_FORCED)
		supervisor->latch = LATCH_NONE; /* it is healthy now, as any other */
	if (supervisor->latch == LATCH_NONE)
		return;
	if (!supervisor->latched_until)
		supervisor->latched_until = now + supervisor->policy->soak_ms;
	if (now < supervisor->latched_until)
		return;
	supervisor->latch = LATCH_NONE;
	supervisor->latched_until = 0;
}

void autonomy_act(struct supervisor *supervisor)
{
	enum bgs_color active = supervisor->route.active;

	rotate_all(supervisor);
	if (supervisor->cutover.state != CUTOVER_IDLE && !cutover_is_settled(&supervisor->cutover))
		return;
	if (supervisor->route.split_bp && supervisor->health[!active] == HEALTH_UNHEALTHY)
		take_back_split(supervisor);
	if (supervisor->health[active] == HEALTH_HEALTHY) {
		relax(supervisor);
		return;
	}
	supervisor->latched_until = 0;
	if (supervisor->health[active] == HEALTH_UNHEALTHY)
		consider_failover(supervisor);
}

void autonomy_latch(struct supervisor *supervisor, const struct cutover *cutover)
{
	char text[EVENT_TEXT];

	supervisor->latched_until = 0;
	if (cutover->outcome == OUTCOME_ROLLED_BACK) {
		supervisor->latch = LATCH_ROLLBACK;
		snprintf(text, sizeof(text), "%s was rolled back: %.900s",
			 color_name(cutover->request.to), cutover->text);
		supervisor_alarm(supervisor, text);
	} else if (cutover->request.uid == (uid_t)-1) {
		supervisor->latch = LATCH_FAILOVER;
	} else if (cutover->changed || cutover->outcome == OUTCOME_ABORTED) {
		/* A forced color must not be taken back for what was known before. */
		supervisor->latch =
			cutover->request.force && cutover->changed &&
					supervisor->health[cutover->request.to] == HEALTH_UNHEALTHY
				? LATCH_FORCED
				: LATCH_NONE;
		supervisor_clear_alarm(supervisor);
	}
}
