/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/quiet.h"

#include "switch/supervisor_private.h"
#include "switch/warming.h"

#define LEFT_ALONE_MS 100 /* applications take a moment to close what a check has left */
/* While little is left: checks are held for a while, and then done for a while. */
#define HOLD_MS 3000
#define REST_MS 10000

static size_t instances(const struct supervisor *supervisor, enum bgs_color color)
{
	size_t count = 0;

	for (size_t i = 0; i < supervisor->monitor_count; i++)
		count += supervisor->monitors[i]->color == color;
	return count;
}

static bool is_deadline_near(const struct supervisor *supervisor)
{
	const struct drain *drain = &supervisor->cutover.drain;
	unsigned long long resets = drain_resets_at(drain);

	return drain->deadline && supervisor_now() + supervisor->policy->check.timeout_ms >=
					  (resets ? resets : drain->deadline);
}

static bool is_round_on(struct supervisor *supervisor, bool little_is_left)
{
	struct quiet *quiet = &supervisor->quiet;
	unsigned long long now = supervisor_now();

	if (!little_is_left)
		quiet->round = 0;
	else if (!quiet->round || now - quiet->round >= HOLD_MS + REST_MS)
		quiet->round = now;
	return little_is_left && now - quiet->round < HOLD_MS;
}

static bool has_to_hold(struct supervisor *supervisor, enum bgs_color color)
{
	const struct drain *drain = &supervisor->cutover.drain;

	if (warming_holds(supervisor, color))
		return true;
	if (drain->state != DRAIN_WAITING || drain->color != color)
		return false;
	return is_round_on(supervisor, drain_left(drain) <= instances(supervisor, color)) ||
	       is_deadline_near(supervisor);
}

void quiet_hold_checks(struct supervisor *supervisor)
{
	bool hold[BGS_COLORS], is_checked = true;

	if (supervisor->cutover.drain.state != DRAIN_WAITING)
		supervisor->quiet.round = 0;
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		hold[color] = has_to_hold(supervisor, color);
		is_checked = is_checked && !hold[color];
	}
	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		struct monitor *monitor = supervisor->monitors[i];

		/* The first check of all is waited for, by a service manager, too. */
		bool is_new = monitor->probe && !monitor->has_last;

		monitor_hold(monitor, hold[monitor->color] && !is_new);
		if (hold[monitor->color] && (is_new || monitor_is_checking(monitor)))
			is_checked = true;
	}
	if (is_checked)
		supervisor->quiet.since = 0;
	else if (!supervisor->quiet.since)
		supervisor->quiet.since = supervisor_now();
}

bool quiet_is_left_alone(const struct supervisor *supervisor)
{
	return supervisor->quiet.since &&
	       supervisor_now() - supervisor->quiet.since >= LEFT_ALONE_MS;
}
