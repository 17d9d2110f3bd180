/* SPDX-License-Identifier: GPL-2.0-only */
/* Client networks (CIDR), for previews. */
#ifndef BGSWITCH_NETWORK_H
#define BGSWITCH_NETWORK_H

#include "bgswitch/maps.h"
#include "failure.h"

#define NETWORK_TEXT 64

struct network {
	enum bgs_family family;
	unsigned int bits; /* 0..32 or 0..128 */
	__be32 address[4]; /* IPv4: the first word; the others are 0 */
};

/* Reads "10.0.0.0/8", "2001:db8::/32" or a single address. Host bits must be zero. */
int network_parse(struct network *network, const char *text, struct failure *failure);
const char *network_format(char text[NETWORK_TEXT], const struct network *network);

#endif
