/* SPDX-License-Identifier: GPL-2.0-only */
#include "drain/options.h"

#include <stdio.h>
#include <string.h>

#include "duration.h"

static int parse_time(unsigned int *milliseconds, bool *given, const char *name,
		      struct failure *failure)
{
	*given = true;
	return duration_parse(milliseconds, optarg, name, failure) ? -1 : 1;
}

static int parse_deadline(struct drain_options *options, enum at_deadline action,
			  struct failure *failure)
{
	if (options->has_at_deadline && options->policy.at_deadline != action)
		return failure_set(failure, EXIT_USAGE, "give one of them",
				   "--kill and --keep exclude each other");
	options->has_at_deadline = true;
	options->policy.at_deadline = action;
	return 1;
}

int drain_options_parse(struct drain_options *options, int option, struct failure *failure)
{
	struct drain_policy *policy = &options->policy;

	switch (option) {
	case DRAIN_OPTION_TIMEOUT:
		options->has_timeout = true;
		return duration_parse_or_inf(&policy->timeout_ms, DRAIN_FOREVER, optarg,
					     "drain timeout", failure)
			       ? -1
			       : 1;
	case DRAIN_OPTION_CLOSE_IDLE:
		return parse_time(&policy->close_idle_ms, &options->has_close_idle, "--close-idle",
				  failure);
	case DRAIN_OPTION_OVER:
		return parse_time(&policy->over_ms, &options->has_over, "--over", failure);
	case DRAIN_OPTION_KILL:
		return parse_deadline(options, DEADLINE_RESET, failure);
	case DRAIN_OPTION_KEEP:
		return parse_deadline(options, DEADLINE_KEEP, failure);
	default:
		return 0;
	}
}

void drain_options_add(const struct drain_options *options, json_t *parameters)
{
	const struct drain_policy *policy = &options->policy;

	if (options->has_timeout && policy->timeout_ms == DRAIN_FOREVER)
		json_object_set_new(parameters, "drain_forever", json_true());
	else if (options->has_timeout)
		json_object_set_new(parameters, "drain_timeout_ms",
				    json_integer(policy->timeout_ms));
	if (options->has_at_deadline)
		json_object_set_new(parameters, "at_deadline",
				    json_string(deadline_name(policy->at_deadline)));
	if (options->has_close_idle)
		json_object_set_new(parameters, "close_idle_ms",
				    json_integer(policy->close_idle_ms));
	if (options->has_over)
		json_object_set_new(parameters, "over_ms", json_integer(policy->over_ms));
}

static bool read_number(unsigned int *number, const json_t *parameters, const char *name)
{
	const json_t *value = json_object_get(parameters, name);

	*number = (unsigned int)json_integer_value(value);
	return json_is_integer(value);
}

/* Types and ranges are parameters_check()'s. */
int drain_options_read(struct drain_options *options, const json_t *parameters,
		       struct failure *failure)
{
	const char *action = json_string_value(json_object_get(parameters, "at_deadline"));
	struct drain_policy *policy = &options->policy;
	int parsed;

	memset(options, 0, sizeof(*options));
	options->has_timeout = read_number(&policy->timeout_ms, parameters, "drain_timeout_ms");
	options->has_close_idle = read_number(&policy->close_idle_ms, parameters, "close_idle_ms");
	options->has_over = read_number(&policy->over_ms, parameters, "over_ms");
	if (json_is_true(json_object_get(parameters, "drain_forever"))) {
		options->has_timeout = true;
		policy->timeout_ms = DRAIN_FOREVER;
	}
	if (!action)
		return 0;
	parsed = deadline_parse(action);
	if (parsed < 0)
		return failure_set(failure, EXIT_USAGE, "give 'reset' or 'keep'",
				   "at_deadline: '%.40s' is neither reset nor keep", action);
	options->has_at_deadline = true;
	policy->at_deadline = parsed;
	return 0;
}

int drain_options_apply(const struct drain_options *options, struct drain_policy *policy,
			struct failure *failure)
{
	char over[DURATION_TEXT], timeout[DURATION_TEXT];

	if (options->has_timeout)
		policy->timeout_ms = options->policy.timeout_ms;
	if (options->has_at_deadline)
		policy->at_deadline = options->policy.at_deadline;
	if (options->has_close_idle)
		policy->close_idle_ms = options->policy.close_idle_ms;
	if (options->has_over)
		policy->over_ms = options->policy.over_ms;
	if (policy->over_ms <= policy->timeout_ms)
		return 0;
	if (!options->has_over) { /* the service's own, and less time this once */
		policy->over_ms = policy->timeout_ms;
		return 0;
	}
	return failure_set(failure, EXIT_USAGE, "give the drain more time, or spread over less",
			   "--over %s is longer than the drain may take, %s",
			   duration_format(over, policy->over_ms),
			   duration_format(timeout, policy->timeout_ms));
}
