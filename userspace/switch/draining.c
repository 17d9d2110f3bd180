/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/draining.h"

#include <errno.h>

#include "drain/acts.h"
#include "switch/quiet.h"
#include "switch/supervisor_private.h"

#define NEXT "see 'bgswitch status'"
#define OLDEST_PAUSE_MS 500

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

static int cut(void *data, enum bgs_color color, unsigned int share, unsigned int most,
	       unsigned int *done, struct failure *failure)
{
	const struct supervisor *supervisor = data;
	const char *receives;

	*done = 0;
	if (check_slot(supervisor, failure))
		return -1;
	receives = draining_receives(supervisor, color);
	if (receives) /* since a moment ago; these clients have nowhere else to go */
		return failure_set(failure, EXIT_REFUSED, NEXT,
				   "connections of %s are not reset: %s", color_name(color),
				   receives);
	if (!quiet_is_left_alone(supervisor))
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

const char *draining_receives(const struct supervisor *supervisor, enum bgs_color color)
{
	struct bgs_service service;

	if (supervisor_read(supervisor, &service))
		return NULL; /* it is being removed, which will be heard of */
	return color_receives_beside(supervisor->host->datapath, supervisor->slot, &service, color);
}

/* ---- the oldest connection: asked for by who waits, as it takes a walk */

struct search {
	__u32 slot;
	enum bgs_color color;
	__u64 since_ns;
};

static int note_oldest(const struct bgs_connection *connection, void *data)
{
	struct search *search = data;

	if (connection->tag == BGS_TAGGED && connection->kind == BGS_CONNECTION_HELD &&
	    BGS_INSTANCE_SLOT(connection->instance) == search->slot &&
	    BGS_INSTANCE_COLOR(connection->instance) == search->color &&
	    connection->since_ns < search->since_ns)
		search->since_ns = connection->since_ns;
	return 0;
}

static void look_for_oldest(struct supervisor *supervisor)
{
	const struct drain *drain = &supervisor->cutover.drain;
	struct draining_oldest *oldest = &supervisor->oldest;
	struct search search = { supervisor->slot, drain->color, ~0ULL };
	unsigned long long before = supervisor_now(), after;

	if (before < oldest->next && oldest->drain_began == drain->began)
		return;
	connections_each(supervisor->host->datapath, note_oldest, &search);
	after = supervisor_now();
	oldest->drain_began = drain->began;
	oldest->since_ms = search.since_ns == ~0ULL ? 0 : search.since_ns / 1000000;
	/* Nine parts of ten are left to others. */
	oldest->next = after + (after - before) * 9 + OLDEST_PAUSE_MS;
}

static json_t *oldest_json(struct supervisor *supervisor)
{
	unsigned long long now_ms = supervisor_now();

	if (!supervisor->cutover.drain.counts.established)
		return json_null();
	look_for_oldest(supervisor);
	if (!supervisor->oldest.since_ms || supervisor->oldest.since_ms > now_ms)
		return json_null();
	return json_integer((json_int_t)(now_ms - supervisor->oldest.since_ms));
}

json_t *draining_progress(struct supervisor *supervisor)
{
	const struct drain *drain = &supervisor->cutover.drain;
	const struct connection_counts *counts = &drain->counts;
	unsigned long long at = supervisor_now();
	json_t *left = json_null();

	if (drain->deadline)
		left = json_integer(drain->deadline > at ? (json_int_t)(drain->deadline - at) : 0);
	return json_pack("{s:s, s:s, s:I, s:b, s:I, s:I, s:I, s:o, s:o}", "service",
			 supervisor->name, "color", color_name(drain->color), "handshaking",
			 (json_int_t)counts->handshaking, "syn_cookies", counts->cookies,
			 "accept_queue", (json_int_t)counts->accept_queue, "established",
			 (json_int_t)counts->established, "untagged", (json_int_t)counts->untagged,
			 "oldest_ms", oldest_json(supervisor), "left_ms", left);
}
