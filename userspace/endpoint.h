/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses as people write them, and as the maps keep them. */
#ifndef BGSWITCH_ENDPOINT_H
#define BGSWITCH_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "bgswitch/maps.h"
#include "failure.h"

#define ENDPOINT_TEXT 64 /* enough for "[v6 address]:65535" and its NUL */

/* An address as it was declared; `any_family` when it was a bare port. */
struct endpoint {
	struct bgs_endpoint key;
	bool any_family;
};

/*
 * Reads "80", ":80", "1.2.3.4:80", "0.0.0.0:80", "[::1]:80" or "[::]:80".
 * `option` names the place in messages, as in "--listen".
 */
int endpoint_parse(struct endpoint *endpoint, const char *text, const char *option,
		   struct failure *failure);

/* Writes it in canonical form and returns `text`; a bare port is ":80". */
const char *endpoint_format(char text[ENDPOINT_TEXT], const struct bgs_endpoint *key,
			    bool any_family);

bool endpoint_is_v4(const struct bgs_endpoint *key);
bool endpoint_is_wildcard(const struct bgs_endpoint *key);

/* The wildcard of this family with the same port; kind is BGS_DECLARED. */
struct bgs_endpoint endpoint_wildcard(const struct bgs_endpoint *key, enum bgs_family family);

/* v4 before v6, then by address and port; for qsort(). */
int endpoint_compare(const void *left, const void *right);

#endif
