/* SPDX-License-Identifier: GPL-2.0-only */
#include "percent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int percent_parse(unsigned int *basis_points, const char *text, struct failure *failure)
{
	char *end;
	double percent = strtod(text, &end);

	/* strtod() reads more than people write: exponents, hexadecimal, infinity. */
	if (strspn(text, "0123456789.") != (size_t)(end - text) || end == text ||
	    (*end && strcmp(end, "%")) || percent > 100)
		return failure_set(failure, EXIT_USAGE, "use a number from 0 to 100",
				   "'%s' is not a percentage", text);
	*basis_points = lround(percent * 100);
	return 0;
}

const char *percent_format(char text[16], unsigned int basis_points)
{
	if (basis_points % 100)
		snprintf(text, 16, "%u.%0*u%%", basis_points / 100, basis_points % 10 ? 2 : 1,
			 basis_points % 10 ? basis_points % 100 : basis_points % 100 / 10);
	else
		snprintf(text, 16, "%u%%", basis_points / 100);
	return text;
}
