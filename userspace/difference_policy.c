/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between two policies, a line each. */
#include <stdio.h>
#include <string.h>

#include "difference.h"
#include "duration.h"

static int say_duration(struct difference *difference, const char *name, const char *key,
			unsigned int from, unsigned int to)
{
	char before[DURATION_TEXT], after[DURATION_TEXT];

	return difference_say_word(difference, name, key, duration_format(before, from),
				   duration_format(after, to));
}

static int say_minimum(struct difference *difference, const char *name, const struct minimum *from,
		       const struct minimum *to)
{
	char before[16], after[16];

	snprintf(before, sizeof(before), "%u%s", from->value, from->percent ? "%" : "");
	snprintf(after, sizeof(after), "%u%s", to->value, to->percent ? "%" : "");
	return difference_say_word(difference, name, "min_healthy", before, after);
}

/* A time of a drain that is off or has a length. */
static int say_drain_time(struct difference *difference, const char *name, const char *key,
			  unsigned int from, unsigned int to)
{
	char before[DURATION_TEXT], after[DURATION_TEXT];

	return difference_say_word(difference, name, key, drain_time_format(before, from),
				   drain_time_format(after, to));
}

static int say_drain(struct difference *difference, const char *name,
		     const struct drain_policy *from, const struct drain_policy *to)
{
	char before[DURATION_TEXT], after[DURATION_TEXT];

	return difference_say_word(difference, name, "drain timeout",
				   drain_timeout_format(before, from->timeout_ms),
				   drain_timeout_format(after, to->timeout_ms)) ||
			       difference_say_word(difference, name, "drain at_deadline",
						   deadline_name(from->at_deadline),
						   deadline_name(to->at_deadline)) ||
			       say_drain_time(difference, name, "drain close_idle",
					      from->close_idle_ms, to->close_idle_ms) ||
			       say_drain_time(difference, name, "drain over", from->over_ms,
					      to->over_ms)
		       ? -1
		       : 0;
}

static bool command_equal(const struct command_line *left, const struct command_line *right)
{
	size_t i = 0;

	if (!left->argv || !right->argv)
		return left->argv == right->argv;
	while (left->argv[i] && right->argv[i] && !strcmp(left->argv[i], right->argv[i]))
		i++;
	return !left->argv[i] && !right->argv[i];
}

/* Without its words: they may be many. */
static int say_stop(struct difference *difference, const char *name, const struct stop_policy *from,
		    const struct stop_policy *to)
{
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		const struct command_line *before = &from->commands[color];
		const struct command_line *after = &to->commands[color];

		if (command_equal(before, after))
			continue;
		if (difference_say(difference, "~ %s: %s stop command %s", name, color_name(color),
				   !before->argv  ? "added"
				   : !after->argv ? "removed"
						  : "changed"))
			return -1;
	}
	return say_duration(difference, name, "keep_warm", from->keep_warm_ms, to->keep_warm_ms) ||
			       say_duration(difference, name, "stop_timeout", from->timeout_ms,
					    to->timeout_ms)
		       ? -1
		       : 0;
}

static bool check_equal(const struct policy *left, const struct policy *right)
{
	struct policy other = *left; /* borrows its strings */

	other.check = right->check;
	return policy_equal(left, &other);
}

int difference_policy(struct difference *difference, const char *name, const struct policy *now,
		      const struct policy *wanted)
{
	if (difference_say_word(difference, name, "failover", failover_name(now->failover),
				failover_name(wanted->failover)) ||
	    say_minimum(difference, name, &now->min_healthy, &wanted->min_healthy) ||
	    say_duration(difference, name, "soak", now->soak_ms, wanted->soak_ms) ||
	    say_duration(difference, name, "ready_timeout", now->ready_timeout_ms,
			 wanted->ready_timeout_ms) ||
	    say_drain(difference, name, &now->drain, &wanted->drain) ||
	    say_stop(difference, name, &now->stop, &wanted->stop))
		return -1;
	return check_equal(now, wanted) ? 0
					: difference_say(difference, "~ %s: check changed", name);
}
