/* SPDX-License-Identifier: GPL-2.0-only */
#include "record/moment.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

long long moment_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

const char *moment_local(char text[MOMENT_TEXT], long long at_ms)
{
	time_t seconds = at_ms / 1000;
	struct tm tm = {};

	localtime_r(&seconds, &tm);
	strftime(text, MOMENT_TEXT, "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}

const char *moment_rfc3339(char text[MOMENT_TEXT], long long at_ms)
{
	time_t seconds = at_ms / 1000;
	struct tm tm = {};
	size_t length;

	gmtime_r(&seconds, &tm);
	length = strftime(text, MOMENT_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + length, MOMENT_TEXT - length, ".%03dZ", (int)(at_ms % 1000));
	return text;
}

bool moment_parse(long long *at_ms, const char *text)
{
	struct tm tm = {};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	unsigned int milliseconds;
	int length = 0;

	if (!rest || sscanf(rest, ".%3uZ%n", &milliseconds, &length) != 1 || length != 5 ||
	    rest[length])
		return false;
	*at_ms = timegm(&tm) * 1000LL + milliseconds;
	return true;
}
