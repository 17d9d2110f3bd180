/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/addresses.h"
#include "config/read.h"

static int read_top_attach(struct reader *reader, const yaml_node_t *node, const struct key *key,
			   void *target)
{
	(void)key;
	return read_attach(reader, node, target);
}

static int read_top_agent(struct reader *reader, const yaml_node_t *node, const struct key *key,
			  void *target)
{
	return read_agent(reader, node, field_at(target, key));
}

static int read_top_defaults(struct reader *reader, const yaml_node_t *node, const struct key *key,
			     void *target)
{
	(void)key, (void)target;
	return read_defaults(reader, node);
}

static const struct key top_keys[] = {
	{ "attach", read_top_attach, .where = 1 },
	{ "agent", read_top_agent, offsetof(struct config, agent), .where = 1 },
	{ "defaults", read_top_defaults, .where = 1 },
	{ "services", NULL, .where = 1 },
	{},
};

/* A file of comments, or of "---" alone, is one scalar without text. */
static bool is_empty(const yaml_node_t *root)
{
	return !root || (root->type == YAML_SCALAR_NODE && !root->data.scalar.length);
}

static int read_config(struct reader *reader, struct config *config)
{
	const yaml_node_t *root = reader_root(reader), *services;
	struct fields fields;
	size_t length;

	if (is_empty(root))
		return 0;
	if (fields_collect(reader, &fields, top_keys, ~0u, root) ||
	    fields_read(reader, &fields, config))
		return -1;
	services = fields_find(&fields, "services");
	if (!services)
		return 0;
	length = reader_enter(reader, "services");
	if (read_services(reader, services, fields_find(&fields, "defaults"), config))
		return -1;
	reader_leave(reader, length);
	return 0;
}

int config_parse(struct config **config, const char *text, size_t length, const char *name,
		 struct failure *failure)
{
	struct config *result = calloc(1, sizeof(*result));
	struct addresses addresses = {};
	struct reader reader;
	int err;

	if (!result)
		return failure_set(failure, EXIT_SYSTEM, "free some", "%s: out of memory", name);
	if (reader_open(&reader, text, length, name, failure)) {
		free(result);
		return -1;
	}
	reader.addresses = &addresses;
	err = read_config(&reader, result);
	addresses_free(&addresses);
	reader_close(&reader);
	if (err)
		config_free(result);
	else
		*config = result;
	return err;
}

/* Reads to the end, or one byte beyond the limit: config_parse() refuses that. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t count = read(fd, text + length, size - length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -1;
		if (!count)
			break;
		length += count;
	}
	return length;
}

int config_load(struct config **config, const char *path, struct failure *failure)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;
	char *text;
	int err;

	if (fd < 0)
		return failure_errno(failure, errno, "name a file that is there and may be read",
				     "cannot open %s", path);
	text = malloc(CONFIG_MAX_SIZE + 1);
	if (!text) {
		close(fd);
		return failure_set(failure, EXIT_SYSTEM, "free some", "%s: out of memory", path);
	}
	length = read_all(fd, text, CONFIG_MAX_SIZE + 1);
	if (length < 0)
		err = failure_errno(failure, errno, "name another file", "cannot read %s", path);
	else
		err = config_parse(config, text, length, path, failure);
	free(text);
	close(fd);
	return err;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->service_count; i++)
		policy_free(&config->services[i].policy);
	free(config->services);
	config_agent_free(&config->agent);
	free(config);
}
