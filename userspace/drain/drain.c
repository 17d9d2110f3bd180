/* SPDX-License-Identifier: GPL-2.0-only */
#include "drain/drain.h"

#include <stdio.h>

static unsigned long long now(const struct drain *drain)
{
	return drain->host->now(drain->host->data);
}

static unsigned long long later(unsigned long long a, unsigned long long b)
{
	return a > b ? a : b;
}

/* When to do again what was begun at `before`: walks over many sockets have to leave time for
 * others. */
static unsigned long long again(const struct drain *drain, unsigned long long before,
				unsigned int pause)
{
	unsigned long long after = now(drain);

	return after + later(pause, 9 * (after - before));
}

static unsigned long long sooner_of(unsigned long long a, unsigned long long b)
{
	return a < b ? a : b;
}

/* Those that are to be spread must not come all at once because a walk took long. */
static unsigned long long again_spread(const struct drain *drain, unsigned long long before,
				       unsigned int pause)
{
	unsigned int slice = drain->policy.over_ms / DRAIN_SLICES;
	unsigned long long next = again(drain, before, pause);

	return slice ? sooner_of(next, now(drain) + later(pause, slice)) : next;
}

static void end(struct drain *drain, enum drain_state state)
{
	drain->state = state;
	drain->ended = now(drain);
}

unsigned long long drain_left(const struct drain *drain)
{
	const struct connection_counts *counts = &drain->counts;

	return counts->handshaking + counts->accept_queue + counts->established + counts->untagged;
}

/* ---- shares */

/* Of 2^32, after `spent` of `over` ms. */
static unsigned int ramp(unsigned long long spent, unsigned int over)
{
	return spent >= over ? DRAIN_ALL : (unsigned int)((spent << 32) / over);
}

static bool closes_gently(const struct drain *drain)
{
	return drain->policy.close_idle_ms || drain->policy.over_ms;
}

unsigned long long drain_resets_at(const struct drain *drain)
{
	if (!drain->deadline || drain->policy.at_deadline != DEADLINE_RESET)
		return 0;
	return drain->deadline - drain->policy.over_ms;
}

/* ---- looks: each returns whether it waits on */

/* The exact counts; they may say that it is over. */
static bool prove(struct drain *drain)
{
	const struct drain_host *host = drain->host;
	unsigned long long before = now(drain);

	drain->counts = (struct connection_counts){};
	if (host->prove(host->data, drain->color, &drain->counts, &drain->failure)) {
		end(drain, DRAIN_FAILED);
		return false;
	}
	drain->next_prove = again(drain, before, DRAIN_COUNT_MS);
	if (connections_is_zero(&drain->counts))
		end(drain, DRAIN_SAFE);
	return drain->state == DRAIN_WAITING;
}

static bool count(struct drain *drain)
{
	const struct drain_host *host = drain->host;
	/* Gauges do not know of untagged ones: those of the last proof stay. */
	struct connection_counts counts = {};
	unsigned long long before = now(drain), untagged = drain->counts.untagged;
	bool is_zero;

	if (before < drain->next_count)
		return true;
	if (host->count(host->data, drain->color, &counts, &drain->failure)) {
		end(drain, DRAIN_FAILED);
		return false;
	}
	drain->next_count = again(drain, before, DRAIN_COUNT_MS);
	is_zero = connections_is_zero(&counts);
	counts.untagged = untagged;
	drain->counts = counts;
	if (!is_zero)
		drain->next_prove = 0; /* what was proved was about others */
	return is_zero && before >= drain->next_prove ? prove(drain) : true;
}

/* The deadline, once: true if there is still something to wait for. */
static bool meet_deadline(struct drain *drain)
{
	if (!drain->deadline || drain->is_past || now(drain) < drain->deadline)
		return true;
	drain->is_past = true;
	if (!prove(drain))
		return false;
	if (drain->policy.at_deadline == DEADLINE_KEEP)
		end(drain, DRAIN_KEPT);
	drain->fewest = drain_left(drain);
	drain->give_up = now(drain) + DRAIN_GIVE_UP_MS;
	return drain->state == DRAIN_WAITING;
}

/* After the deadline resets end it, or nothing does. */
static bool consider_giving_up(struct drain *drain)
{
	if (!drain->is_past)
		return true;
	if (drain_left(drain) < drain->fewest) {
		drain->fewest = drain_left(drain);
		drain->give_up = now(drain) + DRAIN_GIVE_UP_MS;
	}
	if (now(drain) < drain->give_up || !prove(drain))
		return drain->state == DRAIN_WAITING;
	end(drain, DRAIN_KEPT);
	return false;
}

/* ---- deeds */

static void warn(struct drain *drain, const struct failure *failure)
{
	if (!drain->warned)
		drain->host->warn(drain->host->data, failure);
	drain->warned = true;
}

static void close_idle(struct drain *drain)
{
	const struct drain_policy *policy = &drain->policy;
	const struct drain_host *host = drain->host;
	unsigned long long at = now(drain);
	unsigned int closed = 0;
	struct failure failure;

	if (!closes_gently(drain) || at < drain->next_close || !drain->counts.established)
		return;
	if (host->close_idle(host->data, drain->color,
			     policy->close_idle_ms ? policy->close_idle_ms : DRAIN_OVER_IDLE_MS,
			     ramp(at - drain->began, policy->over_ms), &closed, &failure))
		warn(drain, &failure);
	drain->closed += closed;
	/* A round takes so many and no more: where some were closed, more may be due. */
	drain->next_close = closed && !policy->over_ms ? now(drain) + DRAIN_CLOSE_MS
						       : again_spread(drain, at, DRAIN_CLOSE_MS);
}

static void cut(struct drain *drain)
{
	const struct drain_host *host = drain->host;
	unsigned long long at = now(drain), begins = drain_resets_at(drain);
	unsigned int done = 0;
	struct failure failure;

	if (!begins || at < begins || at < drain->next_cut)
		return;
	if (host->cut(host->data, drain->color, ramp(at - begins, drain->policy.over_ms),
		      DRAIN_CUT_BATCH, &done, &failure))
		warn(drain, &failure);
	drain->cut += done;
	/* A full batch leaves more of those that are due; others become due later. */
	drain->next_cut = done < DRAIN_CUT_BATCH ? again_spread(drain, at, DRAIN_COUNT_MS)
						 : now(drain) + DRAIN_CUT_MS;
	if (done)
		drain->next_count = drain->next_prove = at; /* it may be over */
}

void drain_begin(struct drain *drain, const struct drain_host *host, enum bgs_color color,
		 const struct drain_policy *policy)
{
	*drain = (struct drain){
		.host = host, .color = color, .policy = *policy, .state = DRAIN_WAITING
	};
	drain->began = now(drain);
	if (policy->timeout_ms != DRAIN_FOREVER)
		drain->deadline = drain->began + policy->timeout_ms;
	if (policy->over_ms > policy->timeout_ms)
		drain->policy.over_ms = policy->timeout_ms;
	drain_step(drain);
}

void drain_step(struct drain *drain)
{
	if (drain->state != DRAIN_WAITING || !count(drain) || !meet_deadline(drain) ||
	    !consider_giving_up(drain))
		return;
	close_idle(drain);
	cut(drain);
}

static void sooner(unsigned long long *next, unsigned long long at)
{
	if (at < *next)
		*next = at;
}

unsigned long long drain_next(const struct drain *drain)
{
	unsigned long long next = drain->next_count, begins = drain_resets_at(drain);

	if (drain->state != DRAIN_WAITING)
		return 0;
	if (drain->deadline && !drain->is_past)
		sooner(&next, drain->deadline);
	if (drain->is_past)
		sooner(&next, drain->give_up);
	if (closes_gently(drain) && drain->counts.established)
		sooner(&next, drain->next_close);
	if (begins)
		sooner(&next, later(begins, drain->next_cut));
	return next;
}

void drain_stop(struct drain *drain)
{
	if (drain->state == DRAIN_WAITING)
		end(drain, DRAIN_STOPPED);
}

/* ---- in words */

static void add(char text[DRAIN_TEXT], size_t *used, unsigned long long number, const char *what)
{
	if (number)
		*used += (size_t)snprintf(text + *used, DRAIN_TEXT - *used, "%s%llu %s",
					  *used ? ", " : "", number, what);
}

const char *drain_counts_text(char text[DRAIN_TEXT], const struct connection_counts *counts)
{
	size_t used = 0;

	add(text, &used, counts->handshaking, "handshaking");
	if (counts->cookies)
		used += (size_t)snprintf(text + used, DRAIN_TEXT - used, "%sSYN cookies out",
					 used ? ", " : "");
	add(text, &used, counts->accept_queue, "queued");
	add(text, &used, counts->established, "established");
	add(text, &used, counts->untagged, "untagged");
	if (!used)
		snprintf(text, DRAIN_TEXT, "nothing");
	return text;
}
