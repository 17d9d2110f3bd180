/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "switch/autonomy.h"
#include "switch/draining.h"
#include "switch/supervisor_private.h"
#include "switch/warming.h"

unsigned long long supervisor_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static bool is_busy(const struct supervisor *supervisor)
{
	return supervisor->cutover.state != CUTOVER_IDLE &&
	       !cutover_is_settled(&supervisor->cutover);
}

static void set_paces(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->monitor_count; i++)
		monitor_pace(supervisor->monitors[i], is_busy(supervisor));
	quiet_hold_checks(supervisor);
}

static void announce_color(struct supervisor *supervisor, enum bgs_color color, enum health health)
{
	char reason[EVENT_TEXT];

	if (health == HEALTH_HEALTHY)
		event_emit(supervisor->host->log, EVENT_COLOR_HEALTHY, supervisor->name, color,
			   "%s is healthy", color_name(color));
	else if (health == HEALTH_UNHEALTHY)
		event_emit(supervisor->host->log, EVENT_COLOR_UNHEALTHY, supervisor->name, color,
			   "%s is unhealthy: %s", color_name(color),
			   supervisor_reason(supervisor, color, reason));
}

static void note_color_health(struct supervisor *supervisor)
{
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		enum health health = supervisor_checked_health(supervisor, color);

		if (health == supervisor->health[color])
			continue;
		supervisor->health[color] = health;
		if (supervisor->host->autonomous)
			announce_color(supervisor, color, health);
	}
}

int supervisor_read(const struct supervisor *supervisor, struct bgs_service *service)
{
	int err = service_get(supervisor->host->datapath, supervisor->slot, service);

	if (!err && strcmp(service->name, supervisor->name))
		err = -ENOENT;
	return err;
}

void supervisor_notice_others(struct supervisor *supervisor)
{
	struct bgs_service service;
	struct bgs_route *seen = &supervisor->route;

	if (supervisor_read(supervisor, &service))
		return;
	if (service.route.active == seen->active && service.route.split_bp == seen->split_bp)
		return;
	*seen = service.route;
	supervisor_supersede(supervisor, "somebody else changed where new connections go");
}

static void step(struct supervisor *supervisor)
{
	const struct supervisor_host *host = supervisor->host;
	struct failure busy;
	bool due;

	cutover_drain_step(&supervisor->cutover);
	due = cutover_is_due(&supervisor->cutover);
	supervisor->retry = 0;
	if (due && host->lock(supervisor->cutover.request.verb, &busy, host->data)) {
		supervisor->retry = supervisor_now() + SUPERVISOR_RETRY_MS;
		return;
	}
	if (due)
		supervisor_notice_others(supervisor);
	cutover_step(&supervisor->cutover);
	if (due)
		host->unlock(host->data);
}

void supervisor_evaluate(struct supervisor *supervisor)
{
	note_color_health(supervisor);
	step(supervisor);
	if (supervisor->host->autonomous)
		autonomy_act(supervisor);
	warm_step(&supervisor->warm);
	set_paces(supervisor);
	if (supervisor->host->moved)
		supervisor->host->moved(supervisor, supervisor->host->data);
}

static void announce_instance(struct supervisor *supervisor, const struct monitor *monitor)
{
	char reason[EVENT_TEXT], address[ENDPOINT_TEXT];

	if (monitor->health.health == HEALTH_HEALTHY)
		event_emit(supervisor->host->log, EVENT_INSTANCE_HEALTHY, supervisor->name,
			   monitor->color, "%s instance %s is healthy", color_name(monitor->color),
			   endpoint_format(address, &monitor->address.key,
					   monitor->address.any_family));
	else
		event_emit(supervisor->host->log, EVENT_INSTANCE_UNHEALTHY, supervisor->name,
			   monitor->color, "%s instance %s", color_name(monitor->color),
			   monitor_reason(monitor, reason, sizeof(reason)));
}

static void checked(struct monitor *monitor, enum health before, void *data)
{
	struct supervisor *supervisor = data;

	/* Nearly all checks: thousands a second must cost nothing beyond themselves. */
	if (!is_busy(supervisor) && monitor_is_steady(monitor, before))
		return;
	if (monitor->health.health != before) {
		supervisor->rotation_due = true;
		if (supervisor->host->autonomous)
			announce_instance(supervisor, monitor);
	}
	supervisor_evaluate(supervisor);
}

static void free_monitor(struct monitor *monitor)
{
	if (monitor)
		monitor_stop(monitor);
	free(monitor);
}

static bool same_place(const struct monitor *monitor, enum bgs_color color, unsigned int place,
		       const struct endpoint *address)
{
	return monitor->color == color && monitor->place == place &&
	       monitor->address.any_family == address->any_family &&
	       !memcmp(&monitor->address.key, &address->key, sizeof(address->key));
}

/* The monitor of an instance that was there before, taken out of `old`. */
static struct monitor *take_old(struct monitor **old, size_t count, enum bgs_color color,
				unsigned int place, const struct endpoint *address)
{
	for (size_t i = 0; i < count; i++) {
		struct monitor *monitor = old[i];

		if (monitor && same_place(monitor, color, place, address)) {
			old[i] = NULL;
			return monitor;
		}
	}
	return NULL;
}

static struct monitor *new_monitor(struct supervisor *supervisor, enum bgs_color color,
				   unsigned int place, const struct endpoint *address,
				   struct failure *failure)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor) {
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		return NULL;
	}
	monitor->color = color;
	monitor->place = place;
	monitor->address = *address;
	monitor->check = &supervisor->policy->check;
	monitor->checked = checked;
	monitor->data = supervisor;
	if (monitor_start(monitor, supervisor->host->prober, failure)) {
		free_monitor(monitor);
		return NULL;
	}
	return monitor;
}

/* `old` and what is left in it go with the call. */
static int fill_monitors(struct supervisor *supervisor, const struct service *service,
			 struct monitor **old, size_t old_count, struct failure *failure)
{
	size_t total = service->spec.colors[BGS_BLUE].count + service->spec.colors[BGS_GREEN].count;
	int err = 0;

	memcpy(supervisor->listen, service->spec.listen, sizeof(supervisor->listen));
	supervisor->listen_count = service->spec.listen_count;
	supervisor->monitor_count = 0;
	supervisor->monitors = calloc(total + 1, sizeof(struct monitor *));
	if (!supervisor->monitors)
		err = failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	for (enum bgs_color color = 0; color < BGS_COLORS && !err; color++) {
		const struct color_spec *spec = &service->spec.colors[color];

		for (size_t place = 0; place < spec->count && !err; place++) {
			const struct endpoint *address = &spec->instances[place];
			struct monitor *monitor;

			if (!color_has(spec, place))
				continue;
			monitor = take_old(old, old_count, color, place, address);
			if (!monitor)
				monitor = new_monitor(supervisor, color, place, address, failure);
			if (monitor)
				supervisor->monitors[supervisor->monitor_count++] = monitor;
			else
				err = -1;
		}
	}
	for (size_t i = 0; i < old_count; i++)
		free_monitor(old[i]);
	free(old);
	return err;
}

struct supervisor *supervisor_new(const struct supervisor_host *host, const struct service *service,
				  struct policy *policy, struct failure *failure)
{
	struct supervisor *supervisor = calloc(1, sizeof(*supervisor));

	if (!supervisor) {
		policy_free(policy);
		free(policy);
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		return NULL;
	}
	supervisor->host = host;
	supervisor->policy = policy;
	supervisor->slot = service->slot;
	supervisor->route = service->route;
	supervisor->previous = -1;
	memcpy(supervisor->name, service->spec.name, sizeof(supervisor->name));
	draining_host(&supervisor->drain_host, supervisor);
	cutover_init(&supervisor->cutover, &supervisor_cutover_host, &supervisor->drain_host,
		     supervisor);
	warming_init(supervisor);
	if (fill_monitors(supervisor, service, NULL, 0, failure)) {
		supervisor_free(supervisor);
		return NULL;
	}
	return supervisor;
}

void supervisor_free(struct supervisor *supervisor)
{
	if (!supervisor)
		return;
	warming_close(supervisor);
	for (size_t i = 0; i < supervisor->monitor_count; i++)
		free_monitor(supervisor->monitors[i]);
	free(supervisor->monitors);
	policy_free(supervisor->policy);
	free(supervisor->policy);
	free(supervisor);
}

int supervisor_update(struct supervisor *supervisor, const struct service *service,
		      struct policy *policy, struct failure *failure)
{
	struct monitor **old = supervisor->monitors;
	struct policy *old_policy = supervisor->policy;
	size_t old_count = supervisor->monitor_count;
	int err;

	supervisor->slot = service->slot;
	if (policy_equal(old_policy, policy)) {
		policy_free(policy); /* the probes refer to the old one */
		free(policy);
		err = fill_monitors(supervisor, service, old, old_count, failure);
	} else {
		supervisor->policy = policy;
		for (size_t i = 0; i < old_count; i++)
			free_monitor(old[i]);
		free(old);
		policy_free(old_policy);
		free(old_policy);
		err = fill_monitors(supervisor, service, NULL, 0, failure);
		warming_follow(supervisor);
	}
	supervisor->rotation_due = true;
	supervisor_notice_others(supervisor);
	supervisor_evaluate(supervisor);
	return err;
}

void supervisor_tick(struct supervisor *supervisor)
{
	supervisor_evaluate(supervisor);
}

unsigned long long supervisor_deadline(const struct supervisor *supervisor)
{
	const unsigned long long deadlines[] = {
		cutover_deadline(&supervisor->cutover),
		/* Nobody looks at a latch until the cutover is over. */
		is_busy(supervisor) ? 0 : supervisor->latched_until,
		warm_deadline(&supervisor->warm),
	};
	unsigned long long first = 0;

	/* Past deadlines that wait for the lock must not be asked for again and again. */
	if (supervisor->retry)
		return supervisor->retry;
	for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
		if (deadlines[i] && (!first || deadlines[i] < first))
			first = deadlines[i];
	}
	return first;
}

bool supervisor_has_looked(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		if (supervisor->monitors[i]->probe && !supervisor->monitors[i]->has_last)
			return false;
	}
	return true;
}

const char *supervisor_state(const struct supervisor *supervisor)
{
	static const char *const names[] = {
		[CUTOVER_IDLE] = "steady",	   [CUTOVER_CHECKING] = "checking",
		[CUTOVER_SWITCHING] = "switching", [CUTOVER_DRAINING] = "draining",
		[CUTOVER_SOAKING] = "soaking",
	};

	return names[supervisor->cutover.state];
}
