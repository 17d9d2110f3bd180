/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/draining.h"

#include <errno.h>

#include "drain/acts.h"
#include "switch/supervisor_private.h"

#define NEXT "see 'bgswitch status'"
#define LEFT_ALONE_MS 100

/* Slots are used again: nothing may be done to another service's connections. */
static int check_slot(const struct supervisor *supervisor, struct failure *failure)
{
	struct bgs_service service;
	int err = supervisor_read(supervisor, &service);

	return err ? failure_errno(failure, -err, "see 'bgswitch service ls'",
				   "service %s cannot be read", supervisor->name)
		   : 0;
}

static unsigned long long now(void *data)
{
	(void)data;
	return supervisor_now();
}

static int prove(void *data, enum bgs_color color, struct connection_counts *counts,
		 struct failure *failure)
{
	const struct supervisor *supervisor = data;

	if (check_slot(supervisor, failure))
		return -1;
	return connections_prove(supervisor->host->datapath, supervisor->slot, color, counts,
				 failure);
}

static int count(void *data, enum bgs_color color, struct connection_counts *counts,
		 struct failure *failure)
{
	const struct supervisor *supervisor = data;
	int err;

	if (check_slot(supervisor, failure))
		return -1;
	err = connections_count_color(supervisor->host->datapath, supervisor->slot, color, counts);
	if (err == -ENODATA)
		return failure_set(failure, EXIT_SYSTEM, NEXT, "%s",
				   datapath_missing_accounting(supervisor->host->datapath));
	if (err)
		return failure_errno(failure, -err, NEXT, "connections cannot be counted");
	return 0;
}

static int close_idle(void *data, enum bgs_color color, unsigned int idle_ms, unsigned int share,
		      unsigned int *closed, struct failure *failure)
{
	const struct supervisor *supervisor = data;

	if (check_slot(supervisor, failure))
		return -1;
	return connections_close_idle(supervisor->host->datapath, supervisor->slot, color, idle_ms,
				      share, closed, failure);
}

static bool has_to_hold(const struct supervisor *supervisor, enum bgs_color color)
{
	const struct drain *drain = &supervisor->cutover.drain;
	unsigned int timeout_ms = supervisor->policy->check.timeout_ms;
	unsigned long long resets = drain_resets_at(drain);
	size_t instances = 0;

	if (drain->state != DRAIN_WAITING || drain->color != color)
		return false;
	for (size_t i = 0; i < supervisor->monitor_count; i++)
		instances += supervisor->monitors[i]->color == color;
	return drain_left(drain) <= instances ||
	       (drain->deadline &&
		supervisor_now() + timeout_ms >= (resets ? resets : drain->deadline));
}

void draining_hold_checks(struct supervisor *supervisor)
{
	bool hold[BGS_COLORS], is_checked = true;

	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		hold[color] = has_to_hold(supervisor, color);
		is_checked = is_checked && !hold[color];
	}
	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		struct monitor *monitor = supervisor->monitors[i];

		monitor_hold(monitor, hold[monitor->color]);
		if (hold[monitor->color] && monitor_is_checking(monitor))
			is_checked = true;
	}
	if (is_checked)
		supervisor->unchecked_since = 0;
	else if (!supervisor->unchecked_since)
		supervisor->unchecked_since = supervisor_now();
}

/* Applications take a moment to close what a check has left. */
static bool is_left_alone(const struct supervisor *supervisor)
{
	return supervisor->unchecked_since &&
	       supervisor_now() - supervisor->unchecked_since >= LEFT_ALONE_MS;
}

static int cut(void *data, enum bgs_color color, unsigned int share, unsigned int most,
	       unsigned int *done, struct failure *failure)
{
	const struct supervisor *supervisor = data;

	*done = 0;
	if (check_slot(supervisor, failure))
		return -1;
	if (!is_left_alone(supervisor))
		return 0; /* a check of ours would be cut with the clients' */
	return connections_cut(supervisor->host->datapath, supervisor->slot, color, share, most,
			       done, failure);
}

static void warn(void *data, const struct failure *failure)
{
	const struct supervisor *supervisor = data;

	event_emit(supervisor->host->log, EVENT_ALARM, supervisor->name,
		   (int)supervisor->cutover.drain.color, "%s; %s", failure->what, failure->next);
}

void draining_host(struct drain_host *host, struct supervisor *supervisor)
{
	*host = (struct drain_host){
		.now = now,
		.count = count,
		.prove = prove,
		.close_idle = close_idle,
		.cut = cut,
		.warn = warn,
		.data = supervisor,
	};
}

bool draining_receives(const struct supervisor *supervisor, enum bgs_color color)
{
	struct bgs_service service;

	return !supervisor_read(supervisor, &service) &&
	       color_is_previewed(supervisor->host->datapath, supervisor->slot, &service, color);
}

json_t *draining_progress(const struct supervisor *supervisor)
{
	const struct drain *drain = &supervisor->cutover.drain;
	const struct connection_counts *counts = &drain->counts;
	unsigned long long at = supervisor_now();
	json_t *left = json_null();

	if (drain->deadline)
		left = json_integer(drain->deadline > at ? (json_int_t)(drain->deadline - at) : 0);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:n, s:o}", "service", supervisor->name,
			 "color", color_name(drain->color), "handshaking",
			 (json_int_t)counts->handshaking, "accept_queue",
			 (json_int_t)counts->accept_queue, "established",
			 (json_int_t)counts->established, "untagged", (json_int_t)counts->untagged,
			 "oldest_ms", "left_ms", left);
}
