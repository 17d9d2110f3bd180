/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/parameters.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bgswitch/maps.h"
#include "duration.h"

enum type { TEXT, TRUTH, NUMBER };

static const struct {
	const char *name;
	enum type type;
	json_int_t most; /* of a number, which is at least 0 */
} known[] = {
	{ "service", TEXT, 0 },
	{ "color", TEXT, 0 },
	{ "force", TRUTH, 0 },
	{ "wait", TRUTH, 0 },
	{ "dry_run", TRUTH, 0 },
	{ "soak_ms", NUMBER, DURATION_MAX_MS },
	{ "drain_timeout_ms", NUMBER, DURATION_MAX_MS },
	{ "drain_forever", TRUTH, 0 },
	{ "at_deadline", TEXT, 0 },
	{ "close_idle_ms", NUMBER, DURATION_MAX_MS },
	{ "over_ms", NUMBER, DURATION_MAX_MS },
	{ "basis_points", NUMBER, BGS_SPLIT_MAX },
};

static bool fits(const json_t *value, enum type type, json_int_t most)
{
	switch (type) {
	case TEXT:
		return json_is_string(value);
	case TRUTH:
		return json_is_boolean(value);
	case NUMBER:
		return json_is_integer(value) && json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= most;
	}
	return false;
}

static int refuse(size_t which, struct failure *failure)
{
	const char *name = known[which].name;
	char next[64];

	switch (known[which].type) {
	case TEXT:
		return failure_set(failure, EXIT_USAGE, "give a string", "%s is no string", name);
	case TRUTH:
		return failure_set(failure, EXIT_USAGE, "give true or false",
				   "%s is neither true nor false", name);
	case NUMBER:
		break;
	}
	snprintf(next, sizeof(next), "give a whole number of 0 to %lld",
		 (long long)known[which].most);
	return failure_set(failure, EXIT_USAGE, next, "%s is no number in its range", name);
}

static int check_one(const char *name, const json_t *value, struct failure *failure)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(name, known[i].name))
			continue;
		if (json_is_null(value) || fits(value, known[i].type, known[i].most))
			return 0;
		return refuse(i, failure);
	}
	return failure_set(failure, EXIT_USAGE, "see the interface's description",
			   "there is no parameter '%.40s'", name);
}

int parameters_check(const json_t *parameters, struct failure *failure)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)parameters, name, value)
	{
		if (check_one(name, value, failure))
			return -1;
	}
	return 0;
}
