/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/http_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "version.h"

#define MAX_VALUE 8192 /* of a header, when it comes from elsewhere */

/* RFC 9110, 5.6.2: what methods and names of headers are made of. */
static bool is_token(const char *text)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
				      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *text && text[strspn(text, allowed)] == '\0';
}

/* No space, control character or byte above 126. */
static bool is_visible(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > 126)
			return false;
	}
	return true;
}

static bool is_ours(const char *name)
{
	static const char *const names[] = { "Host", "Connection", "Content-Length",
					     "Transfer-Encoding" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcasecmp(name, names[i]))
			return true;
	}
	return false;
}

static int check_parts(const struct check *check, struct failure *failure)
{
	const char *path = http_request_path(check);

	if (!is_token(http_request_method(check)))
		return failure_set(failure, EXIT_USAGE, "write a method such as GET or HEAD",
				   "check: '%s' is not an HTTP method", check->method);
	if (*path != '/' || strchr(path, '#') || !is_visible(path))
		return failure_set(failure, EXIT_USAGE, "begin with / and percent-encode the rest",
				   "check: '%s' is not a path", path);
	if (check->host &&
	    (!*check->host || !is_visible(check->host) || strpbrk(check->host, "/?#@\\")))
		return failure_set(failure, EXIT_USAGE, "write HOST or HOST:PORT",
				   "check: '%s' is not a host", check->host);
	for (size_t i = 0; i < check->header_count; i++) {
		if (!is_token(check->headers[i].name))
			return failure_set(failure, EXIT_USAGE, "use letters, digits and -",
					   "check: '%s' is not the name of a header",
					   check->headers[i].name);
		if (is_ours(check->headers[i].name))
			return failure_set(failure, EXIT_USAGE,
					   "remove it; 'host' sets the Host header",
					   "check: header %s is made by bgswitch itself",
					   check->headers[i].name);
	}
	return 0;
}

static bool names_agent(const struct check *check)
{
	for (size_t i = 0; i < check->header_count; i++) {
		if (!strcasecmp(check->headers[i].name, "User-Agent"))
			return true;
	}
	return false;
}

static bool may_have_body(const char *method)
{
	return !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
}

/* secret_read() refuses values with control characters. */
static int add_header(FILE *stream, const struct check_header *header, struct failure *failure)
{
	char *value;

	if (secret_read(&header->value, &value, failure))
		return -1;
	fprintf(stream, "%s: %s\r\n", header->name, value);
	secret_wipe(value);
	return 0;
}

static int print(FILE *stream, const struct check *check, const char *address,
		 struct failure *failure)
{
	const char *method = http_request_method(check);

	fprintf(stream, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAccept: */*\r\n",
		method, http_request_path(check), check->host ? check->host : address);
	if (!names_agent(check))
		fputs("User-Agent: bgswitch/" BGSWITCH_VERSION "\r\n", stream);
	if (may_have_body(method))
		fputs("Content-Length: 0\r\n", stream);
	for (size_t i = 0; i < check->header_count; i++) {
		if (add_header(stream, &check->headers[i], failure))
			return -1;
	}
	fputs("\r\n", stream);
	return 0;
}

/* Enough for the whole request, so that no copy is left behind by growing. */
static size_t room_for(const struct check *check, const char *address)
{
	size_t room = 256 + strlen(http_request_method(check)) + strlen(http_request_path(check)) +
		      strlen(check->host ? check->host : address);

	for (size_t i = 0; i < check->header_count; i++)
		room += strlen(check->headers[i].name) + strlen(check->headers[i].value.text) +
			MAX_VALUE;
	return room;
}

static int print_into(char *room, size_t size, const struct check *check, const char *address,
		      struct failure *failure)
{
	FILE *stream = fmemopen(room, size, "w");
	int err;

	if (!stream)
		return failure_errno(failure, errno, "free some memory", "cannot add a check");
	setvbuf(stream, NULL, _IONBF, 0);
	err = print(stream, check, address, failure);
	if (!err && ferror(stream))
		err = failure_set(failure, EXIT_USAGE, "shorten its headers",
				  "check: the request is too long");
	fclose(stream);
	return err;
}

char *http_request_build(const struct check *check, const char *address, struct failure *failure)
{
	size_t size;
	char *room;

	if (check_parts(check, failure))
		return NULL;
	size = room_for(check, address);
	room = calloc(1, size);
	if (!room) {
		failure_errno(failure, ENOMEM, "free some memory", "cannot add a check");
		return NULL;
	}
	if (print_into(room, size, check, address, failure)) {
		explicit_bzero(room, size);
		free(room);
		return NULL;
	}
	return room;
}
