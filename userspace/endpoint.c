/* SPDX-License-Identifier: GPL-2.0-only */
#include "endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

#define NEXT "write PORT, ADDRESS:PORT or [IPv6]:PORT"

static void set_v4(struct bgs_endpoint *key, const struct in_addr *v4)
{
	key->address[0] = 0;
	key->address[1] = 0;
	key->address[2] = htonl(0xffff);
	key->address[3] = v4->s_addr;
}

/* Splits at the last colon; [brackets] are required around IPv6. */
static bool parse_address(struct endpoint *endpoint, const char *text, size_t length)
{
	char address[INET6_ADDRSTRLEN];
	struct in_addr v4;

	if (length && text[0] == '[' && text[length - 1] == ']') {
		length -= 2;
		if (length >= sizeof(address))
			return false;
		memcpy(address, text + 1, length);
		address[length] = '\0';
		return inet_pton(AF_INET6, address, endpoint->key.address) == 1;
	}
	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, &v4) != 1)
		return false;
	set_v4(&endpoint->key, &v4);
	return true;
}

int endpoint_parse(struct endpoint *endpoint, const char *text, const char *option,
		   struct failure *failure)
{
	const char *colon = strrchr(text, ':');
	const char *port_text = colon ? colon + 1 : text;
	unsigned int port;

	*endpoint = (struct endpoint){ .key.protocol = IPPROTO_TCP };
	if (!number_parse(port_text, 65535, &port))
		return failure_set(failure, EXIT_USAGE, NEXT,
				   "%s %s: '%s' is not a port (1..65535)", option, text, port_text);
	if (!port)
		return failure_set(failure, EXIT_USAGE, "choose a port from 1 to 65535",
				   "%s %s: port 0 names no port", option, text);
	endpoint->key.port = htons(port);
	if (!colon || colon == text) {
		endpoint->any_family = true;
		return 0;
	}
	if (!parse_address(endpoint, text, colon - text))
		return failure_set(failure, EXIT_USAGE, NEXT, "%s %s: '%.*s' is not an IP address",
				   option, text, (int)(colon - text), text);
	return 0;
}

bool endpoint_is_v4(const struct bgs_endpoint *key)
{
	return !key->address[0] && !key->address[1] && key->address[2] == htonl(0xffff);
}

bool endpoint_is_wildcard(const struct bgs_endpoint *key)
{
	return !key->address[0] && !key->address[1] && !key->address[3] &&
	       (!key->address[2] || endpoint_is_v4(key));
}

struct bgs_endpoint endpoint_wildcard(const struct bgs_endpoint *key, enum bgs_family family)
{
	struct bgs_endpoint wildcard = { .port = key->port, .protocol = key->protocol };

	if (family == BGS_V4)
		wildcard.address[2] = htonl(0xffff);
	return wildcard;
}

const char *endpoint_format(char text[ENDPOINT_TEXT], const struct bgs_endpoint *key,
			    bool any_family)
{
	char address[INET6_ADDRSTRLEN] = "";
	unsigned int port = ntohs(key->port);

	if (any_family) {
		snprintf(text, ENDPOINT_TEXT, ":%u", port);
	} else if (endpoint_is_v4(key)) {
		inet_ntop(AF_INET, &key->address[3], address, sizeof(address));
		snprintf(text, ENDPOINT_TEXT, "%s:%u", address, port);
	} else {
		inet_ntop(AF_INET6, key->address, address, sizeof(address));
		snprintf(text, ENDPOINT_TEXT, "[%s]:%u", address, port);
	}
	return text;
}

int endpoint_compare(const void *left, const void *right)
{
	const struct bgs_endpoint *a = left, *b = right;
	int order = (int)endpoint_is_v4(b) - (int)endpoint_is_v4(a);

	if (!order)
		order = memcmp(a->address, b->address, sizeof(a->address));
	return order ? order : (int)ntohs(a->port) - (int)ntohs(b->port);
}
