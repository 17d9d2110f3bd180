/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

#include "words.h"

static const char *const names[] = {
	[CHECK_TCP] = "tcp",	     [CHECK_HTTP] = "http", [CHECK_HTTPS] = "https",
	[CHECK_COMMAND] = "command", [CHECK_NONE] = "none",
};

#define KINDS (sizeof(names) / sizeof(names[0]))

void check_init(struct check *check)
{
	*check = (struct check){
		.kind = CHECK_TCP,
		.interval_ms = 1000,
		.fast_interval_ms = 250,
		.timeout_ms = 2000,
		.rise = 2,
		.fall = 3,
	};
}

void check_free(struct check *check)
{
	free(check->method);
	free(check->path);
	free(check->host);
	for (size_t i = 0; i < check->header_count; i++) {
		free(check->headers[i].name);
		secret_free(&check->headers[i].value);
	}
	free(check->body_contains);
	free(check->body_regex);
	free(check->tls.ca);
	free(check->tls.certificate);
	free(check->tls.key);
	free(check->tls.server_name);
	words_free(check->command);
	check_init(check);
}

const char *check_kind_name(enum check_kind kind)
{
	return names[kind];
}

int check_kind_parse(const char *text)
{
	for (size_t kind = 0; kind < KINDS; kind++) {
		if (!strcmp(text, names[kind]))
			return (int)kind;
	}
	return -1;
}
