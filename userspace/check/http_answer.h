/* SPDX-License-Identifier: GPL-2.0-only */
/* An HTTP answer as it comes in, piece by piece. */
#ifndef BGSWITCH_HTTP_ANSWER_H
#define BGSWITCH_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include <http_parser.h>

#include "check/check.h"

#define HTTP_MAX_HEADER 16384 /* bytes before the body, interim answers (1xx) included */
#define HTTP_MAX_BODY (256 * 1024) /* what comes later is not looked at */

struct http_answer {
	http_parser parser;
	size_t received; /* bytes of all */
	unsigned long long announced; /* Content-Length, or ULLONG_MAX */
	size_t body_length; /* bytes of the body, HTTP_MAX_BODY at most */
	char *body; /* all of them and a NUL, if they are kept; else NULL */
	size_t body_room;
	bool head_only, keep_body, no_memory; /* head_only: answers a HEAD request */
	bool header_complete, complete;
	char beginning[CHECK_BODY]; /* of the body; of what came when it was no HTTP */
};

void http_answer_init(struct http_answer *answer, bool head_only, bool keep_body);
void http_answer_free(struct http_answer *answer);

/*
 * Takes what was received. False when it cannot become a good answer any more:
 * `result` says why. `complete` is set when nothing more is needed.
 */
bool http_answer_feed(struct http_answer *answer, const char *bytes, size_t length,
		      struct check_result *result);

/* The other side has closed: completes an answer that ends so, else `result` says what is missing.
 */
bool http_answer_close(struct http_answer *answer, struct check_result *result);

/* Adds to the body; false when its limit is reached or memory is out. */
bool http_answer_add_body(struct http_answer *answer, const char *bytes, size_t length);

/* "connection closed after 40 of 100 bytes of the body" */
void http_answer_cut(const struct http_answer *answer, struct check_result *result);

#endif
