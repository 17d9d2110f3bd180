/* SPDX-License-Identifier: GPL-2.0-only */
/* What readers need not expect of a tree any more: each node for itself, then how they hang
 * together. */
#include "config/tree.h"

#include <stdlib.h>
#include <string.h>

/*
 * What neither a terminal nor a JSON text that is read as YAML would keep:
 * control characters, line breaks beyond '\n', noncharacters. The text is UTF-8.
 */
static bool is_unusual(unsigned int code)
{
	return (code < ' ' && code != '\t' && code != '\n') || (code >= 0x7f && code < 0xa0) ||
	       code == 0x2028 || code == 0x2029 || code == 0xfeff || (code & 0xfffe) == 0xfffe;
}

static unsigned int next_character(const unsigned char **text)
{
	unsigned int first = *(*text)++;
	unsigned int code = first < 0x80   ? first
			    : first < 0xe0 ? first & 0x1f
			    : first < 0xf0 ? first & 0x0f
					   : first & 0x07;

	while ((**text & 0xc0) == 0x80)
		code = code << 6 | (*(*text)++ & 0x3f);
	return code;
}

static int check_scalar(struct reader *reader, const yaml_node_t *node)
{
	const unsigned char *text = node->data.scalar.value;
	const unsigned char *end = text + node->data.scalar.length;

	if (node->data.scalar.length > READER_MAX_TEXT)
		return reader_fail(reader, node, "longer than %d bytes", READER_MAX_TEXT);
	while (text < end) {
		unsigned int code = next_character(&text);

		if (is_unusual(code))
			return reader_fail(reader, node,
					   "holds the character U+%04X, which is not allowed",
					   code);
	}
	return 0;
}

static const char *key_text(const yaml_node_t *key)
{
	return (const char *)key->data.scalar.value;
}

static int compare_keys(const void *left, const void *right)
{
	const yaml_node_t *a = *(const yaml_node_t *const *)left;
	const yaml_node_t *b = *(const yaml_node_t *const *)right;
	int order = strcmp(key_text(a), key_text(b));

	if (order)
		return order;
	return a->start_mark.index < b->start_mark.index ? -1 : 1;
}

static int check_mapping(struct reader *reader, const yaml_node_t *node)
{
	const yaml_node_t *keys[READER_MAX_ENTRIES];
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	size_t count = node->data.mapping.pairs.top - pair;

	if (count > READER_MAX_ENTRIES)
		return reader_fail(reader, node, "%zu keys; allowed: at most %d", count,
				   READER_MAX_ENTRIES);
	for (size_t i = 0; i < count; i++) {
		keys[i] = reader_node(reader, pair[i].key);
		if (keys[i]->type != YAML_SCALAR_NODE)
			return reader_fail(reader, keys[i], "a key has to be a text");
		if (!strcmp(key_text(keys[i]), "<<"))
			return reader_fail(reader, keys[i],
					   "merge keys ('<<') are not read; use 'defaults:' for "
					   "what services share");
	}
	if (!count)
		return 0;
	qsort(keys, count, sizeof(keys[0]), compare_keys);
	for (size_t i = 1; i < count; i++) {
		if (!strcmp(key_text(keys[i - 1]), key_text(keys[i])))
			return reader_fail(reader, keys[i],
					   "key '%.64s' is given twice; first in line %zu",
					   key_text(keys[i]), keys[i - 1]->start_mark.line + 1);
	}
	return 0;
}

static int check_node(struct reader *reader, const yaml_node_t *node)
{
	static const char *const tags[] = {
		[YAML_SCALAR_NODE] = YAML_DEFAULT_SCALAR_TAG,
		[YAML_SEQUENCE_NODE] = YAML_DEFAULT_SEQUENCE_TAG,
		[YAML_MAPPING_NODE] = YAML_DEFAULT_MAPPING_TAG,
	};

	if (node->tag && strcmp((const char *)node->tag, tags[node->type]))
		return reader_fail(reader, node, "tags ('!...') are not read; leave it out");
	if (node->type == YAML_SCALAR_NODE)
		return check_scalar(reader, node);
	return node->type == YAML_MAPPING_NODE ? check_mapping(reader, node) : 0;
}

/* A walk over the tree as readers take it: through aliases. */
struct walk {
	const yaml_node_t *ancestors[READER_MAX_DEPTH];
	size_t depth, count;
};

static int walk_node(struct reader *reader, struct walk *walk, int item);

static int walk_children(struct reader *reader, struct walk *walk, const yaml_node_t *node)
{
	const yaml_node_item_t *items = node->data.sequence.items.start;
	const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
	int err = 0;

	if (node->type == YAML_SEQUENCE_NODE) {
		for (; items < node->data.sequence.items.top && !err; items++)
			err = walk_node(reader, walk, *items);
	} else if (node->type == YAML_MAPPING_NODE) {
		for (; pairs < node->data.mapping.pairs.top && !err; pairs++)
			err = walk_node(reader, walk, pairs->value);
	}
	return err;
}

static int walk_node(struct reader *reader, struct walk *walk, int item)
{
	const yaml_node_t *node = reader_node(reader, item);
	int err;

	for (size_t i = 0; i < walk->depth; i++) {
		if (walk->ancestors[i] == node)
			return reader_fail(reader, node, "an alias leads back to where it is");
	}
	if (walk->depth == READER_MAX_DEPTH)
		return reader_fail(reader, node, READER_TOO_DEEP);
	if (++walk->count > READER_MAX_NODES)
		return reader_fail(reader, node, "more than %d values, aliases counted each time",
				   READER_MAX_NODES);
	walk->ancestors[walk->depth++] = node;
	err = walk_children(reader, walk, node);
	walk->depth--;
	return err;
}

int tree_check(struct reader *reader)
{
	const yaml_node_t *node = reader->document.nodes.start;
	struct walk walk = {};

	for (; node < reader->document.nodes.top; node++) {
		if (check_node(reader, node))
			return -1;
	}
	return reader_root(reader) ? walk_node(reader, &walk, 1) : 0; /* items count from 1 */
}
