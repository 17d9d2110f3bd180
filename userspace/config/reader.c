/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "number.h"
#include "text.h"

#define NEXT "correct it; nothing was changed"
#define NAME_SHOWN 160 /* the end of a long file name leaves room for the rest */
#define VALUE_SHOWN 64

const yaml_node_t *reader_root(struct reader *reader)
{
	return yaml_document_get_root_node(&reader->document);
}

const yaml_node_t *reader_node(struct reader *reader, int item)
{
	return yaml_document_get_node(&reader->document, item);
}

size_t reader_enter(struct reader *reader, const char *key)
{
	size_t length = strlen(reader->path);

	snprintf(reader->path + length, sizeof(reader->path) - length, "%s%s", length ? "." : "",
		 key);
	text_defuse(reader->path + length);
	return length;
}

void reader_leave(struct reader *reader, size_t length)
{
	reader->path[length] = '\0';
}

const char *reader_place(char place[READER_PLACE], const struct reader *reader,
			 const yaml_mark_t *mark)
{
	size_t length = strlen(reader->name);
	bool cut = length > NAME_SHOWN;

	snprintf(place, READER_PLACE, "%s%s:%zu:%zu%s%s", cut ? "..." : "",
		 reader->name + (cut ? length - NAME_SHOWN : 0), mark->line + 1, mark->column + 1,
		 *reader->path ? ": " : "", reader->path);
	return place;
}

__attribute__((format(printf, 4, 0))) static int fail(struct reader *reader,
						      const yaml_mark_t *mark, const char *value,
						      const char *format, va_list args)
{
	char place[READER_PLACE], words[sizeof(reader->failure->what)];

	vsnprintf(words, sizeof(words), format, args);
	failure_set(reader->failure, EXIT_USAGE, NEXT, "%s: %s%s",
		    reader_place(place, reader, mark), value, words);
	text_defuse(reader->failure->what);
	return -1;
}

int reader_fail(struct reader *reader, const yaml_node_t *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail(reader, &node->start_mark, "", format, args);
	va_end(args);
	return -1;
}

int reader_fail_at(struct reader *reader, const yaml_mark_t *mark, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail(reader, mark, "", format, args);
	va_end(args);
	return -1;
}

/* The beginning of a value in quotes; never half a character. */
static void excerpt(char text[VALUE_SHOWN + 8], const char *value)
{
	size_t length = strlen(value);
	bool cut = length > VALUE_SHOWN;

	if (cut) {
		length = VALUE_SHOWN;
		while (length && ((unsigned char)value[length] & 0xc0) == 0x80)
			length--;
	}
	snprintf(text, VALUE_SHOWN + 8, "'%.*s%s' ", (int)length, value, cut ? "..." : "");
}

int reader_reject(struct reader *reader, const yaml_node_t *scalar, const char *format, ...)
{
	char value[VALUE_SHOWN + 8];
	va_list args;

	va_start(args, format);
	excerpt(value, (const char *)scalar->data.scalar.value);
	fail(reader, &scalar->start_mark, value, format, args);
	va_end(args);
	return -1;
}

int reader_no_memory(struct reader *reader)
{
	return failure_set(reader->failure, EXIT_SYSTEM, "free some; nothing was changed",
			   "%s: out of memory", reader->name);
}

const char *reader_text(struct reader *reader, const yaml_node_t *node)
{
	if (node->type == YAML_SCALAR_NODE)
		return (const char *)node->data.scalar.value;
	reader_fail(reader, node, "expected a single value, found a %s",
		    node->type == YAML_MAPPING_NODE ? "mapping" : "list");
	return NULL;
}

const char *reader_word(struct reader *reader, const yaml_node_t *node)
{
	const char *text = reader_text(reader, node);

	if (!text)
		return NULL;
	if (*text && !strpbrk(text, "\t\n"))
		return text;
	if (*text)
		reader_reject(reader, node, "holds a tab or a line break");
	else
		reader_fail(reader, node, "no value given");
	return NULL;
}

int reader_number(struct reader *reader, const yaml_node_t *node, unsigned int least,
		  unsigned int most, unsigned int *value)
{
	const char *text = reader_word(reader, node);
	bool digits = text && text[strspn(text, "0123456789")] == '\0';

	if (!text)
		return -1;
	if (number_parse(text, most, value) && *value >= least)
		return 0;
	return reader_reject(reader, node, "is %s; allowed: %u..%u",
			     digits ? "out of range" : "not a whole number", least, most);
}

int reader_milliseconds(struct reader *reader, const yaml_node_t *node, unsigned int least,
			unsigned int most, unsigned int *value)
{
	char place[READER_PLACE], shortest[DURATION_TEXT], longest[DURATION_TEXT];
	const char *text = reader_word(reader, node);

	if (!text || duration_parse(value, text, reader_place(place, reader, &node->start_mark),
				    reader->failure))
		return -1;
	if (*value >= least && *value <= most)
		return 0;
	return reader_reject(reader, node, "is out of range; allowed: %s..%s",
			     duration_format(shortest, least), duration_format(longest, most));
}

int reader_choice(struct reader *reader, const yaml_node_t *node, const char *const words[])
{
	const char *text = reader_word(reader, node);
	char allowed[256] = "";

	if (!text)
		return -1;
	for (int i = 0; words[i]; i++) {
		size_t length = strlen(allowed);

		if (!strcmp(text, words[i]))
			return i;
		snprintf(allowed + length, sizeof(allowed) - length, "%s%s", i ? ", " : "",
			 words[i]);
	}
	return reader_reject(reader, node, "is unknown; allowed: %s", allowed);
}

int reader_bool(struct reader *reader, const yaml_node_t *node, bool *value)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", NULL };
	int choice = reader_choice(reader, node, words);

	if (choice < 0)
		return -1;
	*value = choice & 1;
	return 0;
}

int reader_path(struct reader *reader, const yaml_node_t *node, char **path)
{
	const char *text = reader_word(reader, node);

	if (!text)
		return -1;
	if (*text != '/')
		return reader_reject(reader, node, "is not a path that begins with '/'");
	*path = strdup(text);
	return *path ? 0 : reader_no_memory(reader);
}

int reader_list(struct reader *reader, const yaml_node_t *node, size_t most, reader_item read,
		void *data)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;
	size_t count;

	if (node->type != YAML_SEQUENCE_NODE)
		return read(reader, node, data);
	count = node->data.sequence.items.top - item;
	if (!count || count > most)
		return reader_fail(reader, node, "%zu entries; allowed: 1..%zu", count, most);
	for (; item < node->data.sequence.items.top; item++) {
		if (read(reader, reader_node(reader, *item), data))
			return -1;
	}
	return 0;
}
