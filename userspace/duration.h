/* SPDX-License-Identifier: GPL-2.0-only */
/* Lengths of time as people write them; kept in milliseconds. */
#ifndef BGSWITCH_DURATION_H
#define BGSWITCH_DURATION_H

#include "failure.h"

#define DURATION_MAX_MS (30u * 24 * 3600 * 1000) /* 30 days */
#define DURATION_TEXT 24

/*
 * Reads "250ms", "30s", "1.5s", "5m", "2h", or "0": a number and a unit. `what`
 * names the place in messages, as in "--soak".
 */
int duration_parse(unsigned int *milliseconds, const char *text, const char *what,
		   struct failure *failure);

/* The same, and "inf" is `forever`. */
int duration_parse_or_inf(unsigned int *milliseconds, unsigned int forever, const char *text,
			  const char *what, struct failure *failure);

/* The shortest exact form: "250ms", "30s", "5m". */
const char *duration_format(char text[DURATION_TEXT], unsigned int milliseconds);

#endif
