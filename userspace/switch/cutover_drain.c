/* SPDX-License-Identifier: GPL-2.0-only */
/* The drain within a cutover: what is said of it, and what it makes of the outcome. */
#include <stdio.h>

#include "datapath/services.h"
#include "switch/cutover_private.h"

/* New clients come there: nothing is waited for, and it is not safe. */
static bool is_skipped(struct cutover *cutover, enum bgs_color color, const char *how)
{
	const char *why = cutover->host->receives(cutover->data, color);
	char text[DRAIN_TEXT];

	if (!why)
		return false;
	cutover->receives = true;
	snprintf(text, sizeof(text), "%s is not %s: %s", color_name(color), how, why);
	if (!cutover->switched)
		snprintf(cutover->text, sizeof(cutover->text), "%s", text);
	cutover_announce(cutover, EVENT_NOT_SAFE, color, "%s", text);
	return true;
}

void cutover_begin_drain(struct cutover *cutover)
{
	const struct cutover_request *request = &cutover->request;
	enum bgs_color color = !request->to;
	char text[DRAIN_TEXT];

	if (!request->drains || is_skipped(cutover, color, "drained"))
		return;
	drain_begin(&cutover->drain, cutover->drain_host, color, &request->drain);
	if (cutover->drain.state == DRAIN_WAITING)
		cutover_announce(cutover, EVENT_DRAINING, color, "draining %s: %s",
				 color_name(color),
				 drain_counts_text(text, &cutover->drain.counts));
	else
		cutover_tell_drain(cutover);
}

static void tell_cut(struct cutover *cutover)
{
	const struct drain *drain = &cutover->drain;
	const char *of = color_name(drain->color);

	if (drain->cut == 1)
		snprintf(cutover->text, sizeof(cutover->text),
			 "1 connection of %s was reset at the deadline", of);
	else
		snprintf(cutover->text, sizeof(cutover->text),
			 "%llu connections of %s were reset at the deadline", drain->cut, of);
	cutover_announce(cutover, EVENT_CUT, drain->color, "%s", cutover->text);
}

static void tell_kept(struct cutover *cutover)
{
	const struct drain *drain = &cutover->drain;
	char left[DRAIN_TEXT], reset[64] = "";

	if (drain->cut)
		snprintf(reset, sizeof(reset), ", and %llu were reset", drain->cut);
	snprintf(cutover->text, sizeof(cutover->text),
		 "%s is not safe to stop: %s are left at the deadline%s", color_name(drain->color),
		 drain_counts_text(left, &drain->counts), reset);
	cutover_announce(cutover, EVENT_NOT_SAFE, drain->color, "%s", cutover->text);
}

void cutover_tell_drain(struct cutover *cutover)
{
	const struct drain *drain = &cutover->drain;
	const char *color = color_name(drain->color);

	if (drain->cut)
		tell_cut(cutover);
	switch (drain->state) {
	case DRAIN_SAFE:
		/* Networks may have been added meanwhile, or listeners have gone. */
		if (!is_skipped(cutover, drain->color, "safe to stop"))
			cutover_announce(cutover, EVENT_SAFE_TO_STOP, drain->color,
					 "%s is safe to stop: no handshake, nothing queued, no "
					 "connection",
					 color);
		break;
	case DRAIN_KEPT:
		tell_kept(cutover);
		break;
	case DRAIN_FAILED:
		if (!cutover->switched) {
			cutover->failure = drain->failure;
			snprintf(cutover->text, sizeof(cutover->text), "%s", drain->failure.what);
		}
		cutover_announce(cutover, EVENT_ALARM, drain->color,
				 "nobody knows when %s is safe to stop: %s; %s", color,
				 drain->failure.what, drain->failure.next);
		break;
	default:
		break;
	}
}

enum cutover_outcome cutover_drain_outcome(const struct cutover *cutover)
{
	if (cutover->drain.state == DRAIN_KEPT)
		return OUTCOME_KEPT;
	/* Whoever asked for a drain and nothing else has not got it. */
	if (cutover->receives && !cutover->switched)
		return OUTCOME_KEPT;
	if (cutover->drain.state == DRAIN_FAILED && !cutover->switched)
		return OUTCOME_FAILED;
	return cutover->drain.cut ? OUTCOME_CUT : OUTCOME_COMPLETE;
}

bool cutover_has_drained(const struct cutover *cutover)
{
	if (cutover->drain.state == DRAIN_IDLE)
		return cutover->request.drained && !cutover->receives;
	return cutover->drain.state == DRAIN_SAFE && !cutover->receives;
}

void cutover_drain_step(struct cutover *cutover)
{
	if (cutover->state == CUTOVER_DRAINING)
		drain_step(&cutover->drain);
}

static long long left_until(unsigned long long deadline, unsigned long long now)
{
	return deadline > now ? (long long)(deadline - now) : 0;
}

long long cutover_left(const struct cutover *cutover)
{
	unsigned long long now = cutover->host->now(cutover->data);
	long long left = left_until(cutover->deadline, now), drain;

	if (cutover->state == CUTOVER_IDLE)
		return 0;
	if (cutover->state != CUTOVER_DRAINING)
		return left;
	if (!cutover->drain.deadline)
		return -1;
	drain = left_until(cutover->drain.deadline, now);
	return drain > left ? drain : left;
}
