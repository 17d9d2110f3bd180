/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages for people: always on stderr, one line each. Data goes to stdout. */
#ifndef BGSWITCH_MESSAGE_H
#define BGSWITCH_MESSAGE_H

#include "failure.h"

enum verbosity { QUIET = -1, NORMAL, VERBOSE };

void message_verbosity(enum verbosity level);
enum verbosity message_level(void);

void message_failure(const struct failure *failure); /* also when quiet */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
