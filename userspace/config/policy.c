/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/policy.h"

#include <string.h>

static const char *const failover_names[] = {
	[FAILOVER_AUTO] = "auto",
	[FAILOVER_LISTENER] = "listener",
	[FAILOVER_OFF] = "off",
};

void policy_init(struct policy *policy)
{
	*policy = (struct policy){
		.min_healthy = { .value = 1 },
		.failover = FAILOVER_AUTO,
		.soak_ms = 60 * 1000,
		.ready_timeout_ms = 30 * 1000,
		.drain = { .timeout_ms = 30 * 1000 },
		.stop = { .keep_warm_ms = 5 * 60 * 1000, .timeout_ms = 30 * 1000 },
	};
	check_init(&policy->check);
}

void policy_free(struct policy *policy)
{
	check_free(&policy->check);
}

const char *failover_name(enum failover_mode mode)
{
	return failover_names[mode];
}

int failover_parse(const char *text)
{
	if (!strcmp(text, "on"))
		return FAILOVER_AUTO;
	for (int mode = FAILOVER_AUTO; mode <= FAILOVER_OFF; mode++) {
		if (!strcmp(text, failover_names[mode]))
			return mode;
	}
	return -1;
}
