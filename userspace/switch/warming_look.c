/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a color that was safe to stop still so, and still what it was? */
#include <stdio.h>
#include <stdlib.h>

#include "datapath/queues.h"
#include "switch/supervisor_private.h"
#include "switch/warming.h"

bool warming_has_share(const struct bgs_route *route, enum bgs_color color)
{
	return route->active == color ? route->split_bp < BGS_SPLIT_MAX : route->split_bp > 0;
}

/* Spreads a cookie over all bits (the finish of SplitMix64), so that sums differ. */
static unsigned long long spread(unsigned long long cookie)
{
	cookie = (cookie ^ cookie >> 30) * 0xbf58476d1ce4e5b9ULL;
	cookie = (cookie ^ cookie >> 27) * 0x94d049bb133111ebULL;
	return cookie ^ cookie >> 31;
}

unsigned long long warming_listeners(const struct supervisor *supervisor, enum bgs_color color)
{
	struct queues queues = {};
	unsigned long long sum = 0;

	queues_of_color(supervisor->host->datapath, supervisor->slot, color, &queues);
	for (size_t i = 0; i < queues.count; i++)
		sum += spread(queues.items[i].cookie);
	queues_free(&queues);
	return sum;
}

static enum warm_attempt unsafe(char why[WARM_TEXT], const struct failure *failure)
{
	snprintf(why, WARM_TEXT, "%.250s", failure->what);
	return WARM_NOT_SAFE;
}

static enum warm_attempt look_at_route(const struct supervisor *supervisor, enum bgs_color color,
				       char why[WARM_TEXT])
{
	struct bgs_service service;
	const char *other = color_name(!color), *receives;

	if (supervisor_read(supervisor, &service))
		return WARM_BUSY; /* it is being removed, which will be heard of */
	if (warming_has_share(&service.route, color)) {
		snprintf(why, WARM_TEXT, "%s is in use again", color_name(color));
		return WARM_NO_MORE;
	}
	/* It may be all that can serve, by an operator's word. */
	if (supervisor_health(supervisor, !color) == HEALTH_UNHEALTHY) {
		snprintf(why, WARM_TEXT, "%s, which is active, is unhealthy", other);
		return WARM_NOT_SAFE;
	}
	receives = color_receives_beside(supervisor->host->datapath, supervisor->slot, &service,
					 color);
	if (receives) {
		snprintf(why, WARM_TEXT, "%s", receives);
		return WARM_NOT_SAFE;
	}
	return WARM_STARTED;
}

static unsigned long long checks_of(const struct supervisor *supervisor, enum bgs_color color)
{
	unsigned long long count = 0;

	for (size_t i = 0; i < supervisor->monitor_count; i++)
		count += supervisor->monitors[i]->color == color;
	return count;
}

/* The gauges first: a proof costs more, and our own checks have to be held for it. */
static enum warm_attempt look_at_connections(struct supervisor *supervisor, enum bgs_color color,
					     char why[WARM_TEXT])
{
	const struct drain_host *host = &supervisor->drain_host;
	struct connection_counts counts;
	struct failure failure;

	if (host->count(host->data, color, &counts, &failure))
		return unsafe(why, &failure);
	if (counts.handshaking + counts.accept_queue + counts.established <=
	    checks_of(supervisor, color)) {
		supervisor->holds_checks = true;
		quiet_hold_checks(supervisor);
		if (!quiet_is_left_alone(supervisor))
			return WARM_SOON;
		if (host->prove(host->data, color, &counts, &failure))
			return unsafe(why, &failure);
	}
	supervisor->holds_checks = false;
	if (connections_is_zero(&counts))
		return WARM_STARTED;
	snprintf(why, WARM_TEXT, "it has %s", drain_counts_text((char[DRAIN_TEXT]){ 0 }, &counts));
	return WARM_NOT_SAFE;
}

/* What runs there by now may be the next release, which nobody wants to be stopped. */
static enum warm_attempt look_at_listeners(const struct supervisor *supervisor,
					   enum bgs_color color, char why[WARM_TEXT])
{
	if (!supervisor->kept_listeners ||
	    warming_listeners(supervisor, color) == supervisor->kept_listeners)
		return WARM_STARTED;
	snprintf(why, WARM_TEXT, "%s was stopped or started anew by others", color_name(color));
	return WARM_NO_MORE;
}

enum warm_attempt warming_look(struct supervisor *supervisor, const struct warm *warm,
			       char why[WARM_TEXT])
{
	enum warm_attempt result = look_at_route(supervisor, warm->color, why);

	if (result == WARM_STARTED)
		result = look_at_listeners(supervisor, warm->color, why);
	if (result == WARM_STARTED)
		result = look_at_connections(supervisor, warm->color, why);
	return result;
}
