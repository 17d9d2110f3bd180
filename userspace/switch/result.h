/* SPDX-License-Identifier: GPL-2.0-only */
/* How a cutover ended, for a command's output and its exit code. */
#ifndef BGSWITCH_RESULT_H
#define BGSWITCH_RESULT_H

#include <jansson.h>

#include "switch/cutover.h"

/*
 * {"service", "from", "to", "changed", "dry_run", "outcome", "reason",
 * "duration_ms", "code", "what", "next"}: the last two are null when it went
 * well. One that still soaks is "switched". The caller owns it.
 */
json_t *result_json(const char *service, const struct cutover *cutover);

/* The other way round: -1 with `failure` set if it did not go well. */
int result_failure(const json_t *result, struct failure *failure);

#endif
