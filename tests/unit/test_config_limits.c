/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes: the largest that is allowed, and one more. And texts that try to become large. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "lib/test.h"

/* A text that is put together. */
struct text {
	char *bytes;
	size_t length;
	FILE *stream;
};

static FILE *text_open(struct text *text)
{
	text->stream = open_memstream(&text->bytes, &text->length);
	assert_non_null(text->stream);
	return text->stream;
}

/* Parses it, frees it; NULL with `failure` if it was refused. */
static struct config *text_parse(struct text *text, struct failure *failure)
{
	struct config *config = NULL;

	fclose(text->stream);
	*failure = (struct failure){};
	if (config_parse(&config, text->bytes, text->length, "web.yaml", failure))
		assert_null(config);
	free(text->bytes);
	return config;
}

static void assert_taken(struct text *text)
{
	struct failure failure;
	struct config *config = text_parse(text, &failure);

	assert_string_equal(failure.what, "");
	config_free(config);
}

static void assert_refused(struct text *text, const char *words)
{
	struct failure failure;

	assert_null(text_parse(text, &failure));
	assert_failure(failure, EXIT_USAGE, words);
}

static void write_list(FILE *out, const char *before, unsigned int from, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "%s\"%s%u\"", i ? ", " : "[", before, from + i);
	fputc(']', out);
}

static void write_service(struct text *text, unsigned int listen, unsigned int blue,
			  unsigned int green)
{
	FILE *out = text_open(text);

	fputs("services:\n  web:\n    listen: ", out);
	write_list(out, "127.0.0.1:", 1000, listen);
	fputs("\n    blue: ", out);
	write_list(out, ":", 2000, blue);
	fputs("\n    green: ", out);
	write_list(out, ":", 3000, green);
	fputc('\n', out);
}

static void test_addresses_of_a_service(void **state)
{
	struct text text;

	(void)state;
	write_service(&text, BGS_MAX_LISTEN, BGS_MAX_INSTANCES, BGS_MAX_INSTANCES);
	assert_taken(&text);
	write_service(&text, BGS_MAX_LISTEN + 1, 1, 1);
	assert_refused(&text, "web.yaml:3:13: services.web.listen: 17 entries; allowed: 1..16");
	write_service(&text, 1, BGS_MAX_INSTANCES + 1, 1);
	assert_refused(&text, "services.web.blue: 65 entries; allowed: 1..64");
	write_service(&text, 1, 1, BGS_MAX_INSTANCES + 1);
	assert_refused(&text, "services.web.green: 65 entries; allowed: 1..64");
	fprintf(text_open(&text),
		"services: {web: {listen: [1,2,3,4,5,6,7,8,9], blue: 10, green: 11}}");
	assert_refused(&text, "web.yaml:1:43: services.web.listen: more than 16 addresses");
}

static void write_services(struct text *text, unsigned int count)
{
	FILE *out = text_open(text);

	fputs("services:\n", out);
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "  s%u: {listen: %u, blue: %u, green: %u}\n", i, 3 * i + 1, 3 * i + 2,
			3 * i + 3);
}

static void test_services_of_a_file(void **state)
{
	struct text text;

	(void)state;
	write_services(&text, BGS_MAX_SERVICES);
	assert_taken(&text);
	write_services(&text, BGS_MAX_SERVICES + 1);
	assert_refused(&text, "web.yaml:2:3: 1025 keys; allowed: at most 1024");
}

static const struct {
	const char *before, *item, *after;
	unsigned int most;
	const char *words;
} lists[] = {
	{ "attach: ", "eth", "\n", BGS_MAX_INTERFACES, "attach: 257 entries; allowed: 1..256" },
	{ "defaults: {check: {status: ", "", "}}\n", CHECK_MAX_STATUSES,
	  "defaults.check.status: 17 entries; allowed: 1..16" },
	{ "defaults: {check: {command: ", "/", "}}\n", CHECK_MAX_WORDS,
	  "defaults.check.command: 65 entries; allowed: 1..64" },
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(lists); i++) {
		for (unsigned int more = 0; more <= 1; more++) {
			struct text text;
			FILE *out = text_open(&text);

			fputs(lists[i].before, out);
			write_list(out, lists[i].item, 200, lists[i].most + more);
			fputs(lists[i].after, out);
			if (more)
				assert_refused(&text, lists[i].words);
			else
				assert_taken(&text);
		}
	}
}

static void write_headers(struct text *text, unsigned int count)
{
	FILE *out = text_open(text);

	fputs("agent:\n  webhooks:\n    url: http://a/\n    headers:\n", out);
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "      X-%u: \"%u\"\n", i, i);
}

static void test_headers(void **state)
{
	struct text text;

	(void)state;
	write_headers(&text, CHECK_MAX_HEADERS);
	assert_taken(&text);
	write_headers(&text, CHECK_MAX_HEADERS + 1);
	assert_refused(&text, "agent.webhooks.headers: 33 headers; allowed: at most 32");
}

static void write_webhooks(struct text *text, unsigned int count)
{
	FILE *out = text_open(text);

	fputs("agent:\n  webhooks:\n", out);
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "    - url: http://a/%u\n", i);
}

static void test_webhooks(void **state)
{
	struct text text;

	(void)state;
	write_webhooks(&text, CONFIG_MAX_WEBHOOKS);
	assert_taken(&text);
	write_webhooks(&text, CONFIG_MAX_WEBHOOKS + 1);
	assert_refused(&text, "agent.webhooks: 9 entries; allowed: 1..8");
}

static void write_long(struct text *text, const char *before, size_t length, const char *after)
{
	FILE *out = text_open(text);

	fputs(before, out);
	for (size_t i = 0; i < length; i++)
		fputc('a', out);
	fputs(after, out);
}

static void test_lengths(void **state)
{
	struct text text;

	(void)state;
	write_long(&text, "defaults: {check: {body: ", 4096, "}}");
	assert_taken(&text);
	write_long(&text, "defaults: {check: {body: ", 4097, "}}");
	assert_refused(&text, "web.yaml:1:26: longer than 4096 bytes");
	write_long(&text, "defaults: {check: {body_regex: ", 256, "}}");
	assert_taken(&text);
	write_long(&text, "defaults: {check: {body_regex: ", 257, "}}");
	assert_refused(&text, "is longer than 256 bytes");
	write_long(&text, "defaults: {check: {headers: {? ", 256, " : b}}}");
	assert_taken(&text);
	write_long(&text, "defaults: {check: {headers: {? ", 257, " : b}}}");
	assert_refused(&text, "is longer than 256 bytes");
	write_long(&text, "# ", CONFIG_MAX_SIZE - 2, "");
	assert_taken(&text);
	write_long(&text, "# ", CONFIG_MAX_SIZE - 1, "");
	assert_refused(&text, "web.yaml: larger than 4 MiB");
}

/* Ten lists of ten aliases each, ten levels deep, would be 10^10 values. */
static void test_aliases_do_not_multiply_without_end(void **state)
{
	struct text text;
	FILE *out = text_open(&text);

	(void)state;
	fputs("attach:\n  - &a0 x\n", out);
	for (unsigned int level = 1; level <= 10; level++) {
		fprintf(out, "  - &a%u [", level);
		for (unsigned int i = 0; i < 10; i++)
			fprintf(out, "%s*a%u", i ? ", " : "", level - 1);
		fputs("]\n", out);
	}
	assert_refused(&text, "more than 1000000 values, aliases counted each time");
}

static void write_anchors(struct text *text, unsigned int count)
{
	FILE *out = text_open(text);

	fputs("services:\n", out);
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "  s%u: {listen: %u, blue: %u, green: &a%u %u}\n", i, 3 * i + 1,
			3 * i + 2, i, 3 * i + 3);
}

static void test_anchors(void **state)
{
	struct text text;

	(void)state;
	write_anchors(&text, 1024);
	assert_taken(&text);
	write_anchors(&text, 1025);
	assert_refused(&text, "web.yaml:1026:44: more than 1024 anchors");
}

/* All that time could be spent on, at the size that is allowed. */
static const struct {
	const char *unit, *words;
} floods[] = {
	{ "[", "" },	      { "{", "" },	{ "- ", "" },  { "? ", "" },	 { "a: &a\n", "" },
	{ "- &a b\n", "" },   { "- *a\n", "" }, { "-\n", "" }, { "a: b\n", "" }, { "\"\\x", "" },
	{ "%TAG ! x\n", "" }, { "---\n", "" },	{ "[],", "" }, { "a,", "" },	 { "|\n", "" },
};

static void test_floods_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(floods); i++) {
		struct text text;
		FILE *out = text_open(&text);
		size_t count = CONFIG_MAX_SIZE / strlen(floods[i].unit);

		for (size_t k = 0; k < count; k++)
			fputs(floods[i].unit, out);
		assert_refused(&text, floods[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_of_a_service),
		cmocka_unit_test(test_services_of_a_file),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_webhooks),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_aliases_do_not_multiply_without_end),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_floods_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
