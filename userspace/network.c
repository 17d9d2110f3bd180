/* SPDX-License-Identifier: GPL-2.0-only */
#include "network.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

#define NEXT "write ADDRESS/BITS, as 10.1.0.0/16 or 2001:db8::/32"

/* Clears what lies behind the prefix; true if anything was set there. */
static bool clear_host_bits(struct network *network)
{
	bool found = false;

	for (unsigned int word = 0; word < 4; word++) {
		unsigned int kept = network->bits > 32 * word ? network->bits - 32 * word : 0;
		__be32 mask = kept >= 32 ? ~0U : htonl(~(~0U >> kept));

		found = found || network->address[word] & ~mask;
		network->address[word] &= mask;
	}
	return found;
}

int network_parse(struct network *network, const char *text, struct failure *failure)
{
	char address[INET6_ADDRSTRLEN], canonical[NETWORK_TEXT];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	unsigned int width;

	memset(network, 0, sizeof(*network));
	if (length >= sizeof(address))
		return failure_set(failure, EXIT_USAGE, NEXT, "'%s' is not a network", text);
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, network->address) == 1)
		network->family = BGS_V4;
	else if (inet_pton(AF_INET6, address, network->address) == 1)
		network->family = BGS_V6;
	else
		return failure_set(failure, EXIT_USAGE, NEXT, "'%s' is not a network", text);
	width = network->family == BGS_V4 ? 32 : 128;
	network->bits = width;
	if (slash && !number_parse(slash + 1, width, &network->bits))
		return failure_set(failure, EXIT_USAGE, NEXT,
				   "%s: '%s' is not a prefix length (0..%u)", text, slash + 1,
				   width);
	if (clear_host_bits(network))
		return failure_set(failure, EXIT_USAGE,
				   "clear the bits behind the prefix, or write a longer one",
				   "%s has host bits set; the network is %s", text,
				   network_format(canonical, network));
	return 0;
}

const char *network_format(char text[NETWORK_TEXT], const struct network *network)
{
	char address[INET6_ADDRSTRLEN] = "";

	inet_ntop(network->family == BGS_V4 ? AF_INET : AF_INET6, network->address, address,
		  sizeof(address));
	snprintf(text, NETWORK_TEXT, "%s/%u", address, network->bits);
	return text;
}
