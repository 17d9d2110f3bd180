/* SPDX-License-Identifier: GPL-2.0-only */
/* How a service is looked after: what the kernel side does not know of it. */
#ifndef BGSWITCH_POLICY_H
#define BGSWITCH_POLICY_H

#include "bgswitch/maps.h"
#include "check/check.h"
#include "duration.h"

/* Who may move traffic away from a color that does not serve. */
enum failover_mode {
	FAILOVER_AUTO, /* the kernel, for want of a listener; the agent, by health */
	FAILOVER_LISTENER, /* only the kernel */
	FAILOVER_OFF,
};

struct minimum {
	unsigned int value; /* at least 1 */
	bool percent; /* of the color's instances, rounded up; 1..100 */
};

enum at_deadline { DEADLINE_RESET, DEADLINE_KEEP };

#define DRAIN_FOREVER 0xffffffffU /* as a timeout: no deadline ("inf") */

/* How the connections of a color that gets no new ones are brought to their end. */
struct drain_policy {
	unsigned int timeout_ms; /* 0: the deadline is now; DRAIN_FOREVER: there is none */
	enum at_deadline at_deadline; /* what happens to those that are left */
	unsigned int close_idle_ms; /* idle ones are closed gently after this; 0: off */
	unsigned int over_ms; /* closes are spread over this time, at most timeout_ms; 0: off */
};

#define COMMAND_MAX_WORDS 64

/* A command, without a shell: argv as for execvp(3), owned; NULL: none. */
struct command_line {
	char **argv;
};

/* What happens to a color that is safe to stop after a cutover. */
struct stop_policy {
	struct command_line commands[BGS_COLORS];
	unsigned int keep_warm_ms; /* after drain and soak, before the command */
	unsigned int timeout_ms; /* of the command */
};

struct policy {
	struct check check;
	struct minimum min_healthy;
	enum failover_mode failover; /* bgs_flags.failover is off only with FAILOVER_OFF */
	unsigned int soak_ms; /* 0: none */
	unsigned int ready_timeout_ms; /* of the gate, all in all */
	struct drain_policy drain;
	struct stop_policy stop;
};

/*
 * DESIGN's defaults: one healthy instance, auto, soak 60 s, ready timeout 30 s;
 * drain 30 s, then reset, nothing is closed before; keep warm 5 min, stop
 * within 30 s, no stop commands.
 */
void policy_init(struct policy *policy);
void policy_free(struct policy *policy);

/* "reset", "keep"; -1 for anything else. */
const char *deadline_name(enum at_deadline deadline);
int deadline_parse(const char *text);

/* A drain's timeout, "inf" without one; its other times, "off" for 0. Into `text`, which is
 * returned. */
const char *drain_timeout_format(char text[DURATION_TEXT], unsigned int ms);
const char *drain_time_format(char text[DURATION_TEXT], unsigned int ms);

/* "auto", "listener", "off" ("on" is read as auto); -1 for anything else. */
const char *failover_name(enum failover_mode mode);
int failover_parse(const char *text);

#endif
