/* SPDX-License-Identifier: GPL-2.0-only */
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEXT "write ADDRESS/BITS, as 10.1.0.0/16 or 2001:db8::/32"

static bool is_v4(const struct bgs_preview_key *key)
{
	return !key->address[0] && !key->address[1] && key->address[2] == htonl(0xffff);
}

/* Clears what lies behind the prefix; true if anything was set there. */
static bool clear_host_bits(struct bgs_preview_key *key)
{
	unsigned int bits = key->prefixlen - BGS_PREVIEW_SLOT_BITS;
	bool found = false;

	for (unsigned int word = 0; word < 4; word++) {
		unsigned int kept = bits > 32 * word ? bits - 32 * word : 0;
		__be32 mask = kept >= 32 ? ~0U : htonl(~(~0U >> kept));

		if (!kept)
			mask = 0;
		found = found || key->address[word] & ~mask;
		key->address[word] &= mask;
	}
	return found;
}

static bool parse_bits(const char *text, unsigned int width, unsigned int *bits)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value > width)
		return false;
	*bits = value;
	return true;
}

int network_parse(struct bgs_preview_key *key, __u32 slot, const char *text,
		  struct failure *failure)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	unsigned int bits, width = 128;
	char canonical[NETWORK_TEXT];

	*key = (struct bgs_preview_key){ .slot = slot };
	if (length >= sizeof(address))
		return failure_set(failure, EXIT_USAGE, NEXT, "'%s' is not a network", text);
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, &key->address[3]) == 1) {
		key->address[2] = htonl(0xffff);
		width = 32;
	} else if (inet_pton(AF_INET6, address, key->address) != 1) {
		return failure_set(failure, EXIT_USAGE, NEXT, "'%s' is not a network", text);
	}
	bits = width;
	if (slash && !parse_bits(slash + 1, width, &bits))
		return failure_set(failure, EXIT_USAGE, NEXT,
				   "%s: '%s' is not a prefix length (0..%u)", text, slash + 1,
				   width);
	key->prefixlen = BGS_PREVIEW_SLOT_BITS + bits + (width == 32 ? BGS_MAPPED_BITS : 0);
	if (clear_host_bits(key))
		return failure_set(failure, EXIT_USAGE,
				   "clear the bits behind the prefix, or write a longer one",
				   "%s has host bits set; the network is %s", text,
				   network_format(canonical, key));
	return 0;
}

const char *network_format(char text[NETWORK_TEXT], const struct bgs_preview_key *key)
{
	unsigned int bits = key->prefixlen - BGS_PREVIEW_SLOT_BITS;
	char address[INET6_ADDRSTRLEN] = "";

	/* An IPv6 network shorter than the mapped prefix has no 0xffff word left. */
	if (is_v4(key) && bits >= BGS_MAPPED_BITS) {
		inet_ntop(AF_INET, &key->address[3], address, sizeof(address));
		bits -= BGS_MAPPED_BITS;
	} else {
		inet_ntop(AF_INET6, key->address, address, sizeof(address));
	}
	snprintf(text, NETWORK_TEXT, "%s/%u", address, bits);
	return text;
}
