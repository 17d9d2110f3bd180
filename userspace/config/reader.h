/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A YAML text as a tree that is safe to walk, and its scalars as values. Every
 * mistake is told with the place in the file, the key and the value.
 */
#ifndef BGSWITCH_READER_H
#define BGSWITCH_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include "failure.h"

#define READER_PATH 256
#define READER_MAX_DEPTH 16
#define READER_TOO_DEEP "nested deeper than 16 levels"
#define READER_MAX_ANCHORS 1024
#define READER_MAX_ENTRIES 1024 /* of a mapping: as many as there can be services */
#define READER_MAX_NODES 1000000 /* with aliases expanded */
#define READER_MAX_TEXT 4096 /* bytes of a scalar */

struct addresses;

struct reader {
	yaml_document_t document;
	const char *name; /* of the file, for messages */
	char path[READER_PATH]; /* of the key that is being read: "services.web.check" */
	struct addresses *addresses; /* all that are declared, for addresses_check() */
	struct failure *failure;
};

/*
 * Reads the whole text. What passes has one document without tags, merge keys,
 * keys that are given twice or are no text, cycles, NUL or control characters
 * (scalars may hold tabs and line feeds), and is within the limits above.
 * reader_close() it, on success only.
 */
int reader_open(struct reader *reader, const char *text, size_t length, const char *name,
		struct failure *failure);
void reader_close(struct reader *reader);

/* NULL: the text is empty. */
const yaml_node_t *reader_root(struct reader *reader);
/* An item of a sequence, a key or a value of a mapping. */
const yaml_node_t *reader_node(struct reader *reader, int item);

/* Goes down to a key; the result is for reader_leave(). */
size_t reader_enter(struct reader *reader, const char *key);
void reader_leave(struct reader *reader, size_t length);

/* Fail with "FILE:LINE:COLUMN: PATH: ..."; reader_reject() shows the scalar's value after it. */
int reader_fail(struct reader *reader, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int reader_fail_at(struct reader *reader, const yaml_mark_t *mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int reader_reject(struct reader *reader, const yaml_node_t *scalar, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int reader_no_memory(struct reader *reader);

/* "FILE:LINE:COLUMN: PATH", for modules that want the name of a place. */
#define READER_PLACE (READER_PATH + 256)
const char *reader_place(char place[READER_PLACE], const struct reader *reader,
			 const yaml_mark_t *mark);

/* A scalar's text, borrowed; NULL after a failure. A word has no tabs and line feeds and is not
 * empty. */
const char *reader_text(struct reader *reader, const yaml_node_t *node);
const char *reader_word(struct reader *reader, const yaml_node_t *node);

int reader_number(struct reader *reader, const yaml_node_t *node, unsigned int least,
		  unsigned int most, unsigned int *value);
int reader_milliseconds(struct reader *reader, const yaml_node_t *node, unsigned int least,
			unsigned int most, unsigned int *value);
int reader_bool(struct reader *reader, const yaml_node_t *node, bool *value);
/* One of `words` (ended by NULL): its index, or -1. */
int reader_choice(struct reader *reader, const yaml_node_t *node, const char *const words[]);
/* A word that begins with '/', copied. */
int reader_path(struct reader *reader, const yaml_node_t *node, char **path);

/* A list, or a scalar that stands for a list of one: calls `read` for each; 1..most of them. */
typedef int (*reader_item)(struct reader *reader, const yaml_node_t *item, void *data);
int reader_list(struct reader *reader, const yaml_node_t *node, size_t most, reader_item read,
		void *data);

#endif
