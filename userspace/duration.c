/* SPDX-License-Identifier: GPL-2.0-only */
#include "duration.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NEXT "write a number and a unit, as in 250ms, 30s, 5m or 2h"

/* The largest first: what duration_format() tries in turn. */
static const struct {
	const char *name;
	unsigned int milliseconds;
} units[] = { { "h", 3600 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 }, { "ms", 1 } };

#define UNITS (sizeof(units) / sizeof(units[0]))

/* Twice the limit stands for all that is more; nothing overflows on the way. */
#define TOO_LONG (2ULL * DURATION_MAX_MS)

static const char *read_whole(const char *text, uint64_t *whole)
{
	for (*whole = 0; *text >= '0' && *text <= '9'; text++)
		*whole = *whole < TOO_LONG ? *whole * 10 + (*text - '0') : TOO_LONG;
	return text;
}

/* The part of a unit that the digits after the point are; false if it is no whole number of ms. */
static bool add_fraction(uint64_t *total, const char *digits, const char *end, uint64_t unit)
{
	uint64_t value, scale = 1;

	if (end - digits > 9)
		return false;
	read_whole(digits, &value);
	for (; digits < end; digits++)
		scale *= 10;
	*total += value * unit / scale;
	return value * unit % scale == 0;
}

/* False: not of this form. More than DURATION_MAX_MS: too long. */
static bool read_duration(const char *text, uint64_t *total)
{
	const char *end, *fraction = NULL, *rest;
	uint64_t whole, unused;

	end = rest = read_whole(text, &whole);
	if (end == text)
		return false;
	if (*end == '.') {
		fraction = end + 1;
		rest = read_whole(fraction, &unused);
		if (rest == fraction)
			return false;
	}
	*total = 0;
	if (!whole && !fraction && !*rest)
		return true;
	for (size_t i = 0; i < UNITS; i++) {
		if (strcmp(rest, units[i].name))
			continue;
		*total = whole * units[i].milliseconds;
		return !fraction || add_fraction(total, fraction, rest, units[i].milliseconds);
	}
	return false;
}

int duration_parse(unsigned int *milliseconds, const char *text, const char *what,
		   struct failure *failure)
{
	uint64_t total;

	if (!read_duration(text, &total))
		return failure_set(failure, EXIT_USAGE, NEXT, "%s: '%.64s' is not a length of time",
				   what, text);
	if (total > DURATION_MAX_MS)
		return failure_set(failure, EXIT_USAGE, "use at most 720h",
				   "%s: '%.64s' is longer than 30 days", what, text);
	*milliseconds = (unsigned int)total;
	return 0;
}

int duration_parse_or_inf(unsigned int *milliseconds, unsigned int forever, const char *text,
			  const char *what, struct failure *failure)
{
	if (strcmp(text, "inf"))
		return duration_parse(milliseconds, text, what, failure);
	*milliseconds = forever;
	return 0;
}

const char *duration_format(char text[DURATION_TEXT], unsigned int milliseconds)
{
	size_t i = 0;

	while (milliseconds % units[i].milliseconds)
		i++;
	snprintf(text, DURATION_TEXT, "%u%s", milliseconds / units[i].milliseconds,
		 milliseconds ? units[i].name : "");
	return text;
}
