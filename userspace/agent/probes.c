/* SPDX-License-Identifier: GPL-2.0-only */
/* Service checks: now and then, and after each flip, a connection through the switch itself. */
#include <stdlib.h>

#include "agent/agent.h"

#define INTERVAL_USEC 5000000ULL
#define TIMEOUT_USEC 2000000ULL

static void judge(struct member *member)
{
	struct supervisor *supervisor = member->supervisor;
	const struct service_check_result *result = &member->check_result;
	bool before = !supervisor->has_service_check || supervisor->service_check.ok;

	supervisor->has_service_check = true;
	supervisor->service_check = *result;
	if (result->ok == before)
		return;
	event_emit(member->agent->log, EVENT_SERVICE_CHECK, supervisor->name, EVENT_NO_COLOR,
		   result->ok ? "service check: %s is steered as the map says"
			      : "service check: %s",
		   result->ok ? result->address : result->error);
}

static void end(struct member *member)
{
	member->check_io = sd_event_source_disable_unref(member->check_io);
	service_check_end(member->check, &member->check_result);
	member->check = NULL;
	judge(member);
	sd_event_source_set_time_relative(member->check_timer, INTERVAL_USEC);
	sd_event_source_set_enabled(member->check_timer, SD_EVENT_ONESHOT);
}

static int on_connected(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	end(data);
	return 0;
}

/* Addresses in turn: what is wrong with one of them is found in time, and cheaply. */
static const struct bgs_endpoint *next_address(struct member *member)
{
	const struct supervisor *supervisor = member->supervisor;

	if (!supervisor->listen_count)
		return NULL;
	return &supervisor->listen[member->check_which++ % supervisor->listen_count];
}

static void begin(struct member *member)
{
	struct supervisor *supervisor = member->supervisor;
	const struct bgs_endpoint *listen = next_address(member);

	if (!listen)
		return;
	member->check = service_check_begin(&member->agent->datapath, supervisor->slot, listen,
					    &member->check_result);
	if (!member->check)
		judge(member);
	else if (sd_event_add_io(member->agent->event, &member->check_io,
				 service_check_fd(member->check), EPOLLOUT, on_connected,
				 member) < 0)
		end(member);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct member *member = data;

	(void)usec;
	if (member->check) {
		end(member); /* its time is over */
		return 0;
	}
	begin(member);
	sd_event_source_set_time_relative(source, member->check ? TIMEOUT_USEC : INTERVAL_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void probes_start(struct member *member)
{
	/* The first one when listeners have been looked for; not all services at the same moment.
	 */
	sd_event_add_time_relative(member->agent->event, &member->check_timer, CLOCK_MONOTONIC,
				   1 + (uint64_t)(random() % 500000), 100000, on_timer, member);
}

void probes_hurry(struct member *member)
{
	if (member->check || !member->check_timer)
		return;
	sd_event_source_set_time_relative(member->check_timer, 0);
	sd_event_source_set_enabled(member->check_timer, SD_EVENT_ONESHOT);
}

void probes_stop(struct member *member)
{
	struct service_check_result unused;

	member->check_timer = sd_event_source_disable_unref(member->check_timer);
	member->check_io = sd_event_source_disable_unref(member->check_io);
	if (member->check)
		service_check_end(member->check, &unused);
	member->check = NULL;
}
