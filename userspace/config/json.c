/* SPDX-License-Identifier: GPL-2.0-only */
/* Services and policies the way the file has them, without what the defaults say anyway. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/read.h"
#include "duration.h"

/* One whose adding failed, for want of memory, is not in the object: all or nothing. */
struct writer {
	json_t *object;
	bool failed;
};

static void put(struct writer *writer, const char *key, json_t *value)
{
	if (json_object_set_new(writer->object, key, value)) /* takes NULL, and says so */
		writer->failed = true;
}

static json_t *finish(struct writer *writer)
{
	if (!writer->failed)
		return writer->object;
	json_decref(writer->object);
	return NULL;
}

static struct writer begin(void)
{
	struct writer writer = { .object = json_object() };

	writer.failed = !writer.object;
	return writer;
}

static void put_text(struct writer *writer, const char *key, const char *text, const char *normal)
{
	if (text && (!normal || strcmp(text, normal)))
		put(writer, key, json_string(text));
}

static void put_number(struct writer *writer, const char *key, unsigned int value,
		       unsigned int normal)
{
	if (value != normal)
		put(writer, key, json_integer(value));
}

static void put_duration(struct writer *writer, const char *key, unsigned int value,
			 unsigned int normal)
{
	char text[DURATION_TEXT];

	if (value != normal)
		put(writer, key, json_string(duration_format(text, value)));
}

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
	struct writer writer = begin();

	for (size_t i = 0; i < check->header_count; i++)
		put(&writer, check->headers[i].name, secret_json(&check->headers[i].value));
	return finish(&writer);
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

static json_t *command_json(char *const *command)
{
	json_t *array = json_array();

	for (; *command; command++) {
		if (json_array_append_new(array, json_string(*command))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *tls_json(const struct check *check)
{
	struct writer writer = begin();

	put_text(&writer, "ca", check->tls.ca, NULL);
	put_text(&writer, "certificate", check->tls.certificate, NULL);
	put_text(&writer, "key", check->tls.key, NULL);
	put_text(&writer, "server_name", check->tls.server_name, NULL);
	if (check->tls.insecure)
		put(&writer, "insecure", json_true());
	return finish(&writer);
}

static bool has_usual_statuses(const struct check *check)
{
	return !check->status_count ||
	       (check->status_count == 1 && check->statuses[0].first == 200 &&
		check->statuses[0].last == 299);
}

static void put_http(struct writer *writer, const struct check *check)
{
	put_text(writer, "method", check->method, "GET");
	put_text(writer, "path", check->path, "/");
	put_text(writer, "host", check->host, NULL);
	if (check->header_count)
		put(writer, "headers", headers_json(check));
	if (!has_usual_statuses(check))
		put(writer, "status", statuses_json(check));
	put_text(writer, "body", check->body_contains, NULL);
	put_text(writer, "body_regex", check->body_regex, NULL);
	put_number(writer, "redirects", check->redirects, 0);
}

static void put_times(struct writer *writer, const struct check *check)
{
	struct check normal;

	check_init(&normal);
	put_duration(writer, "interval", check->interval_ms, normal.interval_ms);
	put_duration(writer, "fast_interval", check->fast_interval_ms, normal.fast_interval_ms);
	put_duration(writer, "timeout", check->timeout_ms, normal.timeout_ms);
	put_number(writer, "rise", check->rise, normal.rise);
	put_number(writer, "fall", check->fall, normal.fall);
	check_free(&normal);
}

/* Only what counts for its type: nothing else would be read again. */
static json_t *check_json(const struct check *check)
{
	struct writer writer = begin();

	put(&writer, "type", json_string(check_kind_name(check->kind)));
	if (check->kind == CHECK_HTTP || check->kind == CHECK_HTTPS)
		put_http(&writer, check);
	if (check->kind == CHECK_HTTPS) {
		json_t *tls = tls_json(check);

		if (json_object_size(tls) || !tls)
			put(&writer, "tls", tls);
		else
			json_decref(tls);
	}
	if (check->kind == CHECK_COMMAND)
		put(&writer, "command", command_json(check->command));
	if (check->kind != CHECK_NONE)
		put_times(&writer, check);
	return finish(&writer);
}

static void put_policy(struct writer *writer, const struct policy *policy)
{
	struct policy normal;

	policy_init(&normal);
	put(writer, "check", check_json(&policy->check));
	if (policy->min_healthy.percent)
		put(writer, "min_healthy", json_sprintf("%u%%", policy->min_healthy.value));
	else
		put_number(writer, "min_healthy", policy->min_healthy.value,
			   normal.min_healthy.value);
	put(writer, "failover", json_string(failover_name(policy->failover)));
	put_duration(writer, "soak", policy->soak_ms, normal.soak_ms);
	put_duration(writer, "ready_timeout", policy->ready_timeout_ms, normal.ready_timeout_ms);
	policy_free(&normal);
}

json_t *policy_json(const struct policy *policy)
{
	struct writer writer = begin();

	put_policy(&writer, policy);
	return finish(&writer);
}

bool policy_equal(const struct policy *left, const struct policy *right)
{
	json_t *a = policy_json(left), *b = policy_json(right);
	bool equal = a && b && json_equal(a, b);

	json_decref(a);
	json_decref(b);
	return equal;
}

/* Two wildcards of one port that follow each other were a bare port. */
static bool is_bare_port(const struct service_spec *spec, size_t i)
{
	struct bgs_endpoint other;

	if (i + 1 >= spec->listen_count || !endpoint_is_v4(&spec->listen[i]) ||
	    !endpoint_is_wildcard(&spec->listen[i]))
		return false;
	other = endpoint_wildcard(&spec->listen[i], BGS_V6);
	return !memcmp(&spec->listen[i + 1], &other, sizeof(other));
}

static json_t *listen_json(const struct service_spec *spec)
{
	char text[ENDPOINT_TEXT];
	json_t *array = json_array();

	for (size_t i = 0; i < spec->listen_count; i++) {
		bool bare = is_bare_port(spec, i);

		endpoint_format(text, &spec->listen[i], bare);
		if (json_array_append_new(array, json_string(text))) {
			json_decref(array);
			return NULL;
		}
		i += bare;
	}
	return array;
}

static json_t *color_json(const struct color_spec *color)
{
	char text[ENDPOINT_TEXT];
	json_t *array = json_array();

	for (size_t i = 0; i < color->count; i++) {
		const struct endpoint *instance = &color->instances[i];

		if (!color_has(color, i))
			continue;
		endpoint_format(text, &instance->key, instance->any_family);
		if (json_array_append_new(array, json_string(text))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *config_service_json(const struct config_service *service)
{
	const struct service_spec *spec = &service->spec;
	struct writer writer = begin();

	put(&writer, "listen", listen_json(spec));
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		put(&writer, color_name(color), color_json(&spec->colors[color]));
	put(&writer, "on_empty", json_string(spec->flags.pass_when_empty ? "pass" : "refuse"));
	put(&writer, "affinity", json_string(spec->flags.by_connection ? "connection" : "client"));
	put_policy(&writer, &service->policy);
	return finish(&writer);
}

int policy_from_json(struct policy *policy, const json_t *object, const char *name,
		     struct failure *failure)
{
	char *text = json_dumps(object, 0);
	struct reader reader;
	int err;

	if (!text)
		return failure_set(failure, EXIT_SYSTEM, "free some", "%s: out of memory", name);
	err = reader_open(&reader, text, strlen(text), name, failure);
	if (!err) {
		err = read_policy(&reader, reader_root(&reader), policy);
		reader_close(&reader);
	}
	free(text);
	return err;
}
