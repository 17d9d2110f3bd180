/* SPDX-License-Identifier: GPL-2.0-only */
/* How a cutover ended, for a command's output and its exit code. */
#ifndef BGSWITCH_RESULT_H
#define BGSWITCH_RESULT_H

#include <jansson.h>

#include "switch/cutover.h"

/*
 * {"service", "from", "to", "changed", "dry_run", "outcome", "reason",
 * "duration_ms", "drained", "code", "what", "next"}: the last two are null when
 * it went well. One that still drains or soaks is "switched" (a gate that is
 * still closed has no result yet). The caller owns it; NULL: out of memory.
 *
 * "drained" is null, or {"color", "safe_to_stop", "cut", "closed_idle",
 * "duration_ms", "remaining": {"handshaking", "syn_cookies", "accept_queue",
 * "established", "untagged"}}; "safe_to_stop" and "remaining" are null where counting failed,
 * "remaining" also where new clients kept it from being drained.
 */
json_t *result_json(const char *service, const struct cutover *cutover);

/* The other way round: -1 with `failure` set if it did not go well, or does not say. */
int result_failure(const json_t *result, struct failure *failure);

/* "blue is safe to stop (drained in 1.2s, 3 idle connections closed)"; "" if it does not say so. */
#define RESULT_TEXT 160
const char *result_drained_text(char text[RESULT_TEXT], const json_t *result);

#endif
