/* SPDX-License-Identifier: GPL-2.0-only */
#include "message.h"

#include <stdarg.h>
#include <stdio.h>

static enum verbosity verbosity = NORMAL;

void message_verbosity(enum verbosity level)
{
	verbosity = level;
}

enum verbosity message_level(void)
{
	return verbosity;
}

__attribute__((format(printf, 2, 0))) static void print(const char *prefix, const char *format,
							va_list args)
{
	fputs(prefix, stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void message_failure(const struct failure *failure)
{
	fprintf(stderr, "bgswitch: %s; %s\n", failure->what, failure->next);
}

#define DEFINE_MESSAGE(name, prefix, least)                                                        \
	void message_##name(const char *format, ...)                                               \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		if (verbosity < (least))                                                           \
			return;                                                                    \
		va_start(args, format);                                                            \
		print(prefix, format, args);                                                       \
		va_end(args);                                                                      \
	}

DEFINE_MESSAGE(warning, "bgswitch: warning: ", NORMAL)
DEFINE_MESSAGE(info, "", NORMAL)
DEFINE_MESSAGE(debug, "bgswitch: ", VERBOSE)
