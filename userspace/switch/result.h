/* SPDX-License-Identifier: GPL-2.0-only */
/* How a cutover ended, for a command's output and its exit code. */
#ifndef BGSWITCH_RESULT_H
#define BGSWITCH_RESULT_H

#include <jansson.h>

#include "switch/cutover.h"

/*
 * {"service", "from", "to", "changed", "dry_run", "outcome", "reason",
 * "duration_ms", "code", "what", "next"}: the last two are null when it went
 * well. One that still soaks is "switched" (a gate that is still closed has no
 * result yet). The caller owns it; NULL: out of memory.
 */
json_t *result_json(const char *service, const struct cutover *cutover);

/* The other way round: -1 with `failure` set if it did not go well, or does not say. */
int result_failure(const json_t *result, struct failure *failure);

#endif
