/* SPDX-License-Identifier: GPL-2.0-only */
/* A check the way the file has it. */
#include <string.h>

#include "config/json_parts.h"

static json_t *secret_json(const struct secret *secret)
{
	static const char *const sources[] = { [SECRET_FILE] = "file",
					       [SECRET_ENVIRONMENT] = "env",
					       [SECRET_CREDENTIAL] = "credential" };

	if (secret->source == SECRET_LITERAL)
		return json_string(secret->text);
	return json_pack("{s:s}", sources[secret->source], secret->text);
}

static json_t *headers_json(const struct check *check)
{
	struct json_writer writer = writer_begin();

	for (size_t i = 0; i < check->header_count; i++)
		writer_put(&writer, check->headers[i].name, secret_json(&check->headers[i].value));
	return writer_finish(&writer);
}

static json_t *statuses_json(const struct check *check)
{
	json_t *array = json_array();

	for (size_t i = 0; i < check->status_count; i++) {
		unsigned int first = check->statuses[i].first, last = check->statuses[i].last;

		if (json_array_append_new(array, first == last
							 ? json_integer(first)
							 : json_sprintf("%u-%u", first, last))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *tls_json(const struct check *check)
{
	struct json_writer writer = writer_begin();

	writer_text(&writer, "ca", check->tls.ca, NULL);
	writer_text(&writer, "certificate", check->tls.certificate, NULL);
	writer_text(&writer, "key", check->tls.key, NULL);
	writer_text(&writer, "server_name", check->tls.server_name, NULL);
	if (check->tls.insecure)
		writer_put(&writer, "insecure", json_true());
	return writer_finish(&writer);
}

static bool has_usual_statuses(const struct check *check)
{
	return !check->status_count ||
	       (check->status_count == 1 && check->statuses[0].first == 200 &&
		check->statuses[0].last == 299);
}

static void put_http(struct json_writer *writer, const struct check *check)
{
	writer_text(writer, "method", check->method, "GET");
	writer_text(writer, "path", check->path, "/");
	writer_text(writer, "host", check->host, NULL);
	if (check->header_count)
		writer_put(writer, "headers", headers_json(check));
	if (!has_usual_statuses(check))
		writer_put(writer, "status", statuses_json(check));
	writer_text(writer, "body", check->body_contains, NULL);
	writer_text(writer, "body_regex", check->body_regex, NULL);
	writer_number(writer, "redirects", check->redirects, 0);
}

static void put_times(struct json_writer *writer, const struct check *check)
{
	struct check normal;

	check_init(&normal);
	writer_duration(writer, "interval", check->interval_ms, normal.interval_ms);
	writer_duration(writer, "fast_interval", check->fast_interval_ms, normal.fast_interval_ms);
	writer_duration(writer, "timeout", check->timeout_ms, normal.timeout_ms);
	writer_number(writer, "rise", check->rise, normal.rise);
	writer_number(writer, "fall", check->fall, normal.fall);
	check_free(&normal);
}

/* Only what counts for its type: nothing else would be read again. */
json_t *check_json(const struct check *check)
{
	struct json_writer writer = writer_begin();

	writer_put(&writer, "type", json_string(check_kind_name(check->kind)));
	if (check->kind == CHECK_HTTP || check->kind == CHECK_HTTPS)
		put_http(&writer, check);
	if (check->kind == CHECK_HTTPS)
		writer_put_unless_empty(&writer, "tls", tls_json(check));
	if (check->kind == CHECK_COMMAND)
		writer_put(&writer, "command", words_json(check->command));
	if (check->kind != CHECK_NONE)
		put_times(&writer, check);
	return writer_finish(&writer);
}
