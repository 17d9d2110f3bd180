/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols.h>

#include "attribution.h"
#include "command.h"
#include "listing.h"
#include "message.h"
#include "text.h"

#define CELL 96

/* Everything that is shown comes from here. */
struct view {
	const struct service *services;
	size_t service_count;
	const struct listed *listed;
	size_t count;
};

static json_t *view_json(const struct view *view)
{
	json_t *array = json_array();

	for (size_t i = 0; i < view->count; i++)
		json_array_append_new(
			array, listed_json(&view->listed[i], view->services, view->service_count));
	return array;
}

/* ---- the table */

static const char *cell_text(char cell[CELL], const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	snprintf(cell, CELL, "%s", text ? text : "-");
	return cell;
}

static const char *cell_process(char cell[CELL], const json_t *row, const char *key)
{
	long long pid = json_integer_value(json_object_get(row, key));

	if (!pid)
		return strcpy(cell, "-");
	snprintf(cell, CELL, "%s %lld", json_string_value(json_object_get(row, "comm")), pid);
	text_defuse(cell);
	return cell;
}

/* As `ss` and people write it: two units at the most. */
static const char *cell_time(char cell[CELL], const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);
	long long ms = json_integer_value(value), seconds = ms / 1000;

	if (!json_is_integer(value))
		strcpy(cell, "-");
	else if (ms < 10000)
		snprintf(cell, CELL, "%lld.%llds", seconds, ms % 1000 / 100);
	else if (seconds < 60)
		snprintf(cell, CELL, "%llds", seconds);
	else if (seconds < 3600)
		snprintf(cell, CELL, "%lldm%02llds", seconds / 60, seconds % 60);
	else
		snprintf(cell, CELL, "%lldh%02lldm", seconds / 3600, seconds % 3600 / 60);
	return cell;
}

static const char *cell_bytes(char cell[CELL], const json_t *row, const char *key)
{
	static const char *const units[] = { "", "K", "M", "G", "T", "P" };
	const json_t *value = json_object_get(row, key);
	double bytes = (double)json_integer_value(value);
	size_t unit = 0;

	if (!json_is_integer(value))
		return strcpy(cell, "-");
	for (; bytes >= 10000 && unit < 5; unit++)
		bytes /= 1024;
	snprintf(cell, CELL, "%.0f%s", bytes, units[unit]);
	return cell;
}

static const char *cell_rtt(char cell[CELL], const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	if (!json_is_integer(value))
		return strcpy(cell, "-");
	snprintf(cell, CELL, "%.3fms", (double)json_integer_value(value) / 1000);
	return cell;
}

static const struct {
	const char *heading, *key;
	const char *(*fill)(char cell[CELL], const json_t *row, const char *key);
	int flags;
} columns[] = {
	{ "SERVICE", "service", cell_text, 0 },
	{ "COLOR", "color", cell_text, 0 },
	{ "INSTANCE", "instance", cell_text, 0 },
	{ "STATE", "state", cell_text, 0 },
	{ "PEER", "peer", cell_text, 0 },
	{ "PROCESS", "pid", cell_process, 0 },
	{ "AGE", "age_ms", cell_time, SCOLS_FL_RIGHT },
	{ "IDLE", "idle_ms", cell_time, SCOLS_FL_RIGHT },
	{ "RECEIVED", "received_bytes", cell_bytes, SCOLS_FL_RIGHT },
	{ "SENT", "sent_bytes", cell_bytes, SCOLS_FL_RIGHT },
	{ "RTT", "rtt_us", cell_rtt, SCOLS_FL_RIGHT },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void add_line(struct libscols_table *table, json_t *row)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char cell[CELL];

	for (size_t k = 0; line && k < COLUMNS; k++)
		scols_line_set_data(line, k, columns[k].fill(cell, row, columns[k].key));
}

static void print_table(const struct view *view)
{
	struct libscols_table *table = scols_new_table();

	for (size_t k = 0; table && k < COLUMNS; k++)
		scols_table_new_column(table, columns[k].heading, 0, columns[k].flags);
	for (size_t i = 0; table && i < view->count; i++) {
		json_t *row = listed_json(&view->listed[i], view->services, view->service_count);

		add_line(table, row);
		json_decref(row);
	}
	if (table)
		scols_print_table(table);
	scols_unref_table(table);
}

/* ---- the command */

static bool is_color(const char *text)
{
	return color_parse(text) >= 0;
}

static int parse(struct command_context *context, int argc, char **argv, const char **service,
		 int *color)
{
	const char *text = NULL;

	if (command_option(context, argc, argv, NULL) != -1 ||
	    command_operands(context, argc, argv, 0, 2))
		return -1;
	*service = NULL;
	*color = -1;
	for (int i = optind; i < argc; i++) {
		const char **target = is_color(argv[i]) ? &text : service;

		if (*target)
			return failure_set(&context->failure, EXIT_USAGE,
					   "write 'bgswitch conns [SERVICE] [COLOR]'",
					   "'%s' and '%s' are two %s", *target, argv[i],
					   target == &text ? "colors" : "services");
		*target = argv[i];
	}
	if (text)
		*color = color_parse(text);
	return 0;
}

static int print(struct command_context *context, const struct listing_filter *filter)
{
	struct view view = {};
	struct service *services;
	struct listed *listed;
	ssize_t count = services_read(&context->datapath, &services, &context->failure);

	if (count < 0)
		return -1;
	view.services = services;
	view.service_count = count;
	count = listing_read(&context->datapath, filter, &listed, &context->failure);
	if (count < 0) {
		free(services);
		return -1;
	}
	view.listed = listed;
	view.count = count;
	if (context->json)
		command_print_json(context, view_json(&view));
	else if (count)
		print_table(&view);
	else
		message_info("no connections");
	free(listed);
	free(services);
	return 0;
}

int cmd_conns(struct command_context *context, int argc, char **argv)
{
	struct listing_filter filter = { .slot = ATTRIBUTION_NO_SLOT };
	struct bgs_service value;
	const char *service;

	if (parse(context, argc, argv, &service, &filter.color) ||
	    command_open(context, COMMAND_READS, NULL))
		return -1;
	if (service &&
	    service_find(&context->datapath, service, &filter.slot, &value, &context->failure))
		return -1;
	return print(context, &filter);
}
