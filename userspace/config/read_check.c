/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/read.h"
#include "number.h"

#define AT(field) offsetof(struct check, field)

/* `where` in this chapter: the types that a key belongs to. */
#define TYPE(kind) (1u << (kind))
#define HTTP (TYPE(CHECK_HTTP) | TYPE(CHECK_HTTPS))
#define RUNS (HTTP | TYPE(CHECK_TCP) | TYPE(CHECK_COMMAND))
#define ALL (RUNS | TYPE(CHECK_NONE))

/* A word of these characters: `more` beside letters and digits. */
static int read_of(struct reader *reader, const yaml_node_t *node, const char *more, char **copy)
{
	const char *text = reader_word(reader, node);

	if (!text)
		return -1;
	for (const char *byte = text; *byte; byte++) {
		if (!isalnum((unsigned char)*byte) && !strchr(more, *byte))
			return reader_reject(reader, node,
					     "holds a character that is not allowed here; "
					     "allowed: letters, digits, %s",
					     more);
	}
	*copy = strdup(text);
	return *copy ? 0 : reader_no_memory(reader);
}

static int read_type(struct reader *reader, const yaml_node_t *node, struct check *check)
{
	static const char *const kinds[] = { "tcp", "http", "https", "command", "none", NULL };
	size_t length = reader_enter(reader, "type");
	int kind = reader_choice(reader, node, kinds);

	if (kind < 0)
		return -1;
	check->kind = check_kind_parse(kinds[kind]);
	reader_leave(reader, length);
	return 0;
}

static int read_method(struct reader *reader, const yaml_node_t *node, const struct key *key,
		       void *target)
{
	return read_of(reader, node, "-_", field_at(target, key));
}

static int read_host(struct reader *reader, const yaml_node_t *node, const struct key *key,
		     void *target)
{
	return read_of(reader, node, "-_.:[]", field_at(target, key));
}

static int read_server_name(struct reader *reader, const yaml_node_t *node, const struct key *key,
			    void *target)
{
	return read_of(reader, node, "-_.:", field_at(target, key));
}

static int read_url_path(struct reader *reader, const yaml_node_t *node, const struct key *key,
			 void *target)
{
	const char *text = reader_word(reader, node);

	if (!text)
		return -1;
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~' || *text == '#')
			return reader_reject(reader, node,
					     "holds a character that has to be written as %%XX");
	}
	return reader_path(reader, node, field_at(target, key));
}

static int read_check_headers(struct reader *reader, const yaml_node_t *node, const struct key *key,
			      void *target)
{
	struct check *check = target;

	(void)key;
	return read_headers(reader, node, check->headers, &check->header_count);
}

/* "200-299" or "304". */
static int read_statuses(struct reader *reader, const yaml_node_t *node, void *data)
{
	const char *text = reader_word(reader, node);
	char first_text[8];
	unsigned int first, last;
	struct check *check = data;
	size_t length;

	if (!text)
		return -1;
	length = strcspn(text, "-");
	snprintf(first_text, sizeof(first_text), "%.*s", (int)(length < 7 ? length : 7), text);
	if (!number_parse(first_text, 599, &first) ||
	    !number_parse(text[length] ? text + length + 1 : first_text, 599, &last) ||
	    first < 100 || first > last)
		return reader_reject(reader, node,
				     "is not a status or a range of them; allowed: 100..599, as in "
				     "200 or 200-299");
	check->statuses[check->status_count++] =
		(struct check_statuses){ .first = first, .last = last };
	return 0;
}

static int read_status(struct reader *reader, const yaml_node_t *node, const struct key *key,
		       void *target)
{
	(void)key;
	return reader_list(reader, node, CHECK_MAX_STATUSES, read_statuses, target);
}

static int read_body(struct reader *reader, const yaml_node_t *node, const struct key *key,
		     void *target)
{
	const char *text = reader_text(reader, node);
	char **copy = field_at(target, key);

	if (!text)
		return -1;
	if (!*text)
		return reader_fail(reader, node, "no value given");
	*copy = strdup(text);
	return *copy ? 0 : reader_no_memory(reader);
}

static int read_body_regex(struct reader *reader, const yaml_node_t *node, const struct key *key,
			   void *target)
{
	return regex_check(reader, node) ? -1 : read_body(reader, node, key, target);
}

static int read_word_of_command(struct reader *reader, const yaml_node_t *node, void *data)
{
	const char *text = reader_text(reader, node);
	struct check *check = data;
	size_t count = 0;

	if (!text)
		return -1;
	while (check->command[count])
		count++;
	if (!count)
		return reader_path(reader, node, &check->command[0]);
	check->command[count] = strdup(text);
	return check->command[count] ? 0 : reader_no_memory(reader);
}

static int read_command(struct reader *reader, const yaml_node_t *node, const struct key *key,
			void *target)
{
	struct check *check = target;

	(void)key;
	check->command = calloc(CHECK_MAX_WORDS + 1, sizeof(*check->command));
	if (!check->command)
		return reader_no_memory(reader);
	return reader_list(reader, node, CHECK_MAX_WORDS, read_word_of_command, target);
}

static const struct key tls_keys[] = {
	{ "ca", field_path, AT(tls.ca), .where = ALL },
	{ "certificate", field_path, AT(tls.certificate), .where = ALL },
	{ "key", field_path, AT(tls.key), .where = ALL },
	{ "server_name", read_server_name, AT(tls.server_name), .where = ALL },
	{ "insecure", field_bool, AT(tls.insecure), .where = ALL },
	{},
};

static int read_tls(struct reader *reader, const yaml_node_t *node, const struct key *key,
		    void *target)
{
	struct check *check = target;

	(void)key;
	if (fields_read_all(reader, tls_keys, node, target))
		return -1;
	if (check->tls.key && !check->tls.certificate)
		return reader_fail(reader, node, "a key without a certificate; give both");
	return 0;
}

static const struct key check_keys[] = {
	{ "type", NULL, .where = ALL },
	{ "method", read_method, AT(method), .where = HTTP },
	{ "path", read_url_path, AT(path), .where = HTTP },
	{ "host", read_host, AT(host), .where = HTTP },
	{ "headers", read_check_headers, .where = HTTP },
	{ "status", read_status, .where = HTTP },
	{ "body", read_body, AT(body_contains), .where = HTTP },
	{ "body_regex", read_body_regex, AT(body_regex), .where = HTTP },
	{ "redirects", field_number, AT(redirects), 0, 10, HTTP },
	{ "tls", read_tls, .where = TYPE(CHECK_HTTPS) },
	{ "command", read_command, .where = TYPE(CHECK_COMMAND) },
	{ "interval", field_milliseconds, AT(interval_ms), 10, 3600000, RUNS },
	{ "fast_interval", field_milliseconds, AT(fast_interval_ms), 10, 3600000, RUNS },
	{ "timeout", field_milliseconds, AT(timeout_ms), 1, 600000, RUNS },
	{ "rise", field_number, AT(rise), 1, 100, RUNS },
	{ "fall", field_number, AT(fall), 1, 100, RUNS },
	{},
};

/*
 * A type that is given counts, then what the check's own keys speak for, then
 * what inherited ones do.
 */
static enum check_kind infer_kind(const struct fields *fields)
{
	bool web = fields_is_own(fields, "path") || fields_is_own(fields, "tls");

	if (fields_find(fields, "command") && (fields_is_own(fields, "command") || !web))
		return CHECK_COMMAND;
	if (fields_find(fields, "tls"))
		return CHECK_HTTPS;
	return fields_find(fields, "path") ? CHECK_HTTP : CHECK_TCP;
}

static int choose_kind(struct reader *reader, const struct fields *fields, struct check *check)
{
	const yaml_node_t *type = fields_find(fields, "type");

	if (type)
		return read_type(reader, type, check);
	check->kind = infer_kind(fields);
	return 0;
}

/* Drops what was inherited and is of no use for this type; refuses it where it was given. */
static int fit(struct reader *reader, struct fields *fields, enum check_kind kind)
{
	for (size_t i = 0; check_keys[i].name; i++) {
		if (!fields->values[i] || check_keys[i].where & TYPE(kind))
			continue;
		if (!fields->inherited[i])
			return reader_fail(
				reader, fields->names[i], "'%s' does not fit a check of type %s%s",
				check_keys[i].name, check_kind_name(kind),
				fields_find(fields, "type") ? "" : "; is a 'type' missing?");
		fields->values[i] = NULL;
	}
	return 0;
}

static int check_intervals(struct reader *reader, const struct fields *fields, struct check *check)
{
	const yaml_node_t *fast = fields_find(fields, "fast_interval");

	if (check->fast_interval_ms <= check->interval_ms)
		return 0;
	/* A default gives way to an interval that was chosen. */
	if (fast &&
	    (fields_is_own(fields, "fast_interval") || !fields_is_own(fields, "interval"))) {
		reader_enter(reader, "fast_interval");
		return reader_reject(reader, fast, "is longer than the interval");
	}
	check->fast_interval_ms = check->interval_ms;
	return 0;
}

static int collect(struct reader *reader, struct fields *fields, const yaml_node_t *own,
		   const yaml_node_t *defaults)
{
	struct fields inherited;

	*fields = (struct fields){ .table = check_keys };
	if (own && fields_collect(reader, fields, check_keys, ALL, own))
		return -1;
	if (!defaults)
		return 0;
	if (fields_collect(reader, &inherited, check_keys, ALL, defaults))
		return -1;
	fields_inherit(fields, &inherited);
	return 0;
}

int read_check(struct reader *reader, const yaml_node_t *own, const yaml_node_t *defaults,
	       struct check *check)
{
	struct fields fields;

	if (collect(reader, &fields, own, defaults) || choose_kind(reader, &fields, check) ||
	    fit(reader, &fields, check->kind) || fields_read(reader, &fields, check))
		return -1;
	if (check->kind == CHECK_COMMAND && !check->command)
		return reader_fail(reader, fields_find(&fields, "type"),
				   "a check of type command needs a 'command'");
	return check_intervals(reader, &fields, check);
}

int read_check_defaults(struct reader *reader, const yaml_node_t *node)
{
	struct check check;
	struct fields fields;
	int err;

	check_init(&check);
	err = collect(reader, &fields, node, NULL);
	if (!err)
		err = choose_kind(reader, &fields, &check);
	if (!err)
		err = fields_read(reader, &fields, &check);
	if (!err)
		err = check_intervals(reader, &fields, &check);
	check_free(&check);
	return err;
}
