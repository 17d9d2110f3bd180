/* SPDX-License-Identifier: GPL-2.0-only */
#include "status_table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "duration.h"
#include "percent.h"

enum column {
	SERVICE,
	COLOR,
	ROLE,
	SHARE,
	STEERED,
	INSTANCE,
	LISTENING,
	CONNECTIONS,
	HEALTH,
	PROCESS,
	COLUMNS,
};

static const char *const headings[COLUMNS] = { "SERVICE", "COLOR",    "ROLE",	   "SHARE",
					       "STEERED", "INSTANCE", "LISTENING", "CONNS",
					       "HEALTH",  "PROCESS" };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static struct libscols_table *new_table(void)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	for (int column = 0; column < COLUMNS; column++) {
		bool number = column == SHARE || column == STEERED || column == CONNECTIONS;

		scols_table_new_column(table, headings[column], 0, number ? SCOLS_FL_RIGHT : 0);
	}
	scols_table_enable_colors(table, isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
	return table;
}

/* Everything that its end would cut: handshakes, the accept queue, what is open. */
static void add_connections(struct libscols_line *line, const json_t *instance)
{
	const json_t *counts = json_object_get(instance, "connections");
	char text[32] = "-";

	if (json_is_integer(json_object_get(counts, "established")))
		snprintf(text, sizeof(text), "%lld",
			 number_of(counts, "handshaking") + number_of(counts, "accept_queue") +
				 number_of(counts, "established"));
	scols_line_set_data(line, CONNECTIONS, text);
}

static void add_instance(struct libscols_line *line, const json_t *instance)
{
	char process[64], health[32];

	scols_line_set_data(line, INSTANCE, text_of(instance, "address"));
	scols_line_set_data(line, LISTENING,
			    json_is_true(json_object_get(instance, "listening")) ? "yes" : "no");
	add_connections(line, instance);
	snprintf(health, sizeof(health), "%s%s", text_of(instance, "health"),
		 json_is_false(json_object_get(instance, "in_rotation")) ? ", out" : "");
	scols_line_set_data(line, HEALTH, health);
	if (!number_of(instance, "pid"))
		return;
	snprintf(process, sizeof(process), "%s %lld", text_of(instance, "comm"),
		 number_of(instance, "pid"));
	scols_line_set_data(line, PROCESS, process);
}

/* One line an instance; what concerns the whole color stands in its first line. */
static void add_color(struct libscols_table *table, const json_t *service, const char *name,
		      const json_t *color)
{
	bool active = !strcmp(text_of(service, "active"), name), blue = !strcmp(name, "blue");
	unsigned int share = number_of(json_object_get(service, "split"), name);
	const json_t *instance;
	char text[32];
	size_t i;

	json_array_foreach(json_object_get(color, "instances"), i, instance)
	{
		struct libscols_line *line = scols_table_new_line(table, NULL);

		if (!line)
			return;
		if (!i) {
			if (blue)
				scols_line_set_data(line, SERVICE, text_of(service, "name"));
			scols_line_set_data(line, COLOR, name);
			scols_line_set_data(line, ROLE, text_of(color, "role"));
			scols_line_set_data(line, SHARE, percent_format(text, share));
			snprintf(text, sizeof(text), "%lld", number_of(color, "steered_total"));
			scols_line_set_data(line, STEERED, text);
		}
		add_instance(line, instance);
		if (active)
			scols_line_set_color(line, blue ? "blue" : "green");
	}
}

static void print_heading(const json_t *status)
{
	const json_t *attached = json_object_get(status, "attached"), *interface;
	const json_t *agent = json_object_get(status, "agent");
	size_t i;

	printf("bgswitch %s, ", text_of(status, "version"));
	if (!json_array_size(attached)) {
		fputs("not attached (see 'bgswitch help attach')", stdout);
	} else {
		fputs("attached to", stdout);
		json_array_foreach(attached, i, interface)
			printf(" %s", text_of(interface, "ifname"));
	}
	if (number_of(agent, "pid"))
		printf(", agent %lld\n", number_of(agent, "pid"));
	else if (json_is_true(json_object_get(agent, "running")))
		puts(", the agent does not answer");
	else
		puts(", no agent: nothing is checked");
}

static void print_operation(const json_t *operation, const char *state)
{
	const json_t *left = json_object_get(operation, "left_ms");
	char text[DURATION_TEXT];

	if (!json_is_object(operation))
		return;
	printf("  %s: %s %s -> %s", state, text_of(operation, "operation"),
	       text_of(operation, "from"), text_of(operation, "to"));
	if (json_is_integer(left))
		printf(", %s left", duration_format(text, json_integer_value(left) / 1000 * 1000));
	puts("");
}

/* Of the color that a cutover left: when its stop command is due. */
static void print_stop(const char *color, const json_t *stop)
{
	long long left = number_of(stop, "in_ms");
	char text[DURATION_TEXT];

	if (!json_is_object(stop))
		return;
	if (json_is_true(json_object_get(stop, "running")))
		printf("  %s is being stopped\n", color);
	else if (!left)
		printf("  %s is stopped as soon as that is safe\n", color);
	else
		printf("  %s is stopped in %s\n", color,
		       duration_format(text, (unsigned int)((left + 999) / 1000 * 1000)));
}

static void print_service_check(const json_t *check)
{
	if (json_is_object(check) && !json_is_true(json_object_get(check, "ok")))
		printf("  service check: %s\n", text_of(check, "error"));
}

/* What the table has no place for: what may be stopped, and what no instance counts. */
static void print_safety(const char *name, const json_t *color)
{
	const json_t *counts = json_object_get(color, "connections");

	if (json_is_true(json_object_get(color, "safe_to_stop")))
		printf("  %s is safe to stop\n", name);
	if (number_of(counts, "untagged"))
		printf("  %s: %lld untagged connections, older than bgswitch\n", name,
		       number_of(counts, "untagged"));
	if (json_is_true(json_object_get(counts, "syn_cookies")))
		printf("  %s: SYN cookies are out\n", name);
}

static void print_service(const json_t *service)
{
	const json_t *counters = json_object_get(service, "counters"), *address, *color;
	const char *name;
	size_t i;

	printf("%s:", text_of(service, "name"));
	json_array_foreach(json_object_get(service, "listen"), i, address)
		printf(" %s", json_string_value(address));
	printf("; failed over %lld, refused %lld, passed %lld, errors %lld\n",
	       number_of(counters, "failover_total"), number_of(counters, "refused_total"),
	       number_of(counters, "passed_total"), number_of(counters, "errors_total"));
	print_operation(json_object_get(service, "operation"), text_of(service, "state"));
	json_object_foreach(json_object_get(service, "colors"), name, color)
	{
		print_safety(name, color);
		print_stop(name, json_object_get(color, "stop"));
	}
	if (*text_of(service, "alarm"))
		printf("  ALARM: %s\n", text_of(service, "alarm"));
	print_service_check(json_object_get(service, "service_check"));
}

/* What the last check of an instance had to say, if it was not good. */
static void print_why(const json_t *service, const char *color, const json_t *instance)
{
	const json_t *last = json_object_get(instance, "last_check");

	if (!json_is_object(last) || json_is_true(json_object_get(last, "ok")))
		return;
	printf("%s %s %s: %s (%s; %lld failed in a row, the last after %.1f ms)\n",
	       text_of(service, "name"), color, text_of(instance, "address"),
	       text_of(last, "error"), text_of(last, "sent"), number_of(last, "attempts"),
	       json_real_value(json_object_get(last, "ms")));
	if (*text_of(last, "body"))
		printf("  answer: '%s'\n", text_of(last, "body"));
}

static void print_reasons(const json_t *services)
{
	const json_t *service, *color, *instance;
	const char *name;
	size_t i, k;

	json_array_foreach(services, i, service)
	{
		json_object_foreach(json_object_get(service, "colors"), name, color)
		{
			json_array_foreach(json_object_get(color, "instances"), k, instance)
				print_why(service, name, instance);
		}
	}
}

void status_print(const json_t *status)
{
	const json_t *services = json_object_get(status, "services"), *service, *color;
	struct libscols_table *table = new_table();
	const char *name;
	size_t i;

	print_heading(status);
	json_array_foreach(services, i, service)
	{
		print_service(service);
		json_object_foreach(json_object_get(service, "colors"), name, color)
		{
			if (table)
				add_color(table, service, name, color);
		}
	}
	if (json_array_size(services) && table) {
		puts("");
		scols_print_table(table);
	}
	scols_unref_table(table);
	print_reasons(services);
}
