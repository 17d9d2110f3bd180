/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "command.h"
#include "message.h"
#include "number.h"
#include "record/history.h"
#include "record/moment.h"
#include "record/records.h"
#include "text.h"

#define MOST_LINES 1000000
#define CELL 512

struct request {
	const char *service; /* NULL: all of them */
	unsigned int lines; /* the last ones; 0: all */
	json_t *entries;
};

static int parse(struct command_context *context, int argc, char **argv, struct request *request)
{
	static const struct option own[] = {
		{ "lines", required_argument, NULL, 'n' },
		{},
	};
	int option;

	while ((option = command_option(context, argc, argv, own)) != -1) {
		if (option != 'n')
			return -1;
		if (!number_parse(optarg, MOST_LINES, &request->lines) || !request->lines)
			return failure_set(&context->failure, EXIT_USAGE,
					   "write a number from 1 to 1000000",
					   "-n: '%s' is no number of lines", optarg);
	}
	if (command_operands(context, argc, argv, 0, 1))
		return -1;
	request->service = argv[optind]; /* NULL behind the last one */
	return 0;
}

/* Both files hold some ten thousand entries at the most. */
static int collect(json_t *line, void *data)
{
	const struct request *request = data;
	const char *service = json_string_value(json_object_get(line, "service"));

	if (request->service && (!service || strcmp(service, request->service)))
		return 0;
	json_array_append(request->entries, line);
	return 0;
}

/* Entries before the last `lines` go. */
static void keep_last(json_t *entries, unsigned int lines)
{
	size_t count = json_array_size(entries);
	json_t *last = json_array();

	for (size_t i = lines && count > lines ? count - lines : 0; i < count; i++)
		json_array_append(last, json_array_get(entries, i));
	json_array_clear(entries);
	json_array_extend(entries, last);
	json_decref(last);
}

/* Without what a terminal would obey; "-" where there is nothing. */
static const char *cell_string(char cell[CELL], const json_t *entry, const char *key)
{
	const char *value = json_string_value(json_object_get(entry, key));

	snprintf(cell, CELL, "%s", value && *value ? value : "-");
	text_defuse(cell);
	return cell;
}

static const char *cell_time(char cell[CELL], const json_t *entry, const char *key)
{
	const char *value = json_string_value(json_object_get(entry, key));
	long long at_ms;

	if (!value || !moment_parse(&at_ms, value))
		return cell_string(cell, entry, key);
	return moment_local(cell, at_ms);
}

static const char *cell_took(char cell[CELL], const json_t *entry, const char *key)
{
	json_int_t ms = json_integer_value(json_object_get(entry, key));

	if (ms < 1000)
		snprintf(cell, CELL, "%lldms", (long long)ms);
	else
		snprintf(cell, CELL, "%.1fs", (double)ms / 1000);
	return cell;
}

/* A user by name, by number where it has none; nobody asked: the agent. */
static const char *cell_user(char cell[CELL], const json_t *entry, const char *key)
{
	const json_t *uid = json_object_get(entry, "uid");

	if (json_is_string(json_object_get(entry, key)))
		return cell_string(cell, entry, key);
	if (json_is_integer(uid))
		snprintf(cell, CELL, "%lld", (long long)json_integer_value(uid));
	else
		snprintf(cell, CELL, "agent");
	return cell;
}

static const struct {
	const char *heading, *key;
	const char *(*fill)(char cell[CELL], const json_t *entry, const char *key);
	int flags;
} columns[] = {
	{ "TIME", "time", cell_time, 0 },
	{ "SERVICE", "service", cell_string, 0 },
	{ "WHAT", "operation", cell_string, 0 },
	{ "FROM", "from", cell_string, 0 },
	{ "TO", "to", cell_string, 0 },
	{ "BY", "user", cell_user, 0 },
	{ "TOOK", "duration_ms", cell_took, SCOLS_FL_RIGHT },
	{ "OUTCOME", "outcome", cell_string, 0 },
	{ "REASON", "reason", cell_string, 0 },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void print_table(const json_t *entries)
{
	struct libscols_table *table = scols_new_table();
	const json_t *entry;
	char cell[CELL];
	size_t i;

	for (size_t k = 0; table && k < COLUMNS; k++)
		scols_table_new_column(table, columns[k].heading, 0, columns[k].flags);
	json_array_foreach(entries, i, entry)
	{
		struct libscols_line *line = table ? scols_table_new_line(table, NULL) : NULL;

		for (size_t k = 0; line && k < COLUMNS; k++)
			scols_line_set_data(line, k, columns[k].fill(cell, entry, columns[k].key));
	}
	if (table)
		scols_print_table(table);
	scols_unref_table(table);
}

static void print(const struct command_context *context, const struct request *request,
		  const char *name)
{
	if (context->json)
		command_print_json(context, json_incref(request->entries));
	else if (json_array_size(request->entries))
		print_table(request->entries);
	else
		message_info("nothing is recorded in %s/%s", command_state_dir(context), name);
}

int cmd_history(struct command_context *context, int argc, char **argv)
{
	struct request request = {};
	char name[NAME_MAX];
	int err;

	if (parse(context, argc, argv, &request) ||
	    command_record_name(context, HISTORY_NAME, HISTORY_ENDING, name))
		return -1;
	request.entries = json_array();
	err = records_read(command_state_dir(context), name, collect, &request, &context->failure);
	if (!err) {
		keep_last(request.entries, request.lines);
		print(context, &request, name);
	}
	json_decref(request.entries);
	return err;
}
