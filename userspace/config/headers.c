/* SPDX-License-Identifier: GPL-2.0-only */
/* Header lines, with values that may be kept elsewhere. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/read.h"

/* What a value is never written out for: files are read by many, secrets are not. */
static const char *const confidential[] = { "Authorization", "Proxy-Authorization", "Cookie",
					    "X-Api-Key", "X-Auth-Token" };

#define MAX_NAME 256 /* keys of more than 1024 bytes cannot be read back from JSON */
#define CONFIDENTIAL (sizeof(confidential) / sizeof(confidential[0]))

static bool is_confidential(const char *name)
{
	for (size_t i = 0; i < CONFIDENTIAL; i++) {
		if (!strcasecmp(name, confidential[i]))
			return true;
	}
	return false;
}

static int read_source(struct reader *reader, const yaml_node_t *node, struct secret *secret,
		       enum secret_source source)
{
	const char *text = reader_word(reader, node);

	if (!text)
		return -1;
	secret->source = source;
	secret->text = strdup(text);
	return secret->text ? 0 : reader_no_memory(reader);
}

static int read_file(struct reader *reader, const yaml_node_t *node, const struct key *key,
		     void *target)
{
	struct secret *secret = target;

	(void)key;
	secret->source = SECRET_FILE;
	return reader_path(reader, node, &secret->text);
}

static int read_environment(struct reader *reader, const yaml_node_t *node, const struct key *key,
			    void *target)
{
	const char *name = reader_word(reader, node);

	(void)key;
	if (!name)
		return -1;
	if (isdigit((unsigned char)*name))
		return reader_reject(reader, node,
				     "cannot name a variable: it begins with a digit");
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && *name != '_')
			return reader_reject(reader, node,
					     "cannot name a variable; allowed: letters, digits, "
					     "'_'");
	}
	return read_source(reader, node, target, SECRET_ENVIRONMENT);
}

static int read_credential(struct reader *reader, const yaml_node_t *node, const struct key *key,
			   void *target)
{
	const char *name = reader_word(reader, node);

	(void)key;
	if (!name)
		return -1;
	if (strchr(name, '/') || *name == '.')
		return reader_reject(reader, node,
				     "cannot name a credential: it holds '/' or begins with '.'");
	return read_source(reader, node, target, SECRET_CREDENTIAL);
}

static const struct key sources[] = {
	{ "file", read_file, .where = 1 },
	{ "env", read_environment, .where = 1 },
	{ "credential", read_credential, .where = 1 },
	{},
};

static int read_value(struct reader *reader, const yaml_node_t *node, struct check_header *header)
{
	struct fields fields;

	if (node->type == YAML_SCALAR_NODE) {
		if (is_confidential(header->name))
			return reader_fail(reader, node,
					   "a secret does not belong into this file; give it by "
					   "file, env or credential");
		return read_source(reader, node, &header->value, SECRET_LITERAL);
	}
	if (fields_collect(reader, &fields, sources, ~0u, node))
		return -1;
	if (node->data.mapping.pairs.top - node->data.mapping.pairs.start != 1)
		return reader_fail(reader, node, "expected one of file, env, credential");
	return fields_read(reader, &fields, &header->value);
}

/* RFC 9110, 5.1: a token. */
static bool is_token(const char *text)
{
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
			return false;
	}
	return true;
}

static int check_name(struct reader *reader, const yaml_node_t *node,
		      const struct check_header *headers, size_t count)
{
	const char *name = reader_word(reader, node);

	if (!name)
		return -1;
	if (strlen(name) > MAX_NAME)
		return reader_reject(reader, node, "is longer than %d bytes", MAX_NAME);
	if (!is_token(name))
		return reader_reject(reader, node, "cannot name a header");
	if (!strcasecmp(name, "Host"))
		return reader_reject(reader, node, "is given by the key 'host'");
	for (size_t i = 0; i < count; i++) {
		if (!strcasecmp(name, headers[i].name))
			return reader_reject(reader, node, "is the header '%s' again",
					     headers[i].name);
	}
	return 0;
}

static int read_header(struct reader *reader, const yaml_node_pair_t *pair,
		       struct check_header *headers, size_t *count)
{
	const yaml_node_t *name = reader_node(reader, pair->key);
	struct check_header *header = &headers[*count];
	size_t length;

	if (check_name(reader, name, headers, *count))
		return -1;
	*header = (struct check_header){};
	header->name = strdup((const char *)name->data.scalar.value);
	if (!header->name)
		return reader_no_memory(reader);
	++*count; /* from here on the owner frees it */
	length = reader_enter(reader, header->name);
	if (read_value(reader, reader_node(reader, pair->value), header))
		return -1;
	reader_leave(reader, length);
	return 0;
}

int read_headers(struct reader *reader, const yaml_node_t *node, struct check_header *headers,
		 size_t *count)
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	size_t given;

	if (node->type != YAML_MAPPING_NODE)
		return reader_fail(reader, node, "expected a mapping ('Name: value')");
	given = node->data.mapping.pairs.top - pair;
	if (given > CHECK_MAX_HEADERS)
		return reader_fail(reader, node, "%zu headers; allowed: at most %d", given,
				   CHECK_MAX_HEADERS);
	for (; pair < node->data.mapping.pairs.top; pair++) {
		if (read_header(reader, pair, headers, count))
			return -1;
	}
	return 0;
}
