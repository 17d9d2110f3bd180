/* SPDX-License-Identifier: GPL-2.0-only */
/* The checks of one instance: what is repeated, what came of it, and the health that follows. */
#ifndef BGSWITCH_MONITOR_H
#define BGSWITCH_MONITOR_H

#include <jansson.h>

#include "check/prober.h"
#include "datapath/services.h"
#include "switch/health.h"

struct monitor {
	enum bgs_color color;
	unsigned int place; /* in the color */
	struct endpoint address;
	const struct check *check; /* borrowed */
	struct instance_health health;
	long long watched_us; /* CLOCK_MONOTONIC of monitor_watch() */
	bool has_last;
	struct {
		bool ok;
		unsigned int status, duration_us;
		long long ended_ms;
	} last; /* check; what a failed one had to say is in `failure` */
	struct check_result *failure; /* the last one; NULL: there was none */
	unsigned int attempts; /* failures in a row that ended with it */
	struct probe *probe; /* NULL with CHECK_NONE */
	enum { PACE_UNSET, PACE_NORMAL, PACE_FAST } pace; /* by monitor_pace() */
	/* Called after each check, with the health before it. */
	void (*checked)(struct monitor *monitor, enum health before, void *data);
	void *data;
};

/* Begins checking; the other fields up to `check`, and `checked` and `data`, are filled in. */
int monitor_start(struct monitor *monitor, struct prober *prober, struct failure *failure);
void monitor_stop(struct monitor *monitor);

/* Only checks that begin from now on count as fresh, and one does at once. */
void monitor_watch(struct monitor *monitor);

/* Asks sooner while the next check may decide, or all the time when `hurried`. */
void monitor_pace(struct monitor *monitor, bool hurried);
/* Begins no check until it is let go: checks are connections, too. */
void monitor_hold(struct monitor *monitor, bool held);
bool monitor_is_checking(const struct monitor *monitor);
/* Has the last check left everything as it was, the pace as well? */
bool monitor_is_steady(const struct monitor *monitor, enum health before);

/* Why it is not healthy: "127.0.0.1:8082: status 500, expected 200-299 (3 checks ...)". */
const char *monitor_reason(const struct monitor *monitor, char *text, size_t size);

/* {"address", "health", "last_check", "last_failure"}, as in `status -j`; the caller owns it. */
json_t *monitor_json(const struct monitor *monitor);

#endif
