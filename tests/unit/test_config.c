/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that are fine: what they say, and how much they may say. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "lib/test.h"

/* A service but for its check, which is between the braces. */
#define WEB(check) "services: {web: {listen: 80, blue: 8081, green: 8082, check: {" check "}}}\n"

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct failure failure = {};

	if (config_parse(&config, text, strlen(text), "web.yaml", &failure))
		fail_msg("%s", failure.what);
	assert_non_null(config);
	return config;
}

static const char *const nothing[] = { "",
				       "\n",
				       "# a comment\n",
				       "---\n",
				       "--- # x\n...\n",
				       "{}\n",
				       "\xef\xbb\xbf# with a mark of order\n" };

static void test_an_empty_file_configures_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(nothing); i++) {
		struct config *config = parse(nothing[i]);

		assert_row(!config->has_attach && !config->has_services, nothing[i]);
		assert_row(!config->attach_count && !config->service_count, nothing[i]);
		assert_row(!config->agent.log && !config->agent.webhook_count, nothing[i]);
		config_free(config);
	}
}

static const struct {
	const char *text;
	size_t count;
	const char *first;
} attachments[] = {
	{ "attach: []\n", 0, "" },
	{ "attach: eth0\n", 1, "eth0" },
	{ "attach: all\n", 1, "all" },
	{ "attach: [eth0, wg-1]\n", 2, "eth0" },
	{ "attach:\n- abcdefghijklmno\n", 1, "abcdefghijklmno" },
};

static void test_interfaces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(attachments); i++) {
		struct config *config = parse(attachments[i].text);

		assert_row(config->has_attach, attachments[i].text);
		assert_row(config->attach_count == attachments[i].count, attachments[i].text);
		assert_string_equal(config->attach[0], attachments[i].first);
		config_free(config);
	}
}

/* A whole service as JSON: one row shows every value that is not the default. */
static const struct {
	const char *text, *json;
} services[] = {
	{ WEB(""), "{'type': 'tcp'}" },
	{ WEB("path: /"), "{'type': 'http'}" },
	{ WEB("path: /x?a=1, method: HEAD, host: 'a:1'"),
	  "{'type': 'http', 'method': 'HEAD', 'path': '/x?a=1', 'host': 'a:1'}" },
	{ WEB("tls: {}"), "{'type': 'https'}" },
	{ WEB("tls: {insecure: on, key: /k, certificate: /c}"),
	  "{'type': 'https', 'tls': {'certificate': '/c', 'key': '/k', 'insecure': true}}" },
	{ WEB("type: https, status: 200"), "{'type': 'https', 'status': [200]}" },
	{ WEB("type: http, status: [200-299]"), "{'type': 'http'}" },
	{ WEB("path: /, status: [100-599, 404]"), "{'type': 'http', 'status': ['100-599', 404]}" },
	{ WEB("command: /bin/true"), "{'type': 'command', 'command': ['/bin/true']}" },
	{ WEB("command: [/bin/sh, -c, '']"),
	  "{'type': 'command', 'command': ['/bin/sh', '-c', '']}" },
	{ WEB("type: none"), "{'type': 'none'}" },
	{ WEB("rise: 1, fall: 100, timeout: 1ms"),
	  "{'type': 'tcp', 'timeout': '1ms', 'rise': 1, 'fall': 100}" },
	{ WEB("interval: 100ms"), /* shorter than the usual fast interval */
	  "{'type': 'tcp', 'interval': '100ms', 'fast_interval': '100ms'}" },
	{ WEB("interval: 1h, fast_interval: 10ms"),
	  "{'type': 'tcp', 'interval': '1h', 'fast_interval': '10ms'}" },
	{ WEB("path: /, redirects: 10, body: 'a: b', body_regex: '^[0-9]{3}$'"),
	  "{'type': 'http', 'redirects': 10, 'body': 'a: b', 'body_regex': '^[0-9]{3}$'}" },
	{ WEB("path: /, headers: {A: b, Cookie: {env: C_1}, d: {file: /e}, f: {credential: g}}"),
	  "{'type': 'http', 'headers': {'A': 'b', 'Cookie': {'env': 'C_1'}, 'd': {'file': '/e'}, "
	  "'f': {'credential': 'g'}}}" },
};

static json_t *from_quotes(const char *text)
{
	char *copy = strdup(text);
	json_t *object;

	for (char *quote = copy; (quote = strchr(quote, '\''));)
		*quote = '"';
	object = json_loads(copy, 0, NULL);
	assert_non_null(object);
	free(copy);
	return object;
}

static void assert_check(const char *text, size_t service, const char *expected)
{
	struct config *config = parse(text);
	json_t *object = config_service_json(&config->services[service]);
	json_t *check = from_quotes(expected);
	char *found = json_dumps(json_object_get(object, "check"), 0);

	if (!json_equal(json_object_get(object, "check"), check))
		fail_msg("%s is read as %s", text, found);
	free(found);
	json_decref(check);
	json_decref(object);
	config_free(config);
}

static void test_checks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(services); i++)
		assert_check(services[i].text, 0, services[i].json);
}

#define OVER(defaults, check) "defaults: {check: {" defaults "}}\n" WEB(check)

static const struct {
	const char *text, *json;
} merges[] = {
	{ OVER("path: /d", ""), "{'type': 'http', 'path': '/d'}" },
	{ OVER("rise: 5, fall: 6", "fall: 7"), "{'type': 'tcp', 'rise': 5, 'fall': 7}" },
	{ OVER("path: /d, body: x", "path: /s"), "{'type': 'http', 'path': '/s', 'body': 'x'}" },
	/* What is of no use for the type is left aside. */
	{ OVER("path: /d, body: x", "type: tcp"), "{'type': 'tcp'}" },
	{ OVER("path: /d, rise: 5", "type: none"), "{'type': 'none'}" },
	{ OVER("body: x", ""), "{'type': 'tcp'}" },
	{ OVER("path: /d, tls: {ca: /c}", "command: /bin/true"),
	  "{'type': 'command', 'command': ['/bin/true']}" },
	{ OVER("command: /bin/true", "path: /s"), "{'type': 'http', 'path': '/s'}" },
	{ OVER("tls: {ca: /c}", "path: /s"),
	  "{'type': 'https', 'path': '/s', 'tls': {'ca': '/c'}}" },
	{ OVER("type: https", "path: /s"), "{'type': 'https', 'path': '/s'}" },
	/* Taken as a whole. */
	{ OVER("path: /, headers: {A: 1, B: 2}", "headers: {B: 3}"),
	  "{'type': 'http', 'headers': {'B': '3'}}" },
	/* A default gives way to the interval that was chosen. */
	{ OVER("interval: 10s, fast_interval: 5s", "interval: 1s"),
	  "{'type': 'tcp', 'fast_interval': '1s'}" },
};

static void test_checks_over_defaults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(merges); i++)
		assert_check(merges[i].text, 0, merges[i].json);
}

static void test_a_service_has_the_defaults_but_for_what_it_says(void **state)
{
	struct config *config =
		parse("defaults: {soak: 0, min_healthy: 50%, failover: off,\n"
		      "  on_empty: pass, affinity: connection, ready_timeout: 1m}\n"
		      "services:\n"
		      "  a: {listen: 80, blue: 81, green: 82}\n"
		      "  b: {listen: 90, blue: 91, green: 92, soak: 1s, failover: on,\n"
		      "      on_empty: refuse, min_healthy: 1}\n");
	const struct config_service *a = &config->services[0], *b = &config->services[1];

	(void)state;
	assert_int_equal(config->service_count, 2);
	assert_string_equal(a->spec.name, "a");
	assert_int_equal(a->policy.soak_ms, 0);
	assert_int_equal(a->policy.ready_timeout_ms, 60000);
	assert_int_equal(a->policy.min_healthy.value, 50);
	assert_true(a->policy.min_healthy.percent);
	assert_int_equal(a->policy.failover, FAILOVER_OFF);
	assert_int_equal(a->spec.flags.failover, 0);
	assert_int_equal(a->spec.flags.pass_when_empty, 1);
	assert_int_equal(a->spec.flags.by_connection, 1);
	assert_string_equal(b->spec.name, "b");
	assert_int_equal(b->policy.soak_ms, 1000);
	assert_int_equal(b->policy.ready_timeout_ms, 60000);
	assert_int_equal(b->policy.min_healthy.value, 1);
	assert_false(b->policy.min_healthy.percent);
	assert_int_equal(b->policy.failover, FAILOVER_AUTO);
	assert_int_equal(b->spec.flags.failover, 1);
	assert_int_equal(b->spec.flags.pass_when_empty, 0);
	assert_int_equal(b->spec.flags.by_connection, 1);
	config_free(config);
}

static void test_addresses(void **state)
{
	struct config *config =
		parse("services: {web: {listen: [\":80\", \"[::1]:443\"],\n"
		      "  blue: 8081, green: [127.0.0.1:8081, \"[2001:db8::1]:1\"]}}\n");
	const struct service_spec *spec = &config->services[0].spec;
	static const char *const listen[] = { "0.0.0.0:80", "[::]:80", "[::1]:443" };
	char text[ENDPOINT_TEXT];

	(void)state;
	assert_int_equal(spec->listen_count, ROWS(listen));
	for (size_t i = 0; i < ROWS(listen); i++)
		assert_string_equal(endpoint_format(text, &spec->listen[i], false), listen[i]);
	assert_int_equal(spec->colors[BGS_BLUE].count, 1);
	assert_true(spec->colors[BGS_BLUE].instances[0].any_family);
	assert_int_equal(spec->colors[BGS_GREEN].count, 2);
	assert_false(spec->colors[BGS_GREEN].instances[0].any_family);
	assert_string_equal(endpoint_format(text, &spec->colors[BGS_GREEN].instances[1].key, false),
			    "[2001:db8::1]:1");
	config_free(config);
}

static void test_the_agent(void **state)
{
	struct config *config = parse("agent:\n"
				      "  operators: wheel\n"
				      "  readers: adm\n"
				      "  log: /var/log/x\n"
				      "  webhooks:\n"
				      "    - url: https://a.example/\n"
				      "      headers: {Authorization: {file: /t}, X: y}\n"
				      "      ca: /ca\n"
				      "    - {url: \"http://b.example:1/?x@y\"}\n");
	const struct config_agent *agent = &config->agent;

	(void)state;
	assert_string_equal(agent->operators, "wheel");
	assert_string_equal(agent->readers, "adm");
	assert_string_equal(agent->log, "/var/log/x");
	assert_int_equal(agent->webhook_count, 2);
	assert_string_equal(agent->webhooks[0].url, "https://a.example/");
	assert_string_equal(agent->webhooks[0].ca, "/ca");
	assert_int_equal(agent->webhooks[0].header_count, 2);
	assert_string_equal(agent->webhooks[0].headers[0].name, "Authorization");
	assert_int_equal(agent->webhooks[0].headers[0].value.source, SECRET_FILE);
	assert_string_equal(agent->webhooks[0].headers[0].value.text, "/t");
	assert_int_equal(agent->webhooks[0].headers[1].value.source, SECRET_LITERAL);
	assert_string_equal(agent->webhooks[1].url, "http://b.example:1/?x@y");
	assert_null(agent->webhooks[1].ca);
	config_free(config);
}

static void test_aliases_stand_for_what_they_name(void **state)
{
	(void)state;
	assert_check("services:\n"
		     "  a: {listen: 80, blue: 81, green: 82, check: &c {path: /x}}\n"
		     "  b: {listen: 90, blue: 91, green: 92, check: *c}\n",
		     1, "{'type': 'http', 'path': '/x'}");
}

/* The examples that are shipped: the file itself, and every block of the document. */
static char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, CONFIG_MAX_SIZE);

	assert_non_null(text);
	if (!file)
		fail_msg("%s is not there; run this at the top of the source tree", path);
	*length = fread(text, 1, CONFIG_MAX_SIZE - 1, file);
	fclose(file);
	return text;
}

static void test_the_example_file_is_read(void **state)
{
	struct failure failure = {};
	struct config *config;

	(void)state;
	if (config_load(&config, "dist/bgswitch.yaml", &failure))
		fail_msg("%s", failure.what);
	assert_int_equal(config->service_count, 1);
	assert_int_equal(config->services[0].policy.check.kind, CHECK_HTTP);
	config_free(config);
}

static void test_documented_examples_are_read(void **state)
{
	static const char begin[] = "```yaml\n", end[] = "```";
	struct failure failure = {};
	size_t length, count = 0;
	char *text = read_file("docs/configuration.md", &length);

	(void)state;
	for (char *block = text; (block = strstr(block, begin)); count++) {
		struct config *config;

		block += strlen(begin);
		if (config_parse(&config, block, strstr(block, end) - block, "example", &failure))
			fail_msg("%s", failure.what);
		assert_true(config->service_count > 0);
		config_free(config);
		block = strstr(block, end) + 1;
	}
	assert_int_equal(count, 4);
	free(text);
}

static void test_a_file_that_is_not_there(void **state)
{
	struct config *config = NULL;
	struct failure failure;

	(void)state;
	assert_int_equal(config_load(&config, "/nonexistent/x.yaml", &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "/nonexistent/x.yaml: No such file");
	assert_int_equal(config_load(&config, "/", &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "cannot read /: Is a directory");
	assert_null(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_file_configures_nothing),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_checks_over_defaults),
		cmocka_unit_test(test_a_service_has_the_defaults_but_for_what_it_says),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_the_agent),
		cmocka_unit_test(test_aliases_stand_for_what_they_name),
		cmocka_unit_test(test_the_example_file_is_read),
		cmocka_unit_test(test_documented_examples_are_read),
		cmocka_unit_test(test_a_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
