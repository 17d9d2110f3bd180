/* SPDX-License-Identifier: GPL-2.0-only */
/* Services and policies the way the file has them, without what the defaults say anyway. */
#include <stdlib.h>
#include <string.h>

#include "config/json_parts.h"
#include "config/read.h"

static json_t *drain_json(const struct drain_policy *drain)
{
	struct json_writer writer = writer_begin();
	char text[DURATION_TEXT];
	struct policy normal;

	policy_init(&normal);
	if (drain->timeout_ms != normal.drain.timeout_ms)
		writer_put(&writer, "timeout",
			   json_string(drain_timeout_format(text, drain->timeout_ms)));
	writer_text(&writer, "at_deadline", deadline_name(drain->at_deadline),
		    deadline_name(normal.drain.at_deadline));
	writer_duration(&writer, "close_idle", drain->close_idle_ms, normal.drain.close_idle_ms);
	writer_duration(&writer, "over", drain->over_ms, normal.drain.over_ms);
	policy_free(&normal);
	return writer_finish(&writer);
}

static json_t *stops_json(const struct stop_policy *stop)
{
	struct json_writer writer = writer_begin();

	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		char **argv = stop->commands[color].argv;

		if (argv)
			writer_put(&writer, color_name(color), words_json(argv));
	}
	return writer_finish(&writer);
}

/* All but the stop commands: a service has them with its colors. */
static void put_policy(struct json_writer *writer, const struct policy *policy)
{
	struct policy normal;

	policy_init(&normal);
	writer_put(writer, "check", check_json(&policy->check));
	if (policy->min_healthy.percent)
		writer_put(writer, "min_healthy", json_sprintf("%u%%", policy->min_healthy.value));
	else
		writer_number(writer, "min_healthy", policy->min_healthy.value,
			      normal.min_healthy.value);
	writer_put(writer, "failover", json_string(failover_name(policy->failover)));
	writer_duration(writer, "soak", policy->soak_ms, normal.soak_ms);
	writer_duration(writer, "ready_timeout", policy->ready_timeout_ms, normal.ready_timeout_ms);
	writer_put_unless_empty(writer, "drain", drain_json(&policy->drain));
	writer_duration(writer, "keep_warm", policy->stop.keep_warm_ms, normal.stop.keep_warm_ms);
	writer_duration(writer, "stop_timeout", policy->stop.timeout_ms, normal.stop.timeout_ms);
	policy_free(&normal);
}

json_t *policy_json(const struct policy *policy)
{
	struct json_writer writer = writer_begin();

	put_policy(&writer, policy);
	writer_put_unless_empty(&writer, "stop", stops_json(&policy->stop));
	return writer_finish(&writer);
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

static json_t *instances_json(const struct color_spec *color)
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

static json_t *color_json(const struct color_spec *color, const struct command_line *stop)
{
	struct json_writer writer;

	if (!stop->argv)
		return instances_json(color);
	writer = writer_begin();
	writer_put(&writer, "instances", instances_json(color));
	writer_put(&writer, "stop", words_json(stop->argv));
	return writer_finish(&writer);
}

json_t *config_service_json(const struct config_service *service)
{
	const struct service_spec *spec = &service->spec;
	struct json_writer writer = writer_begin();

	writer_put(&writer, "listen", listen_json(spec));
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		writer_put(&writer, color_name(color),
			   color_json(&spec->colors[color], &service->policy.stop.commands[color]));
	writer_put(&writer, "on_empty",
		   json_string(spec->flags.pass_when_empty ? "pass" : "refuse"));
	writer_put(&writer, "affinity",
		   json_string(spec->flags.by_connection ? "connection" : "client"));
	put_policy(&writer, &service->policy);
	return writer_finish(&writer);
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
