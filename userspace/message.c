/* SPDX-License-Identifier: GPL-2.0-only */
#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

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
	char *text;

	if (vasprintf(&text, format, args) < 0)
		return;
	text_defuse(text);
	fprintf(stderr, "%s%s\n", prefix, text);
	free(text);
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

DEFINE_MESSAGE(error, "bgswitch: ", QUIET)
DEFINE_MESSAGE(warning, "bgswitch: warning: ", NORMAL)
DEFINE_MESSAGE(info, "", NORMAL)
DEFINE_MESSAGE(debug, "bgswitch: ", VERBOSE)

void message_failure(const struct failure *failure)
{
	message_error("%s; %s", failure->what, failure->next);
}
