/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/fields.h"

#include <stdio.h>
#include <string.h>

#define LONGEST_KEY 32
#define CLOSE 2 /* letters to add, drop or change */

static unsigned int least_of(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance, a row at a time. */
static unsigned int distance(const char *left, const char *right)
{
	unsigned int row[LONGEST_KEY + 1];
	size_t length = strlen(right);

	if (strlen(left) > LONGEST_KEY || length > LONGEST_KEY)
		return LONGEST_KEY;
	for (size_t k = 0; k <= length; k++)
		row[k] = k;
	for (size_t i = 1; left[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= length; k++) {
			unsigned int above = row[k];

			row[k] = least_of(above + 1, row[k - 1] + 1,
					  diagonal + (left[i - 1] != right[k - 1]));
			diagonal = above;
		}
	}
	return row[length];
}

static int unknown_key(struct reader *reader, const struct key *table, unsigned int where,
		       const yaml_node_t *name)
{
	const char *text = (const char *)name->data.scalar.value, *likely = NULL;
	char allowed[256] = "", hint[LONGEST_KEY + 32] = "";
	unsigned int closest = CLOSE + 1;

	for (const struct key *key = table; key->name; key++) {
		unsigned int far = distance(text, key->name);
		size_t length = strlen(allowed);

		if (!(key->where & where))
			continue;
		snprintf(allowed + length, sizeof(allowed) - length, "%s%s", length ? ", " : "",
			 key->name);
		if (far < closest && far < strlen(key->name)) {
			closest = far;
			likely = key->name;
		}
	}
	if (likely)
		snprintf(hint, sizeof(hint), "; did you mean '%s'?", likely);
	return reader_fail(reader, name, "unknown key '%.64s'%s%s%s", text, hint,
			   likely ? " Allowed: " : "; allowed: ", allowed);
}

int fields_collect(struct reader *reader, struct fields *fields, const struct key *table,
		   unsigned int where, const yaml_node_t *mapping)
{
	const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;

	*fields = (struct fields){ .table = table };
	if (mapping->type != YAML_MAPPING_NODE)
		return reader_fail(reader, mapping, "expected a mapping ('key: value')");
	for (; pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = reader_node(reader, pair->key);
		size_t i = 0;

		while (table[i].name &&
		       strcmp(table[i].name, (const char *)name->data.scalar.value))
			i++;
		if (!table[i].name || !(table[i].where & where))
			return unknown_key(reader, table, where, name);
		fields->names[i] = name;
		fields->values[i] = reader_node(reader, pair->value);
	}
	return 0;
}

void fields_inherit(struct fields *fields, const struct fields *defaults)
{
	for (size_t i = 0; fields->table[i].name; i++) {
		if (fields->values[i] || !defaults->values[i])
			continue;
		fields->names[i] = defaults->names[i];
		fields->values[i] = defaults->values[i];
		fields->inherited[i] = true;
	}
}

static size_t place_of(const struct fields *fields, const char *name)
{
	size_t i = 0;

	while (strcmp(fields->table[i].name, name))
		i++;
	return i;
}

const yaml_node_t *fields_find(const struct fields *fields, const char *name)
{
	return fields->values[place_of(fields, name)];
}

bool fields_is_own(const struct fields *fields, const char *name)
{
	size_t i = place_of(fields, name);

	return fields->values[i] && !fields->inherited[i];
}

int fields_read(struct reader *reader, const struct fields *fields, void *target)
{
	for (size_t i = 0; fields->table[i].name; i++) {
		const struct key *key = &fields->table[i];
		size_t length;

		if (!fields->values[i] || !key->read)
			continue;
		length = reader_enter(reader, key->name);
		if (key->read(reader, fields->values[i], key, target))
			return -1;
		reader_leave(reader, length);
	}
	return 0;
}

int fields_read_all(struct reader *reader, const struct key *table, const yaml_node_t *mapping,
		    void *target)
{
	struct fields fields;

	return fields_collect(reader, &fields, table, ~0u, mapping) ||
			       fields_read(reader, &fields, target)
		       ? -1
		       : 0;
}

int field_number(struct reader *reader, const yaml_node_t *node, const struct key *key,
		 void *target)
{
	return reader_number(reader, node, key->least, key->most, field_at(target, key));
}

int field_milliseconds(struct reader *reader, const yaml_node_t *node, const struct key *key,
		       void *target)
{
	return reader_milliseconds(reader, node, key->least, key->most, field_at(target, key));
}

int field_bool(struct reader *reader, const yaml_node_t *node, const struct key *key, void *target)
{
	return reader_bool(reader, node, field_at(target, key));
}

int field_word(struct reader *reader, const yaml_node_t *node, const struct key *key, void *target)
{
	const char *word = reader_word(reader, node);
	char **copy = field_at(target, key);

	if (!word)
		return -1;
	*copy = strdup(word);
	return *copy ? 0 : reader_no_memory(reader);
}

int field_path(struct reader *reader, const yaml_node_t *node, const struct key *key, void *target)
{
	return reader_path(reader, node, field_at(target, key));
}
