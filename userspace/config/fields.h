/* SPDX-License-Identifier: GPL-2.0-only */
/* Mappings whose keys are known: a table says which, and how each is read into a structure. */
#ifndef BGSWITCH_FIELDS_H
#define BGSWITCH_FIELDS_H

#include "config/reader.h"

#define FIELDS_MAX 32 /* keys of a table */

struct key {
	const char *name; /* NULL ends the table */
	/* NULL: the table's owner reads it. */
	int (*read)(struct reader *reader, const yaml_node_t *node, const struct key *key,
		    void *target);
	size_t offset; /* in the target */
	unsigned int least, most; /* numbers, and lengths of time in ms */
	unsigned int where; /* bits that the table's owner gives a meaning */
};

/* What a mapping holds, by the key's place in the table; NULL: not given. */
struct fields {
	const struct key *table;
	const yaml_node_t *names[FIELDS_MAX], *values[FIELDS_MAX];
	bool inherited[FIELDS_MAX];
};

/* Takes a mapping apart. Keys that share no bit with `where` are unknown, too. */
int fields_collect(struct reader *reader, struct fields *fields, const struct key *table,
		   unsigned int where, const yaml_node_t *mapping);

/* What `fields` lacks comes from `defaults`, of the same table. */
void fields_inherit(struct fields *fields, const struct fields *defaults);

/* Value of a key; NULL: not given. */
const yaml_node_t *fields_find(const struct fields *fields, const char *name);
bool fields_is_own(const struct fields *fields, const char *name);

/* Reads what is there, in the table's order. */
int fields_read(struct reader *reader, const struct fields *fields, void *target);

/* collect and read, for a mapping without defaults. */
int fields_read_all(struct reader *reader, const struct key *table, const yaml_node_t *mapping,
		    void *target);

/* Readers for the tables: unsigned int, ms, bool, and owned strings. */
int field_number(struct reader *reader, const yaml_node_t *node, const struct key *key,
		 void *target);
int field_milliseconds(struct reader *reader, const yaml_node_t *node, const struct key *key,
		       void *target);
int field_bool(struct reader *reader, const yaml_node_t *node, const struct key *key, void *target);
int field_word(struct reader *reader, const yaml_node_t *node, const struct key *key, void *target);
int field_path(struct reader *reader, const yaml_node_t *node, const struct key *key, void *target);

/* Where in the target this key's value goes. */
static inline void *field_at(void *target, const struct key *key)
{
	return (char *)target + key->offset;
}

#endif
