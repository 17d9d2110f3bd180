/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/policy.h"

#include <string.h>

#include "words.h"

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
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		words_free(policy->stop.commands[color].argv);
		policy->stop.commands[color].argv = NULL;
	}
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

static const char *const deadline_names[] = {
	[DEADLINE_RESET] = "reset",
	[DEADLINE_KEEP] = "keep",
};

const char *deadline_name(enum at_deadline deadline)
{
	return deadline_names[deadline];
}

int deadline_parse(const char *text)
{
	for (int deadline = DEADLINE_RESET; deadline <= DEADLINE_KEEP; deadline++) {
		if (!strcmp(text, deadline_names[deadline]))
			return deadline;
	}
	return -1;
}

const char *drain_timeout_format(char text[DURATION_TEXT], unsigned int ms)
{
	return ms == DRAIN_FOREVER ? strcpy(text, "inf") : duration_format(text, ms);
}

const char *drain_time_format(char text[DURATION_TEXT], unsigned int ms)
{
	return ms ? duration_format(text, ms) : strcpy(text, "off");
}
