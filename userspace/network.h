/* SPDX-License-Identifier: GPL-2.0-only */
/* Client networks (CIDR), for previews. */
#ifndef BGSWITCH_NETWORK_H
#define BGSWITCH_NETWORK_H

#include "bgswitch/maps.h"
#include "failure.h"

#define NETWORK_TEXT 64

/* Reads "10.0.0.0/8", "2001:db8::/32" or a single address. Host bits must be zero. */
int network_parse(struct bgs_preview_key *key, __u32 slot, const char *text,
		  struct failure *failure);
const char *network_format(char text[NETWORK_TEXT], const struct bgs_preview_key *key);

#endif
