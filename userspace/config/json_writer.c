/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/json_parts.h"

#include <string.h>

#include "duration.h"

struct json_writer writer_begin(void)
{
	struct json_writer writer = { .object = json_object() };

	writer.failed = !writer.object;
	return writer;
}

json_t *writer_finish(struct json_writer *writer)
{
	if (!writer->failed)
		return writer->object;
	json_decref(writer->object);
	return NULL;
}

void writer_put(struct json_writer *writer, const char *key, json_t *value)
{
	if (json_object_set_new(writer->object, key, value)) /* takes NULL, and says so */
		writer->failed = true;
}

void writer_put_unless_empty(struct json_writer *writer, const char *key, json_t *value)
{
	if (value && !json_object_size(value))
		json_decref(value);
	else
		writer_put(writer, key, value);
}

void writer_text(struct json_writer *writer, const char *key, const char *text, const char *normal)
{
	if (text && (!normal || strcmp(text, normal)))
		writer_put(writer, key, json_string(text));
}

void writer_number(struct json_writer *writer, const char *key, unsigned int value,
		   unsigned int normal)
{
	if (value != normal)
		writer_put(writer, key, json_integer(value));
}

void writer_duration(struct json_writer *writer, const char *key, unsigned int value,
		     unsigned int normal)
{
	char text[DURATION_TEXT];

	if (value != normal)
		writer_put(writer, key, json_string(duration_format(text, value)));
}

json_t *words_json(char *const *words)
{
	json_t *array = json_array();

	for (; *words; words++) {
		if (json_array_append_new(array, json_string(*words))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
