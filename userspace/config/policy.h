/* SPDX-License-Identifier: GPL-2.0-only */
/* How a service is looked after: what the kernel side does not know of it. */
#ifndef BGSWITCH_POLICY_H
#define BGSWITCH_POLICY_H

#include "check/check.h"

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

struct policy {
	struct check check;
	struct minimum min_healthy;
	enum failover_mode failover; /* bgs_flags.failover is off only with FAILOVER_OFF */
	unsigned int soak_ms; /* 0: none */
	unsigned int ready_timeout_ms; /* of the gate, all in all */
};

/* DESIGN's defaults: one healthy instance, auto, 60 s, 30 s. */
void policy_init(struct policy *policy);
void policy_free(struct policy *policy);

/* "auto", "listener", "off" ("on" is read as auto); -1 for anything else. */
const char *failover_name(enum failover_mode mode);
int failover_parse(const char *text);

#endif
