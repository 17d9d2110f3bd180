/* SPDX-License-Identifier: GPL-2.0-only */
#include "control/varlink.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define READ_SIZE 4096 /* most messages are far smaller */

/* ---- framing */

char *varlink_inbox_room(struct varlink_inbox *inbox, size_t *length)
{
	size_t held = buffer_length(&inbox->bytes), room = inbox->limit + 1;

	if (held >= room)
		return NULL;
	room -= held;
	/* Grows with the message: what a client announces by nothing costs nothing. */
	*length = room < READ_SIZE + held ? room : READ_SIZE + held;
	return buffer_room(&inbox->bytes, *length);
}

void varlink_inbox_added(struct varlink_inbox *inbox, size_t length)
{
	buffer_added(&inbox->bytes, length);
}

ssize_t varlink_inbox_message(struct varlink_inbox *inbox)
{
	size_t length = buffer_length(&inbox->bytes);
	const char *front, *nul;

	if (inbox->searched == length)
		return -1;
	front = buffer_front(&inbox->bytes);
	nul = memchr(front + inbox->searched, '\0', length - inbox->searched);
	inbox->searched = nul ? (size_t)(nul - front) : length;
	return nul ? nul - front : -1;
}

void varlink_inbox_drop(struct varlink_inbox *inbox)
{
	buffer_take(&inbox->bytes, inbox->searched + 1);
	inbox->searched = 0;
}

void varlink_inbox_free(struct varlink_inbox *inbox)
{
	buffer_free(&inbox->bytes);
	inbox->searched = 0;
}

/* ---- reading */

/* jansson recurses for each level, and again to free it: deep ones never reach it. */
static bool is_too_deep(const char *text, size_t length)
{
	unsigned int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < length; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '[') &&
			 ++depth > VARLINK_MAX_DEPTH)
			return true;
		else if (!quoted && (text[i] == '}' || text[i] == ']') && depth)
			depth--;
	}
	return false;
}

json_t *varlink_parse(const char *text, size_t length)
{
	return is_too_deep(text, length) ? NULL
					 : json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
}

/* org.example-1.name: segments of letters, digits and inner dashes; the first begins with a letter.
 */
static bool is_interface(const char *name, size_t length)
{
	char before = '.';
	bool dotted = false;

	if (!length || !isalpha((unsigned char)*name))
		return false;
	for (size_t i = 0; i < length; before = name[i++]) {
		if (name[i] == '.') {
			if (before == '.' || before == '-')
				return false;
			dotted = true;
		} else if (name[i] == '-') {
			if (before == '.')
				return false;
		} else if (!isalnum((unsigned char)name[i])) {
			return false;
		}
	}
	return dotted && before != '.' && before != '-';
}

static bool is_member(const char *name)
{
	if (!isupper((unsigned char)*name))
		return false;
	while (isalnum((unsigned char)*name))
		name++;
	return !*name;
}

static bool read_method(struct varlink_call *call, const json_t *method)
{
	const char *dot;

	call->method = json_string_value(method);
	if (!call->method || json_string_length(method) > VARLINK_MAX_NAME)
		return false;
	dot = strrchr(call->method, '.');
	if (!dot)
		return false;
	call->interface = dot - call->method;
	return is_interface(call->method, call->interface) && is_member(dot + 1);
}

/* Members may also be null, which is how some languages say that they are not there. */
static bool read_flag(bool *flag, const json_t *value)
{
	*flag = json_is_true(value);
	return !value || json_is_boolean(value) || json_is_null(value);
}

const char *varlink_read_call(struct varlink_call *call, const json_t *message)
{
	const json_t *parameters = json_object_get(message, "parameters");
	bool upgrade;

	*call = (struct varlink_call){};
	if (!read_method(call, json_object_get(message, "method")))
		return "method";
	if (parameters && !json_is_null(parameters)) {
		if (!json_is_object(parameters))
			return "parameters";
		call->parameters = parameters;
	}
	if (!read_flag(&call->more, json_object_get(message, "more")))
		return "more";
	/* A stream of replies that nobody is told of makes no sense. */
	if (!read_flag(&call->oneway, json_object_get(message, "oneway")) ||
	    (call->oneway && call->more))
		return "oneway";
	/* The connection never turns into another protocol. */
	if (!read_flag(&upgrade, json_object_get(message, "upgrade")) || upgrade)
		return "upgrade";
	return NULL;
}

/* ---- building */

static json_t *or_empty(json_t *parameters)
{
	return parameters ? parameters : json_object();
}

json_t *varlink_call(const char *method, json_t *parameters, bool more)
{
	json_t *message =
		json_pack("{s:s, s:o}", "method", method, "parameters", or_empty(parameters));

	if (message && more && json_object_set_new(message, "more", json_true())) {
		json_decref(message);
		return NULL;
	}
	return message;
}

json_t *varlink_reply(json_t *parameters, bool continues)
{
	json_t *message = json_pack("{s:o}", "parameters", or_empty(parameters));

	if (message && continues && json_object_set_new(message, "continues", json_true())) {
		json_decref(message);
		return NULL;
	}
	return message;
}

json_t *varlink_error(const char *error, json_t *parameters)
{
	return json_pack("{s:s, s:o}", "error", error, "parameters", or_empty(parameters));
}

static int append(const char *text, size_t length, void *data)
{
	struct buffer *buffer = data;
	char *room = buffer_room(buffer, length);

	if (!room)
		return -1;
	memcpy(room, text, length);
	buffer_added(buffer, length);
	return 0;
}

int varlink_append(struct buffer *buffer, json_t *message)
{
	size_t before = buffer_length(buffer);
	int err = -1;

	if (message)
		err = json_dump_callback(message, append, buffer, JSON_COMPACT);
	json_decref(message);
	if (!err)
		err = append("", 1, buffer);
	if (!err)
		return 0;
	buffer->end = buffer->start + before; /* no half messages */
	return -ENOMEM;
}
