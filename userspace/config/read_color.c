/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a service listens, and its colors: their instances and what goes with them. */
#include <string.h>

#include "config/addresses.h"
#include "config/read.h"

/* Where the addresses of one key go. */
struct declaration {
	struct service_spec *spec;
	int color; /* -1: listen */
};

static int note(struct reader *reader, const yaml_node_t *node,
		const struct declaration *declaration, const struct bgs_endpoint *key)
{
	const struct address address = { .key = *key,
					 .service = declaration->spec->name,
					 .color = declaration->color,
					 .node = node };

	return addresses_add(reader->addresses, &address) ? reader_no_memory(reader) : 0;
}

static int parse_endpoint(struct reader *reader, const yaml_node_t *node, struct endpoint *endpoint)
{
	const char *text = reader_word(reader, node);
	char place[READER_PLACE + 1];

	if (!text)
		return -1;
	if (strlen(text) >= 2 * ENDPOINT_TEXT)
		return reader_reject(reader, node, "is not an address");
	reader_place(place, reader, &node->start_mark);
	strcat(place, ":");
	return endpoint_parse(endpoint, text, place, reader->failure);
}

/* A bare port is both wildcards, as with `service add`. */
static int read_listen_address(struct reader *reader, const yaml_node_t *node, void *data)
{
	const struct declaration *declaration = data;
	struct service_spec *spec = declaration->spec;
	struct endpoint endpoint;

	if (parse_endpoint(reader, node, &endpoint))
		return -1;
	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++) {
		struct bgs_endpoint *key = &spec->listen[spec->listen_count];

		if (spec->listen_count == BGS_MAX_LISTEN)
			return reader_fail(reader, node,
					   "more than %d addresses, of which a bare port is two",
					   BGS_MAX_LISTEN);
		*key = endpoint.any_family ? endpoint_wildcard(&endpoint.key, family)
					   : endpoint.key;
		spec->listen_count++;
		if (note(reader, node, declaration, key))
			return -1;
		if (!endpoint.any_family)
			break;
	}
	return 0;
}

static int read_instance(struct reader *reader, const yaml_node_t *node, void *data)
{
	const struct declaration *declaration = data;
	struct color_spec *color = &declaration->spec->colors[declaration->color];
	struct endpoint *endpoint = &color->instances[color->count];

	if (parse_endpoint(reader, node, endpoint))
		return -1;
	color->count++;
	if (!endpoint->any_family)
		return note(reader, node, declaration, &endpoint->key);
	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++) {
		const struct bgs_endpoint key = endpoint_wildcard(&endpoint->key, family);

		if (note(reader, node, declaration, &key))
			return -1;
	}
	return 0;
}

int read_listen(struct reader *reader, const yaml_node_t *node, struct config_service *service)
{
	struct declaration declaration = { &service->spec, -1 };

	return reader_list(reader, node, BGS_MAX_LISTEN, read_listen_address, &declaration);
}

/* Where the keys of one color go. */
struct color_target {
	enum bgs_color color;
	struct config_service *service;
};

static int read_instances(struct reader *reader, const yaml_node_t *node, const struct key *key,
			  void *target)
{
	const struct color_target *to = target;
	struct declaration declaration = { &to->service->spec, to->color };

	(void)key;
	return reader_list(reader, node, BGS_MAX_INSTANCES, read_instance, &declaration);
}

static int read_stop(struct reader *reader, const yaml_node_t *node, const struct key *key,
		     void *target)
{
	const struct color_target *to = target;

	(void)key;
	return read_command_line(reader, node, &to->service->policy.stop.commands[to->color]);
}

static const struct key color_keys[] = {
	{ "instances", read_instances, .where = 1 },
	{ "stop", read_stop, .where = 1 },
	{},
};

int read_color(struct reader *reader, const yaml_node_t *node, enum bgs_color color,
	       struct config_service *service)
{
	struct color_target target = { color, service };
	struct fields fields;

	if (node->type != YAML_MAPPING_NODE)
		return read_instances(reader, node, NULL, &target);
	if (fields_collect(reader, &fields, color_keys, ~0u, node))
		return -1;
	if (!fields_find(&fields, "instances"))
		return reader_fail(reader, node, "no 'instances' given");
	return fields_read(reader, &fields, &target);
}
