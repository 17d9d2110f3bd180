/* SPDX-License-Identifier: GPL-2.0-only */
/* A directory of a test's own, and what the code under test says on stderr. */
#ifndef BGSWITCH_TESTS_SCRATCH_H
#define BGSWITCH_TESTS_SCRATCH_H

#include <limits.h>

/* For cmocka's setup and teardown: `*state` is the path, without a final slash. */
int scratch_make(void **state);
int scratch_remove(void **state);

/* "DIR/NAME"; `path` has room for PATH_MAX. */
const char *scratch_path(char path[PATH_MAX], const char *dir, const char *name);

/* Catches stderr until stderr_end(), which returns what was written; valid until the next. */
void stderr_catch(void);
const char *stderr_end(void);

#endif
