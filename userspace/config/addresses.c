/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/addresses.h"

#include <stdio.h>
#include <stdlib.h>

int addresses_add(struct addresses *addresses, const struct address *address)
{
	if (addresses->count == addresses->room) {
		size_t room = addresses->room ? 2 * addresses->room : 64;
		struct address *items = reallocarray(addresses->items, room, sizeof(*items));

		if (!items)
			return -1;
		addresses->items = items;
		addresses->room = room;
	}
	addresses->items[addresses->count++] = *address;
	return 0;
}

void addresses_free(struct addresses *addresses)
{
	free(addresses->items);
	*addresses = (struct addresses){};
}

/* Equal ones in the file's order. */
static int compare(const void *left, const void *right)
{
	const struct address *a = left, *b = right;
	int order = endpoint_compare(&a->key, &b->key);

	if (order || a->node == b->node)
		return order;
	return a->node->start_mark.index < b->node->start_mark.index ? -1 : 1;
}

static const char *describe(char text[96], const struct address *address)
{
	if (address->color < 0)
		snprintf(text, 96, "a listen address of %s", address->service);
	else
		snprintf(text, 96, "an instance of %s.%s", address->service,
			 color_name(address->color));
	return text;
}

static int conflict(struct reader *reader, const struct address *first,
		    const struct address *second)
{
	char text[ENDPOINT_TEXT], owner[96];

	reader_enter(reader, second->service);
	reader_enter(reader, second->color < 0 ? "listen" : color_name(second->color));
	return reader_fail(reader, second->node, "%s is %s already, in line %zu; give each its own",
			   endpoint_format(text, &second->key, false), describe(owner, first),
			   first->node->start_mark.line + 1);
}

int addresses_check(struct reader *reader)
{
	const struct addresses *all = reader->addresses;

	if (!all->count)
		return 0;
	qsort(all->items, all->count, sizeof(all->items[0]), compare);
	for (size_t i = 1; i < all->count; i++) {
		if (!endpoint_compare(&all->items[i - 1].key, &all->items[i].key))
			return conflict(reader, &all->items[i - 1], &all->items[i]);
	}
	return 0;
}
