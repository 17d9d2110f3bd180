/* SPDX-License-Identifier: GPL-2.0-only */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int failure_set(struct failure *failure, enum exit_code code, const char *next, const char *format,
		...)
{
	va_list args;

	failure->code = code;
	snprintf(failure->next, sizeof(failure->next), "%s", next);
	va_start(args, format);
	vsnprintf(failure->what, sizeof(failure->what), format, args);
	va_end(args);
	return -1;
}

int failure_errno(struct failure *failure, int error, const char *next, const char *format, ...)
{
	char what[sizeof(failure->what) - 128];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return failure_set(failure, EXIT_SYSTEM, next, "%s: %s", what, strerror(error));
}
