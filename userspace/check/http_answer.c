/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/http_answer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"

#define FIRST_ROOM 4096

static bool is_interim(const http_parser *parser)
{
	return parser->status_code / 100 == 1 &&
	       parser->status_code != HTTP_STATUS_SWITCHING_PROTOCOLS;
}

static int on_headers_complete(http_parser *parser)
{
	struct http_answer *answer = parser->data;

	if (is_interim(parser))
		return 0;
	answer->header_complete = true;
	answer->announced = parser->content_length;
	return answer->head_only;
}

static int on_message_complete(http_parser *parser)
{
	struct http_answer *answer = parser->data;

	if (is_interim(parser))
		return 0;
	answer->complete = true;
	http_parser_pause(parser, 1); /* what follows is not ours */
	return 0;
}

static bool keep(struct http_answer *answer, const char *bytes, size_t length)
{
	size_t room = answer->body_room ? answer->body_room : FIRST_ROOM;
	char *body;

	while (room <= answer->body_length + length)
		room *= 2;
	if (room != answer->body_room) {
		body = realloc(answer->body, room);
		answer->no_memory = !body;
		if (!body)
			return false;
		answer->body = body;
		answer->body_room = room;
	}
	memcpy(answer->body + answer->body_length, bytes, length);
	answer->body[answer->body_length + length] = '\0';
	return true;
}

bool http_answer_add_body(struct http_answer *answer, const char *bytes, size_t length)
{
	size_t room = HTTP_MAX_BODY - answer->body_length;
	size_t begun = answer->body_length;
	bool fits = length < room;

	if (!fits)
		length = room;
	if (answer->keep_body && !keep(answer, bytes, length))
		return false;
	if (begun < CHECK_BODY - 1) {
		size_t more = CHECK_BODY - 1 - begun;

		memcpy(answer->beginning + begun, bytes, length < more ? length : more);
	}
	answer->body_length += length;
	return fits;
}

static int on_body(http_parser *parser, const char *bytes, size_t length)
{
	struct http_answer *answer = parser->data;

	if (http_answer_add_body(answer, bytes, length))
		return 0;
	answer->complete = !answer->no_memory;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void http_answer_init(struct http_answer *answer, bool head_only, bool keep_body)
{
	*answer = (struct http_answer){
		.announced = ULLONG_MAX,
		.head_only = head_only,
		.keep_body = keep_body,
	};
	http_parser_init(&answer->parser, HTTP_RESPONSE);
	answer->parser.data = answer;
}

void http_answer_free(struct http_answer *answer)
{
	free(answer->body);
	answer->body = NULL;
	answer->body_room = 0;
}

static bool not_http(struct http_answer *answer, const char *bytes, size_t length,
		     struct check_result *result)
{
	enum http_errno error = HTTP_PARSER_ERRNO(&answer->parser);

	if (!answer->body_length) {
		answer->body_length = length < CHECK_BODY - 1 ? length : CHECK_BODY - 1;
		memcpy(answer->beginning, bytes, answer->body_length);
	}
	probe_fail(result, "not an HTTP answer: %s", http_errno_description(error));
	return false;
}

bool http_answer_feed(struct http_answer *answer, const char *bytes, size_t length,
		      struct check_result *result)
{
	enum http_errno error;

	answer->received += length;
	http_parser_execute(&answer->parser, &settings, bytes, length);
	error = HTTP_PARSER_ERRNO(&answer->parser);
	if (answer->no_memory) {
		probe_fail(result, "no memory for the answer");
		return false;
	}
	if (error != HPE_OK && error != HPE_PAUSED && error != HPE_HEADER_OVERFLOW)
		return not_http(answer, bytes, length, result);
	if (!answer->header_complete && answer->received > HTTP_MAX_HEADER) {
		probe_fail(result, "header longer than %d bytes", HTTP_MAX_HEADER);
		return false;
	}
	/* After 101 the connection speaks something else. */
	if (answer->parser.upgrade && answer->header_complete)
		answer->complete = true;
	return true;
}

void http_answer_cut(const struct http_answer *answer, struct check_result *result)
{
	if (!answer->received)
		probe_fail(result, "connection closed without an answer");
	else if (!answer->header_complete)
		probe_fail(result, "connection closed in the header (%zu bytes received)",
			   answer->received);
	else if (answer->announced != ULLONG_MAX)
		probe_fail(result, "connection closed after %zu of %llu bytes of the body",
			   answer->body_length, answer->announced);
	else
		probe_fail(result, "connection closed in the body (%zu bytes received, no end)",
			   answer->body_length);
}

bool http_answer_close(struct http_answer *answer, struct check_result *result)
{
	http_parser_execute(&answer->parser, &settings, NULL, 0);
	if (!answer->complete)
		http_answer_cut(answer, result);
	return answer->complete;
}
