/* SPDX-License-Identifier: GPL-2.0-only */
/* What a check's result says, fit for people and terminals. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check/probe.h"

void probe_fail(struct check_result *result, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(result->error, sizeof(result->error), format, args);
	va_end(args);
	if (length >= (int)sizeof(result->error))
		strcpy(result->error + sizeof(result->error) - sizeof("..."), "...");
}

void probe_fail_errno(struct check_result *result, int error)
{
	probe_fail(result, "%s", strerror(error));
	result->error[0] = (char)tolower((unsigned char)result->error[0]);
}

void probe_keep_body(struct check_result *result, const char *bytes, size_t length)
{
	if (length > sizeof(result->body) - 1)
		length = sizeof(result->body) - 1;
	memcpy(result->body, bytes, length);
	result->body[length] = '\0';
	/* A NUL inside would hide the rest. */
	for (char *nul; (nul = memchr(result->body, '\0', length));)
		*nul = '?';
}

const char *probe_timeout(const struct probe *probe)
{
	static char text[24];
	unsigned int ms = probe->check->timeout_ms;

	if (ms < 1000)
		snprintf(text, sizeof(text), "%ums", ms);
	else
		snprintf(text, sizeof(text), "%gs", ms / 1000.0);
	return text;
}

void probe_fail_connect(const struct probe *probe, struct check_result *result, int error)
{
	/* Where there is no IPv6, 127.0.0.1 has spoken before. */
	if (probe->address_now && (error == EADDRNOTAVAIL || error == EAFNOSUPPORT))
		error = ECONNREFUSED;
	probe_fail_errno(result, error);
}
