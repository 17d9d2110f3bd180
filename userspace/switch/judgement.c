/* SPDX-License-Identifier: GPL-2.0-only */
/* What the checks of a service's instances, and its listeners, say of a color. */
#include <stdio.h>

#include "switch/supervisor_private.h"

struct tally {
	unsigned int total, good, bad;
};

static bool is_listening(const struct supervisor *supervisor, enum bgs_color color)
{
	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		const struct monitor *monitor = supervisor->monitors[i];

		if (monitor->color == color &&
		    instance_is_listening(supervisor->host->datapath,
					  BGS_INSTANCE(supervisor->slot, color, monitor->place)))
			return true;
	}
	return false;
}

enum health supervisor_checked_health(const struct supervisor *supervisor, enum bgs_color color)
{
	struct tally tally = {};

	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		const struct monitor *monitor = supervisor->monitors[i];

		if (monitor->color != color)
			continue;
		tally.total++;
		tally.good += monitor->health.health == HEALTH_HEALTHY;
		tally.bad += monitor->health.health == HEALTH_UNHEALTHY;
	}
	return color_health(&supervisor->policy->min_healthy, tally.total, tally.good, tally.bad);
}

enum health supervisor_health(const struct supervisor *supervisor, enum bgs_color color)
{
	return is_listening(supervisor, color) ? supervisor_checked_health(supervisor, color)
					       : HEALTH_UNHEALTHY;
}

/*
 * Without an agent this is the only look at instances that one has left out of
 * rotation: it is worth the time of a check.
 */
static bool waits_for_those_left_out(const struct supervisor *supervisor, enum bgs_color color)
{
	struct bgs_service service;

	if (supervisor->host->autonomous || supervisor_read(supervisor, &service))
		return false;
	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		const struct monitor *monitor = supervisor->monitors[i];

		if (monitor->color == color && !monitor->health.fresh &&
		    !(service.enabled[color] >> monitor->place & 1))
			return true;
	}
	return false;
}

enum verdict supervisor_gate(const struct supervisor *supervisor, enum bgs_color color)
{
	struct tally tally = {};
	enum health health;

	if (!is_listening(supervisor, color))
		return VERDICT_BAD; /* whatever the checks say, it could not be given connections */
	if (supervisor->policy->check.kind == CHECK_NONE)
		return VERDICT_GOOD;
	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		const struct monitor *monitor = supervisor->monitors[i];
		enum verdict verdict = instance_verdict(&monitor->health, monitor->check);

		if (monitor->color != color)
			continue;
		tally.total++;
		tally.good += verdict == VERDICT_GOOD;
		tally.bad += verdict == VERDICT_BAD;
	}
	health = color_health(&supervisor->policy->min_healthy, tally.total, tally.good, tally.bad);
	if (health == HEALTH_HEALTHY && !waits_for_those_left_out(supervisor, color))
		return VERDICT_GOOD;
	return health == HEALTH_UNHEALTHY ? VERDICT_BAD : VERDICT_PENDING;
}

/* The first instance that is not well speaks for the others, which are counted. */
const char *supervisor_reason(const struct supervisor *supervisor, enum bgs_color color,
			      char text[EVENT_TEXT])
{
	const struct monitor *speaker = NULL;
	unsigned int others = 0, total = 0;
	char reason[EVENT_TEXT - 64];

	if (!is_listening(supervisor, color)) {
		snprintf(text, EVENT_TEXT, "no instance of %s is listening", color_name(color));
		return text;
	}
	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		const struct monitor *monitor = supervisor->monitors[i];

		if (monitor->color != color)
			continue;
		total++;
		if (monitor->health.health == HEALTH_HEALTHY && !monitor->health.bad)
			continue;
		others += speaker != NULL;
		speaker = speaker ? speaker : monitor;
	}
	if (!speaker) {
		snprintf(text, EVENT_TEXT, "%u of %u instances are needed, and all seem well",
			 health_needed(&supervisor->policy->min_healthy, total), total);
		return text;
	}
	monitor_reason(speaker, reason, sizeof(reason));
	if (others)
		snprintf(text, EVENT_TEXT, "%s; and %u of the other %u", reason, others, total - 1);
	else
		snprintf(text, EVENT_TEXT, "%s", reason);
	return text;
}
