/* SPDX-License-Identifier: GPL-2.0-only */
/* What is not about services: interfaces, and the agent itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/read.h"

#define AT(structure, field) offsetof(struct structure, field)

static int read_interface(struct reader *reader, const yaml_node_t *node, void *data)
{
	const char *name = reader_word(reader, node);
	struct config *config = data;

	if (!name)
		return -1;
	/* dev_valid_name() in net/core/dev.c */
	if (strlen(name) >= BGS_IFNAME_SIZE || strpbrk(name, "/: ") || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return reader_reject(reader, node, "cannot name an interface");
	for (size_t i = 0; i < config->attach_count; i++) {
		if (!strcmp(config->attach[i], name))
			return reader_reject(reader, node, "is named twice");
	}
	strcpy(config->attach[config->attach_count++], name);
	return 0;
}

int read_attach(struct reader *reader, const yaml_node_t *node, struct config *config)
{
	config->has_attach = true;
	if (node->type == YAML_SEQUENCE_NODE &&
	    node->data.sequence.items.start == node->data.sequence.items.top)
		return 0; /* none, and said so */
	return reader_list(reader, node, BGS_MAX_INTERFACES, read_interface, config);
}

/* What may hold a secret is not shown in messages. */
static int read_url(struct reader *reader, const yaml_node_t *node, const struct key *key,
		    void *target)
{
	const char *text = reader_word(reader, node);
	char **url = field_at(target, key);
	size_t scheme;

	if (!text)
		return -1;
	scheme = !strncasecmp(text, "https://", 8) ? 8 : !strncasecmp(text, "http://", 7) ? 7 : 0;
	if (!scheme || !text[scheme] || text[scheme] == '/')
		return reader_fail(reader, node, "not a URL of the form https://HOST/PATH");
	for (const char *byte = text; *byte; byte++) {
		if (*byte <= ' ' || *byte > '~')
			return reader_fail(reader, node,
					   "holds a character that has to be written as %%XX");
	}
	if (memchr(text + scheme, '@', strcspn(text + scheme, "/?#")))
		return reader_fail(reader, node,
				   "a password does not belong into a URL; give it as a header by "
				   "file, env or credential");
	*url = strdup(text);
	return *url ? 0 : reader_no_memory(reader);
}

static int read_webhook_headers(struct reader *reader, const yaml_node_t *node,
				const struct key *key, void *target)
{
	struct config_webhook *webhook = target;

	(void)key;
	return read_headers(reader, node, webhook->headers, &webhook->header_count);
}

static const struct key webhook_keys[] = {
	{ "url", read_url, AT(config_webhook, url), .where = 1 },
	{ "headers", read_webhook_headers, .where = 1 },
	{ "ca", field_path, AT(config_webhook, ca), .where = 1 },
	{},
};

static int read_webhook(struct reader *reader, const yaml_node_t *node, void *data)
{
	struct config_agent *agent = data;
	struct config_webhook *webhook = &agent->webhooks[agent->webhook_count++];

	if (fields_read_all(reader, webhook_keys, node, webhook))
		return -1;
	return webhook->url ? 0 : reader_fail(reader, node, "no 'url' given");
}

static int read_webhooks(struct reader *reader, const yaml_node_t *node, const struct key *key,
			 void *target)
{
	(void)key;
	return reader_list(reader, node, CONFIG_MAX_WEBHOOKS, read_webhook, target);
}

static const struct key agent_keys[] = {
	{ "operators", field_word, AT(config_agent, operators), .where = 1 },
	{ "readers", field_word, AT(config_agent, readers), .where = 1 },
	{ "log", field_path, AT(config_agent, log), .where = 1 },
	{ "webhooks", read_webhooks, .where = 1 },
	{},
};

int read_agent(struct reader *reader, const yaml_node_t *node, struct config_agent *agent)
{
	return fields_read_all(reader, agent_keys, node, agent);
}

static void webhook_free(struct config_webhook *webhook)
{
	free(webhook->url);
	for (size_t i = 0; i < webhook->header_count; i++) {
		free(webhook->headers[i].name);
		secret_free(&webhook->headers[i].value);
	}
	free(webhook->ca);
}

void config_agent_free(struct config_agent *agent)
{
	free(agent->operators);
	free(agent->readers);
	free(agent->log);
	for (size_t i = 0; i < agent->webhook_count; i++)
		webhook_free(&agent->webhooks[i]);
}
