/* SPDX-License-Identifier: GPL-2.0-only */
/* From text to a tree. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/reader.h"
#include "config/tree.h"

/* Where a byte is, as libyaml counts: from 0, columns by characters. */
static yaml_mark_t locate(const char *text, size_t offset)
{
	yaml_mark_t mark = { .index = offset };

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static int syntax_error(struct reader *reader, const yaml_parser_t *parser, const char *text,
			size_t length)
{
	size_t offset = parser->problem_offset < length ? parser->problem_offset : length;
	yaml_mark_t mark = parser->problem_mark;
	char context[128] = "";

	if (parser->error == YAML_MEMORY_ERROR)
		return reader_no_memory(reader);
	if (parser->error == YAML_READER_ERROR)
		mark = locate(text, offset);
	else if (parser->context)
		snprintf(context, sizeof(context), " (%s, line %zu)", parser->context,
			 parser->context_mark.line + 1);
	return reader_fail_at(reader, &mark, "%s%s", parser->problem, context);
}

static int begin(struct reader *reader, yaml_parser_t *parser, const char *text, size_t length)
{
	if (!yaml_parser_initialize(parser))
		return reader_no_memory(reader);
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)text, length);
	return 0;
}

/* What is counted over the tokens of a text. */
struct survey {
	size_t depth, anchors;
	bool ended;
};

static int survey_token(struct reader *reader, struct survey *survey, const yaml_token_t *token)
{
	switch (token->type) {
	case YAML_FLOW_SEQUENCE_START_TOKEN:
	case YAML_FLOW_MAPPING_START_TOKEN:
	case YAML_BLOCK_SEQUENCE_START_TOKEN:
	case YAML_BLOCK_MAPPING_START_TOKEN:
		if (survey->depth++ == READER_MAX_DEPTH)
			return reader_fail_at(reader, &token->start_mark, READER_TOO_DEEP);
		return 0;
	case YAML_FLOW_SEQUENCE_END_TOKEN:
	case YAML_FLOW_MAPPING_END_TOKEN:
	case YAML_BLOCK_END_TOKEN:
		survey->depth -= survey->depth > 0; /* the scanner lets a lone ']' pass */
		return 0;
	case YAML_ANCHOR_TOKEN:
		if (survey->anchors++ == READER_MAX_ANCHORS)
			return reader_fail_at(reader, &token->start_mark, "more than %d anchors",
					      READER_MAX_ANCHORS);
		return 0;
	case YAML_TAG_DIRECTIVE_TOKEN:
		return reader_fail_at(reader, &token->start_mark,
				      "tags are not read; leave it out");
	default:
		survey->ended = token->type == YAML_STREAM_END_TOKEN;
		return 0;
	}
}

/*
 * A first look: libyaml takes time by the square of the depth, the anchors and
 * the tag directives, so that a text within our size would keep it busy for hours.
 */
static int survey(struct reader *reader, const char *text, size_t length)
{
	struct survey seen = {};
	yaml_parser_t parser;
	int err = 0;

	if (begin(reader, &parser, text, length))
		return -1;
	while (!err && !seen.ended) {
		yaml_token_t token;

		if (!yaml_parser_scan(&parser, &token)) {
			err = syntax_error(reader, &parser, text, length);
			break;
		}
		err = survey_token(reader, &seen, &token);
		yaml_token_delete(&token);
	}
	yaml_parser_delete(&parser);
	return err;
}

/* One document; a second one is refused rather than ignored. */
static int load(struct reader *reader, const char *text, size_t length)
{
	const yaml_node_t *root;
	yaml_document_t second;
	yaml_parser_t parser;
	int err = -1;

	if (begin(reader, &parser, text, length))
		return -1;
	if (!yaml_parser_load(&parser, &reader->document)) {
		syntax_error(reader, &parser, text, length);
		goto out;
	}
	if (!reader_root(reader)) { /* the stream has ended */
		err = 0;
		goto out;
	}
	if (!yaml_parser_load(&parser, &second)) {
		syntax_error(reader, &parser, text, length);
		yaml_document_delete(&reader->document);
		goto out;
	}
	root = yaml_document_get_root_node(&second);
	err = root ? reader_fail(reader, root, "a second document; only one is read") : 0;
	yaml_document_delete(&second);
	if (err)
		yaml_document_delete(&reader->document);
out:
	yaml_parser_delete(&parser);
	return err;
}

int reader_open(struct reader *reader, const char *text, size_t length, const char *name,
		struct failure *failure)
{
	const char *zero = memchr(text, '\0', length);
	yaml_mark_t mark;

	*reader = (struct reader){ .name = name, .failure = failure };
	if (length > CONFIG_MAX_SIZE)
		return failure_set(failure, EXIT_USAGE, "make it smaller; nothing was changed",
				   "%s: larger than %d MiB", name, CONFIG_MAX_SIZE >> 20);
	if (zero) {
		mark = locate(text, zero - text);
		return reader_fail_at(reader, &mark, "a NUL byte; this is no text");
	}
	if (survey(reader, text, length) || load(reader, text, length))
		return -1;
	if (!tree_check(reader))
		return 0;
	reader_close(reader);
	return -1;
}

void reader_close(struct reader *reader)
{
	yaml_document_delete(&reader->document);
}
