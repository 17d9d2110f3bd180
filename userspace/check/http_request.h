/* SPDX-License-Identifier: GPL-2.0-only */
/* The request of a check, as it is sent. Secrets are inside: secret_wipe() it. */
#ifndef BGSWITCH_HTTP_REQUEST_H
#define BGSWITCH_HTTP_REQUEST_H

#include "check/check.h"

/*
 * The request's text, NULL with `failure` set when a part could change the
 * request's shape or a secret cannot be read. `address` is what Host says when
 * the check names none.
 */
char *http_request_build(const struct check *check, const char *address, struct failure *failure);

static inline const char *http_request_method(const struct check *check)
{
	return check->method ? check->method : "GET";
}

static inline const char *http_request_path(const struct check *check)
{
	return check->path ? check->path : "/";
}

#endif
