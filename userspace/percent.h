/* SPDX-License-Identifier: GPL-2.0-only */
/* Shares as people write them; kept in basis points. */
#ifndef BGSWITCH_PERCENT_H
#define BGSWITCH_PERCENT_H

#include "failure.h"

/* Reads "30", "12.5" or "30%": 0 to 100. */
int percent_parse(unsigned int *basis_points, const char *text, struct failure *failure);

/* "12.5%" */
const char *percent_format(char text[16], unsigned int basis_points);

#endif
