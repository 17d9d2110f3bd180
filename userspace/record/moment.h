/* SPDX-License-Identifier: GPL-2.0-only */
/* Points in time: milliseconds of CLOCK_REALTIME, and how they are written. */
#ifndef BGSWITCH_MOMENT_H
#define BGSWITCH_MOMENT_H

#include <stdbool.h>

#define MOMENT_TEXT 64

long long moment_now(void);

/* "2026-02-18 10:28:20", local time; both return `text`. */
const char *moment_local(char text[MOMENT_TEXT], long long at_ms);
/* "2026-02-18T09:28:20.123Z" (RFC 3339, UTC). */
const char *moment_rfc3339(char text[MOMENT_TEXT], long long at_ms);

/* Reads moment_rfc3339() again. */
bool moment_parse(long long *at_ms, const char *text);

#endif
