/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files json*.c share: objects that leave out what the defaults say anyway. */
#ifndef BGSWITCH_JSON_PARTS_H
#define BGSWITCH_JSON_PARTS_H

#include "config/config.h"

/* One whose adding failed, for want of memory, is not in the object: all or nothing. */
struct json_writer {
	json_t *object;
	bool failed;
};

struct json_writer writer_begin(void);
/* The object, which the caller owns; NULL if anything failed. */
json_t *writer_finish(struct json_writer *writer);

/* Takes over `value`; NULL fails. */
void writer_put(struct json_writer *writer, const char *key, json_t *value);
/* The same for an object, which is left out if nothing is in it. */
void writer_put_unless_empty(struct json_writer *writer, const char *key, json_t *value);

/* Each is left out when it is what is `normal`; a text also when it is NULL. */
void writer_text(struct json_writer *writer, const char *key, const char *text, const char *normal);
void writer_number(struct json_writer *writer, const char *key, unsigned int value,
		   unsigned int normal);
void writer_duration(struct json_writer *writer, const char *key, unsigned int value,
		     unsigned int normal);

/* Owned by the caller; NULL for want of memory. */
json_t *words_json(char *const *words);
json_t *check_json(const struct check *check);

#endif
