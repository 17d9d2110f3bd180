/* SPDX-License-Identifier: GPL-2.0-only */
/* What programs that we start find in their environment. */
#ifndef BGSWITCH_ENVIRONMENT_H
#define BGSWITCH_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Those variables ("NAME=VALUE") of our own environment that `is_passed_on` lets
 * pass, and after them `added`, `count` of them. words_free() it; NULL: out of memory.
 */
char **environment_make(bool (*is_passed_on)(const char *variable), const char *const added[],
			size_t count);

/* Does `variable` ("NAME=VALUE") have one of these names? */
bool environment_is_any(const char *variable, const char *const names[], size_t count);

#endif
