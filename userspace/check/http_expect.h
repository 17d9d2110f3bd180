/* SPDX-License-Identifier: GPL-2.0-only */
/* What an HTTP answer has to look like. */
#ifndef BGSWITCH_HTTP_EXPECT_H
#define BGSWITCH_HTTP_EXPECT_H

#include <regex.h>

#include "check/http_answer.h"

/* `*regex` is NULL when the check has none; http_expect_free() it. */
int http_expect_prepare(const struct check *check, regex_t **regex, struct failure *failure);
void http_expect_free(regex_t *regex);

static inline bool http_expect_body(const struct check *check)
{
	return check->body_contains || check->body_regex;
}

/* False: `result` says what was expected. */
bool http_expect_status(const struct check *check, unsigned int status,
			struct check_result *result);

/* Fills in status, body, and `ok` or an error from a complete answer. */
void http_expect_judge(const struct check *check, const regex_t *regex, unsigned int status,
		       const struct http_answer *answer, struct check_result *result);

#endif
