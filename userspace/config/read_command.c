/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands: never by a shell of ours, and nothing in them that only a shell would understand. */
#include <stdlib.h>
#include <string.h>

#include "config/read.h"
#include "datapath/services.h"
#include "words.h"

#define SHELL_CHARACTERS "\"'`$;&|<>()*?\\~"
#define BLANKS " "

/* The node is shown in the message: the whole text, or the list's first word. */
static int check_program(struct reader *reader, const yaml_node_t *node, const char *program)
{
	if (!*program)
		return reader_fail(reader, node, "no program given");
	if (*program != '/' && strchr(program, '/'))
		return reader_reject(reader, node,
				     "names its program neither by an absolute path nor by a name "
				     "to look up in PATH");
	return 0;
}

static int add_word(struct reader *reader, struct command_line *command, const char *word)
{
	size_t count = words_count(command->argv);

	command->argv[count] = strdup(word);
	return command->argv[count] ? 0 : reader_no_memory(reader);
}

static int read_word(struct reader *reader, const yaml_node_t *node, void *data)
{
	const char *word = reader_text(reader, node);
	struct command_line *command = data;

	if (!word || (!command->argv[0] && check_program(reader, node, word)))
		return -1;
	return add_word(reader, command, word);
}

static int split(struct reader *reader, const yaml_node_t *node, char *text,
		 struct command_line *command)
{
	char *rest, *word = strtok_r(text, BLANKS, &rest);

	if (!word)
		return reader_fail(reader, node, "no value given");
	if (check_program(reader, node, word))
		return -1;
	for (size_t count = 0; word; word = strtok_r(NULL, BLANKS, &rest), count++) {
		if (count == COMMAND_MAX_WORDS)
			return reader_fail(reader, node, "more than %d words", COMMAND_MAX_WORDS);
		if (add_word(reader, command, word))
			return -1;
	}
	return 0;
}

static int read_line(struct reader *reader, const yaml_node_t *node, struct command_line *command)
{
	const char *text = reader_word(reader, node), *special;
	char *copy;
	int err;

	if (!text)
		return -1;
	special = strpbrk(text, SHELL_CHARACTERS);
	if (special)
		return reader_reject(reader, node,
				     "holds a %c, and no shell reads it; write a list, e.g. "
				     "[/bin/sh, -c, \"...\"]",
				     *special);
	copy = strdup(text);
	if (!copy)
		return reader_no_memory(reader);
	err = split(reader, node, copy, command);
	free(copy);
	return err;
}

int read_command_line(struct reader *reader, const yaml_node_t *node, struct command_line *command)
{
	command->argv = calloc(COMMAND_MAX_WORDS + 1, sizeof(*command->argv));
	if (!command->argv)
		return reader_no_memory(reader);
	return node->type == YAML_SEQUENCE_NODE
		       ? reader_list(reader, node, COMMAND_MAX_WORDS, read_word, command)
		       : read_line(reader, node, command);
}

static int read_stop(struct reader *reader, const yaml_node_t *node, const struct key *key,
		     void *target)
{
	struct stop_policy *stop = target;

	return read_command_line(reader, node, &stop->commands[color_parse(key->name)]);
}

int read_stop_commands(struct reader *reader, const yaml_node_t *node, struct stop_policy *stop)
{
	static const struct key colors[] = {
		{ "blue", read_stop, .where = 1 },
		{ "green", read_stop, .where = 1 },
		{},
	};

	return fields_read_all(reader, colors, node, stop);
}
