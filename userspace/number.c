/* SPDX-License-Identifier: GPL-2.0-only */
#include "number.h"

#include <errno.h>
#include <stdlib.h>

bool number_parse(const char *text, unsigned int most, unsigned int *value)
{
	unsigned long number;
	char *end;

	if (*text < '0' || *text > '9') /* strtoul() takes blanks and signs */
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *end || number > most)
		return false;
	*value = (unsigned int)number;
	return true;
}
