/* SPDX-License-Identifier: GPL-2.0-only */
#include "status_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "percent.h"
#include "version.h"

enum column { SERVICE, COLOR, ROLE, SHARE, STEERED, INSTANCE, LISTENING, PROCESS, COLUMNS };

static const char *const headings[COLUMNS] = { "SERVICE", "COLOR",    "ROLE",	   "SHARE",
					       "STEERED", "INSTANCE", "LISTENING", "PROCESS" };

static struct libscols_table *new_table(void)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	for (int column = 0; column < COLUMNS; column++) {
		bool number = column == SHARE || column == STEERED;

		scols_table_new_column(table, headings[column], 0, number ? SCOLS_FL_RIGHT : 0);
	}
	scols_table_enable_colors(table, isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
	return table;
}

static void add_instance(const struct status *status, struct libscols_line *line, __u32 number,
			 const struct endpoint *endpoint)
{
	const struct listener *listener = status_listener(status, number);
	char text[ENDPOINT_TEXT], process[64];

	scols_line_set_data(line, INSTANCE,
			    endpoint_format(text, &endpoint->key, endpoint->any_family));
	scols_line_set_data(line, LISTENING, status_is_listening(status, number) ? "yes" : "no");
	if (!listener || !listener->pid)
		return;
	snprintf(process, sizeof(process), "%s %d", listener->comm, (int)listener->pid);
	scols_line_set_data(line, PROCESS, process);
}

/* One line an instance; what concerns the whole color stands in its first line. */
static void add_color(const struct status *status, struct libscols_table *table,
		      const struct service *service, enum bgs_color color,
		      const struct bgs_counters *counters)
{
	const struct color_spec *spec = &service->spec.colors[color];
	bool active = service->route.active == color, first = true;
	char text[32];

	for (size_t place = 0; place < spec->count; place++) {
		struct libscols_line *line;

		if (!color_has(spec, place))
			continue;
		line = scols_table_new_line(table, NULL);
		if (!line)
			return;
		if (first) {
			if (color == BGS_BLUE)
				scols_line_set_data(line, SERVICE, service->spec.name);
			scols_line_set_data(line, COLOR, color_name(color));
			scols_line_set_data(line, ROLE, status_role(service, color));
			scols_line_set_data(line, SHARE,
					    percent_format(text, status_share(service, color)));
			snprintf(text, sizeof(text), "%llu",
				 (unsigned long long)counters->steered[color]);
			scols_line_set_data(line, STEERED, text);
			first = false;
		}
		add_instance(status, line, BGS_INSTANCE(service->slot, color, place),
			     &spec->instances[place]);
		if (active)
			scols_line_set_color(line, color == BGS_BLUE ? "blue" : "green");
	}
}

static void print_heading(const struct status *status)
{
	printf("bgswitch " BGSWITCH_VERSION ", ");
	if (!status->interfaces.count) {
		puts("not attached (see 'bgswitch help attach')");
		return;
	}
	fputs("attached to", stdout);
	for (size_t i = 0; i < status->interfaces.count; i++)
		printf(" %s", status->interfaces.items[i].name);
	puts("");
}

static void print_service(const struct service *service, const struct bgs_counters *counters)
{
	char text[ENDPOINT_TEXT];

	printf("%s:", service->spec.name);
	for (size_t i = 0; i < service->spec.listen_count; i++)
		printf(" %s", endpoint_format(text, &service->spec.listen[i], false));
	printf("; failed over %llu, refused %llu, passed %llu, errors %llu\n",
	       (unsigned long long)counters->failover, (unsigned long long)counters->refused,
	       (unsigned long long)counters->passed, (unsigned long long)counters->errors);
}

void status_print(const struct status *status)
{
	struct libscols_table *table = new_table();

	print_heading(status);
	for (size_t i = 0; i < status->service_count; i++) {
		const struct service *service = &status->services[i];
		struct bgs_counters counters;

		service_counters(status->datapath, service->slot, &counters);
		print_service(service, &counters);
		for (enum bgs_color color = 0; color < BGS_COLORS && table; color++)
			add_color(status, table, service, color, &counters);
	}
	if (status->service_count && table) {
		puts("");
		scols_print_table(table);
	}
	scols_unref_table(table);
}
