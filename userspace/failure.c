/* SPDX-License-Identifier: GPL-2.0-only */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Prints, and shows where something did not fit: arguments can be of any length. */
__attribute__((format(printf, 3, 0))) static void print(char *text, size_t size, const char *format,
							va_list args)
{
	int length = vsnprintf(text, size, format, args);

	if (length >= 0 && (size_t)length >= size)
		strcpy(text + size - sizeof("..."), "...");
}

int failure_set(struct failure *failure, enum exit_code code, const char *next, const char *format,
		...)
{
	va_list args;

	failure->code = code;
	snprintf(failure->next, sizeof(failure->next), "%s", next);
	va_start(args, format);
	print(failure->what, sizeof(failure->what), format, args);
	va_end(args);
	return -1;
}

int failure_errno(struct failure *failure, int error, const char *next, const char *format, ...)
{
	char what[sizeof(failure->what) - 128];
	va_list args;

	va_start(args, format);
	print(what, sizeof(what), format, args);
	va_end(args);
	return failure_set(failure, EXIT_SYSTEM, next, "%s: %s", what, strerror(error));
}
