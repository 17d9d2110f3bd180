/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/addresses.h"
#include "config/read.h"
#include "duration.h"
#include "number.h"

#define AT(field) offsetof(struct config_service, field)

/* `where` in this chapter: in which mappings a key may stand. */
enum { IN_SERVICE = 1, IN_DEFAULTS = 2, IN_POLICY = 4 };

#define ANYWHERE (IN_SERVICE | IN_DEFAULTS | IN_POLICY)

static int read_listen_key(struct reader *reader, const yaml_node_t *node, const struct key *key,
			   void *target)
{
	(void)key;
	return read_listen(reader, node, target);
}

static int read_color_key(struct reader *reader, const yaml_node_t *node, const struct key *key,
			  void *target)
{
	return read_color(reader, node, color_parse(key->name), target);
}

static int read_stops(struct reader *reader, const yaml_node_t *node, const struct key *key,
		      void *target)
{
	return read_stop_commands(reader, node, field_at(target, key));
}

/* "2" or "50%". */
static int read_minimum(struct reader *reader, const yaml_node_t *node, const struct key *key,
			void *target)
{
	const char *text = reader_word(reader, node);
	struct minimum *minimum = field_at(target, key);
	char number[8];
	size_t length;

	if (!text)
		return -1;
	length = strlen(text);
	minimum->percent = text[length - 1] == '%';
	snprintf(number, sizeof(number), "%.*s", (int)(length < 7 ? length - minimum->percent : 7),
		 text);
	if (!number_parse(number, minimum->percent ? 100 : BGS_MAX_INSTANCES, &minimum->value) ||
	    !minimum->value)
		return reader_reject(reader, node,
				     "is not a number of instances or a share of them; allowed: "
				     "1..%d, 1%%..100%%",
				     BGS_MAX_INSTANCES);
	return 0;
}

static int read_failover(struct reader *reader, const yaml_node_t *node, const struct key *key,
			 void *target)
{
	static const char *const words[] = { "auto", "listener", "off", "on", NULL };
	enum failover_mode *mode = field_at(target, key);
	int choice = reader_choice(reader, node, words);

	if (choice < 0)
		return -1;
	*mode = failover_parse(words[choice]);
	return 0;
}

static int read_on_empty(struct reader *reader, const yaml_node_t *node, const struct key *key,
			 void *target)
{
	static const char *const words[] = { "refuse", "pass", NULL };
	__u8 *pass = field_at(target, key);
	int choice = reader_choice(reader, node, words);

	if (choice < 0)
		return -1;
	*pass = choice;
	return 0;
}

static int read_affinity(struct reader *reader, const yaml_node_t *node, const struct key *key,
			 void *target)
{
	static const char *const words[] = { "client", "connection", NULL };
	__u8 *by_connection = field_at(target, key);
	int choice = reader_choice(reader, node, words);

	if (choice < 0)
		return -1;
	*by_connection = choice;
	return 0;
}

static const struct key service_keys[] = {
	{ "listen", read_listen_key, .where = IN_SERVICE },
	{ "blue", read_color_key, .where = IN_SERVICE },
	{ "green", read_color_key, .where = IN_SERVICE },
	{ "check", NULL, .where = ANYWHERE },
	{ "min_healthy", read_minimum, AT(policy.min_healthy), .where = ANYWHERE },
	{ "failover", read_failover, AT(policy.failover), .where = ANYWHERE },
	{ "on_empty", read_on_empty, AT(spec.flags.pass_when_empty),
	  .where = IN_SERVICE | IN_DEFAULTS },
	{ "affinity", read_affinity, AT(spec.flags.by_connection),
	  .where = IN_SERVICE | IN_DEFAULTS },
	{ "soak", field_milliseconds, AT(policy.soak_ms), 0, DURATION_MAX_MS, ANYWHERE },
	{ "ready_timeout", field_milliseconds, AT(policy.ready_timeout_ms), 1, DURATION_MAX_MS,
	  ANYWHERE },
	{ "drain", NULL, .where = ANYWHERE },
	{ "keep_warm", field_milliseconds, AT(policy.stop.keep_warm_ms), 0, DURATION_MAX_MS,
	  ANYWHERE },
	{ "stop_timeout", field_milliseconds, AT(policy.stop.timeout_ms), 1, DURATION_MAX_MS,
	  ANYWHERE },
	/* In a file this stands with its color. */
	{ "stop", read_stops, AT(policy.stop), .where = IN_POLICY },
	{},
};

static int check_complete(struct reader *reader, const struct fields *fields,
			  const yaml_node_t *name)
{
	for (size_t i = 0; service_keys[i].name; i++) {
		if (service_keys[i].where == IN_SERVICE && !fields->values[i])
			return reader_fail(reader, name, "no '%s' given", service_keys[i].name);
	}
	return 0;
}

static int check_minimum(struct reader *reader, const struct fields *fields,
			 const struct config_service *service)
{
	const struct minimum *minimum = &service->policy.min_healthy;

	for (enum bgs_color color = 0; color < BGS_COLORS && !minimum->percent; color++) {
		size_t count = service->spec.colors[color].count;

		if (minimum->value <= count)
			continue;
		reader_enter(reader, "min_healthy");
		return reader_reject(reader, fields_find(fields, "min_healthy"),
				     "is more than %s has instances; allowed: 1..%zu",
				     color_name(color), count);
	}
	return 0;
}

/* A key that is a mapping itself: a service's own over that of the defaults. */
struct layers {
	const yaml_node_t *own, *defaults; /* NULL: not given */
};

static struct layers find_layers(const struct fields *fields, const struct fields *defaults,
				 const char *name)
{
	return (struct layers){
		.own = fields_is_own(fields, name) ? fields_find(fields, name) : NULL,
		.defaults = defaults ? fields_find(defaults, name) : NULL,
	};
}

/* `defaults` may be NULL. */
static int read_layered(struct reader *reader, const struct fields *fields,
			const struct fields *defaults, struct policy *policy)
{
	const struct layers check = find_layers(fields, defaults, "check"),
			    drain = find_layers(fields, defaults, "drain");
	size_t length = reader_enter(reader, "check");

	if ((check.own || check.defaults) &&
	    read_check(reader, check.own, check.defaults, &policy->check))
		return -1;
	reader_leave(reader, length);
	length = reader_enter(reader, "drain");
	if ((drain.own || drain.defaults) &&
	    read_drain(reader, drain.own, drain.defaults, &policy->drain))
		return -1;
	reader_leave(reader, length);
	return 0;
}

/* `service` is initialized, and its owner frees it after a failure, too. */
static int read_service(struct reader *reader, const yaml_node_t *name, const yaml_node_t *node,
			const yaml_node_t *defaults, struct config_service *service)
{
	struct fields fields, inherited;

	if (fields_collect(reader, &fields, service_keys, IN_SERVICE, node))
		return -1;
	if (defaults) {
		if (fields_collect(reader, &inherited, service_keys, IN_DEFAULTS, defaults))
			return -1;
		fields_inherit(&fields, &inherited);
	}
	if (check_complete(reader, &fields, name) || fields_read(reader, &fields, service) ||
	    read_layered(reader, &fields, defaults ? &inherited : NULL, &service->policy) ||
	    check_minimum(reader, &fields, service))
		return -1;
	service->spec.flags.failover = service->policy.failover != FAILOVER_OFF;
	return 0;
}

static int read_named_service(struct reader *reader, const yaml_node_pair_t *pair,
			      const yaml_node_t *defaults, struct config *config)
{
	const yaml_node_t *name = reader_node(reader, pair->key);
	const char *text = (const char *)name->data.scalar.value;
	struct config_service *service;
	struct failure reason;
	size_t length;

	if (service_name_check(text, &reason)) {
		reader_reject(reader, name, "cannot name a service");
		memcpy(reader->failure->next, reason.next, sizeof(reason.next));
		return -1;
	}
	service = &config->services[config->service_count++];
	policy_init(&service->policy);
	strcpy(service->spec.name, text);
	length = reader_enter(reader, text);
	if (read_service(reader, name, reader_node(reader, pair->value), defaults, service))
		return -1;
	reader_leave(reader, length);
	return 0;
}

int read_services(struct reader *reader, const yaml_node_t *node, const yaml_node_t *defaults,
		  struct config *config)
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;

	if (node->type != YAML_MAPPING_NODE)
		return reader_fail(reader, node, "expected a mapping ('NAME: ...'; {} for none)");
	_Static_assert(READER_MAX_ENTRIES <= BGS_MAX_SERVICES, "a mapping's limit is enough");
	config->services =
		calloc(node->data.mapping.pairs.top - pair + 1, sizeof(*config->services));
	if (!config->services)
		return reader_no_memory(reader);
	config->has_services = true;
	for (; pair < node->data.mapping.pairs.top; pair++) {
		if (read_named_service(reader, pair, defaults, config))
			return -1;
	}
	return addresses_check(reader);
}

int read_defaults(struct reader *reader, const yaml_node_t *node)
{
	struct config_service scratch = {};
	const yaml_node_t *check, *drain;
	struct fields fields;
	size_t length;

	policy_init(&scratch.policy);
	if (fields_collect(reader, &fields, service_keys, IN_DEFAULTS, node) ||
	    fields_read(reader, &fields, &scratch))
		return -1;
	check = fields_find(&fields, "check");
	length = reader_enter(reader, "check");
	if (check && read_check_defaults(reader, check))
		return -1;
	reader_leave(reader, length);
	drain = fields_find(&fields, "drain");
	length = reader_enter(reader, "drain");
	if (drain && read_drain(reader, drain, NULL, &scratch.policy.drain))
		return -1;
	reader_leave(reader, length);
	return 0;
}

int read_policy(struct reader *reader, const yaml_node_t *node, struct policy *policy)
{
	struct config_service service = {};
	struct fields fields;

	policy_init(&service.policy);
	if (fields_collect(reader, &fields, service_keys, IN_POLICY, node) ||
	    fields_read(reader, &fields, &service) ||
	    read_layered(reader, &fields, NULL, &service.policy)) {
		policy_free(&service.policy);
		return -1;
	}
	*policy = service.policy;
	return 0;
}
