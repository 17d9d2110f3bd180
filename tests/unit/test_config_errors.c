/* SPDX-License-Identifier: GPL-2.0-only */
/* Every mistake is told with its line, column, key and value. */
#include <stdio.h>

#include "config/config.h"
#include "lib/test.h"

#define WEB "services:\n  web:\n    listen: 80\n    blue: 8081\n    green: 8082\n"

static const struct {
	const char *text, *message; /* after the file's name */
} mistakes[] = {
	{ "servicse: {}\n", "1:1: unknown key 'servicse'; did you mean 'services'? Allowed: "
			    "attach, agent, defaults, services" },
	{ "- a\n", "1:1: expected a mapping ('key: value')" },
	{ "hello\n", "1:1: expected a mapping ('key: value')" },
	{ "services:\n", "1:10: services: expected a mapping ('NAME: ...'; {} for none)" },
	{ "services: []\n", "1:11: services: expected a mapping ('NAME: ...'; {} for none)" },
	{ "services:\n  web:\n", "2:7: services.web: expected a mapping ('key: value')" },
	{ "services: {web: {}}\n", "1:12: services.web: no 'listen' given" },
	{ "services: {web: {listen: 80, blue: 81}}\n", "1:12: services.web: no 'green' given" },
	{ "services: {9web: {}}\n", "1:12: services: '9web' cannot name a service" },
	{ "services: {blue: {}}\n", "1:12: services: 'blue' cannot name a service" },
	{ "services: {a-name-of-more-than-thirty-one-bytes: {}}\n",
	  "1:12: services: 'a-name-of-more-than-thirty-one-bytes' cannot name a service" },
	{ "attach: a/b\n", "1:9: attach: 'a/b' cannot name an interface" },
	{ "attach: [eth0, eth1, eth0]\n", "1:22: attach: 'eth0' is named twice" },
	{ "attach: {eth0: 1}\n", "1:9: attach: expected a single value, found a mapping" },
	{ "attach: abcdefghijklmnop\n",
	  "1:9: attach: 'abcdefghijklmnop' cannot name an interface" },
	{ "attach:\n", "1:8: attach: no value given" },
	{ "agent: {log: bgswitch.log}\n",
	  "1:14: agent.log: 'bgswitch.log' is not a path that begins with '/'" },
	{ "agent: {operators: \"\"}\n", "1:20: agent.operators: no value given" },
	{ "agent:\n  webhooks:\n    - url: ftp://example.org/\n",
	  "3:12: agent.webhooks.url: not a URL of the form https://HOST/PATH" },
	{ "agent:\n  webhooks:\n    - url: https://me:secret@example.org/\n",
	  "3:12: agent.webhooks.url: a password does not belong into a URL; give it as a header by "
	  "file, env or credential" },
	{ "agent:\n  webhooks:\n    - url: https://example.org/a b\n",
	  "3:12: agent.webhooks.url: holds a character that has to be written as %XX" },
	{ "agent:\n  webhooks:\n    - ca: /etc/ca.pem\n", "3:7: agent.webhooks: no 'url' given" },
	{ "agent:\n  webhooks:\n    - url: https://example.org/\n      headers: {Authorization: "
	  "Bearer hunter2}\n",
	  "4:32: agent.webhooks.headers.Authorization: a secret does not belong into this file; "
	  "give it by file, env or credential" },
	{ "agent:\n  webhooks: []\n", "2:13: agent.webhooks: 0 entries; allowed: 1..8" },
	{ "defaults: {listen: 80}\n",
	  "1:12: defaults: unknown key 'listen'; allowed: check, min_healthy, failover, on_empty, "
	  "affinity, soak, ready_timeout, drain, keep_warm, stop_timeout" },
	{ "defaults: {soak: soon}\n", "1:18: defaults.soak: 'soon' is not a length of time" },
	{ "defaults: {check: {rise: 0}}\n",
	  "1:26: defaults.check.rise: '0' is out of range; allowed: 1..100" },
	{ "defaults: {check: {risee: 1}}\n",
	  "1:20: defaults.check: unknown key 'risee'; did you mean 'rise'? Allowed: type, method, "
	  "path, host, headers, status, body, body_regex, redirects, tls, command, interval, "
	  "fast_interval, timeout, rise, fall" },
	{ "defaults: {check: {interval: 1s, fast_interval: 2s}}\n",
	  "1:49: defaults.check.fast_interval: '2s' is longer than the interval" },
	{ WEB "    risee: 2\n",
	  "6:5: services.web: unknown key 'risee'; allowed: listen, blue, green, check, "
	  "min_healthy, failover, on_empty, affinity, soak, ready_timeout, drain, keep_warm, "
	  "stop_timeout" },
	{ WEB "    listen: 81\n", "6:5: key 'listen' is given twice; first in line 3" },
	{ WEB "    soak: 60\n", "6:11: services.web.soak: '60' is not a length of time" },
	{ WEB "    soak: 31d\n", "6:11: services.web.soak: '31d' is not a length of time" },
	{ WEB "    soak: 721h\n", "6:11: services.web.soak: '721h' is longer than 30 days" },
	{ WEB "    ready_timeout: 0\n",
	  "6:20: services.web.ready_timeout: '0' is out of range; allowed: 1ms..720h" },
	{ WEB "    failover: sometimes\n",
	  "6:15: services.web.failover: 'sometimes' is unknown; allowed: auto, listener, off, on" },
	{ WEB "    on_empty: drop\n",
	  "6:15: services.web.on_empty: 'drop' is unknown; allowed: refuse, pass" },
	{ WEB "    affinity: [client]\n",
	  "6:15: services.web.affinity: expected a single value, found a list" },
	{ WEB "    min_healthy: 0\n", "6:18: services.web.min_healthy: '0' is not a number of "
				      "instances or a share of them; allowed: 1..64, 1%..100%" },
	{ WEB "    min_healthy: 101%\n",
	  "6:18: services.web.min_healthy: '101%' is not a number of instances or a share of them; "
	  "allowed: 1..64, 1%..100%" },
	{ WEB "    min_healthy: 50.5%\n",
	  "6:18: services.web.min_healthy: '50.5%' is not a number of instances or a share of "
	  "them; allowed: 1..64, 1%..100%" },
	{ WEB "    min_healthy: 2\n",
	  "6:18: services.web.min_healthy: '2' is more than blue has instances; allowed: 1..1" },
	{ WEB "    check: http\n", "6:12: services.web.check: expected a mapping ('key: value')" },
	{ WEB "    check:\n      type: udp\n", "7:13: services.web.check.type: 'udp' is unknown; "
					       "allowed: tcp, http, https, command, none" },
	{ WEB "    check:\n      rise: two\n",
	  "7:13: services.web.check.rise: 'two' is not a whole number; allowed: 1..100" },
	{ WEB "    check:\n      fall: 101\n",
	  "7:13: services.web.check.fall: '101' is out of range; allowed: 1..100" },
	{ WEB "    check:\n      fall: -1\n",
	  "7:13: services.web.check.fall: '-1' is not a whole number; allowed: 1..100" },
	{ WEB "    check:\n      body: ok\n", "7:7: services.web.check: 'body' does not fit a "
					      "check of type tcp; is a 'type' missing?" },
	{ WEB "    check:\n      type: https\n      command: [/bin/true]\n",
	  "8:7: services.web.check: 'command' does not fit a check of type https" },
	{ WEB "    check:\n      type: command\n",
	  "7:13: services.web.check: a check of type command needs a 'command'" },
	{ WEB "    check:\n      type: none\n      rise: 1\n",
	  "8:7: services.web.check: 'rise' does not fit a check of type none" },
	{ WEB "    check:\n      path: healthz\n",
	  "7:13: services.web.check.path: 'healthz' is not a path that begins with '/'" },
	{ WEB "    check:\n      path: \"/a b\"\n",
	  "7:13: services.web.check.path: '/a b' holds a character that has to be written as %XX" },
	{ WEB "    check:\n      path: \"/a\\r\\nX: y\"\n",
	  "7:13: holds the character U+000D, which is not allowed" },
	{ WEB "    check:\n      path: /\n      host: \"a b\"\n",
	  "8:13: services.web.check.host: 'a b' holds a character that is not allowed here; "
	  "allowed: letters, digits, -_.:[]" },
	{ WEB "    check:\n      path: /\n      method: \"GET /\"\n",
	  "8:15: services.web.check.method: 'GET /' holds a character that is not allowed here; "
	  "allowed: letters, digits, -_" },
	{ WEB "    check:\n      path: /\n      headers: [a, b]\n",
	  "8:16: services.web.check.headers: expected a mapping ('Name: value')" },
	{ WEB "    check:\n      path: /\n      headers: {\"X Y\": 1}\n",
	  "8:17: services.web.check.headers: 'X Y' cannot name a header" },
	{ WEB "    check:\n      path: /\n      headers: {host: a}\n",
	  "8:17: services.web.check.headers: 'host' is given by the key 'host'" },
	{ WEB "    check:\n      path: /\n      headers: {X-A: 1, x-a: 2}\n",
	  "8:25: services.web.check.headers: 'x-a' is the header 'X-A' again" },
	{ WEB "    check:\n      path: /\n      headers: {Cookie: a=b}\n",
	  "8:25: services.web.check.headers.Cookie: a secret does not belong into this file; give "
	  "it by file, env or credential" },
	{ WEB "    check:\n      path: /\n      headers: {x-api-key: hunter2}\n",
	  "8:28: services.web.check.headers.x-api-key: a secret does not belong into this file; "
	  "give it by file, env or credential" },
	{ WEB "    check:\n      path: /\n      headers: {X-A: {file: token}}\n",
	  "8:29: services.web.check.headers.X-A.file: 'token' is not a path that begins with '/'" },
	{ WEB "    check:\n      path: /\n      headers: {X-A: {env: A-B}}\n",
	  "8:28: services.web.check.headers.X-A.env: 'A-B' cannot name a variable; allowed: "
	  "letters, digits, '_'" },
	{ WEB "    check:\n      path: /\n      headers: {X-A: {credential: ../x}}\n",
	  "8:35: services.web.check.headers.X-A.credential: '../x' cannot name a credential: it "
	  "holds '/' or begins with '.'" },
	{ WEB "    check:\n      path: /\n      headers: {X-A: {vault: x}}\n",
	  "8:23: services.web.check.headers.X-A: unknown key 'vault'; allowed: file, env, "
	  "credential" },
	{ WEB "    check:\n      path: /\n      headers: {X-A: {file: /x, env: X}}\n",
	  "8:22: services.web.check.headers.X-A: expected one of file, env, credential" },
	{ WEB "    check:\n      path: /\n      headers: {X-A: \"a\\nb\"}\n",
	  "8:22: services.web.check.headers.X-A: 'a?b' holds a tab or a line break" },
	{ WEB "    check:\n      path: /\n      status: ok\n",
	  "8:15: services.web.check.status: 'ok' is not a status or a range of them; allowed: "
	  "100..599, as in 200 or 200-299" },
	{ WEB "    check:\n      path: /\n      status: [200, 299-200]\n",
	  "8:21: services.web.check.status: '299-200' is not a status or a range of them; allowed: "
	  "100..599, as in 200 or 200-299" },
	{ WEB "    check:\n      path: /\n      status: 99\n",
	  "8:15: services.web.check.status: '99' is not a status or a range of them; allowed: "
	  "100..599, as in 200 or 200-299" },
	{ WEB "    check:\n      path: /\n      status: 200-600\n",
	  "8:15: services.web.check.status: '200-600' is not a status or a range of them; allowed: "
	  "100..599, as in 200 or 200-299" },
	{ WEB "    check:\n      path: /\n      status: []\n",
	  "8:15: services.web.check.status: 0 entries; allowed: 1..16" },
	{ WEB "    check:\n      path: /\n      redirects: 11\n",
	  "8:18: services.web.check.redirects: '11' is out of range; allowed: 0..10" },
	{ WEB "    check:\n      path: /\n      body: \"\"\n",
	  "8:13: services.web.check.body: no value given" },
	{ WEB "    check:\n      path: /\n      body_regex: \"(ok\"\n",
	  "8:19: services.web.check.body_regex: '(ok' is not an extended regular expression: "
	  "Unmatched ( or \\(" },
	{ WEB "    check:\n      path: /\n      body_regex: \"((a{100}){100}){100}\"\n",
	  "8:19: services.web.check.body_regex: '((a{100}){100}){100}' repeats more than 1000 "
	  "times, all taken together" },
	{ WEB "    check:\n      path: /\n      body_regex: '(a)\\1'\n",
	  "8:19: services.web.check.body_regex: '(a)\\1' refers back to a group, which is slow to "
	  "match" },
	{ WEB "    check:\n      tls: {ca: ca.pem}\n",
	  "7:17: services.web.check.tls.ca: 'ca.pem' is not a path that begins with '/'" },
	{ WEB "    check:\n      tls: {key: /etc/key.pem}\n",
	  "7:12: services.web.check.tls: a key without a certificate; give both" },
	{ WEB "    check:\n      tls: {insecure: maybe}\n",
	  "7:23: services.web.check.tls.insecure: 'maybe' is unknown; allowed: false, true, no, "
	  "yes, off, on" },
	{ WEB "    check:\n      command: [true]\n",
	  "7:17: services.web.check.command: 'true' is not a path that begins with '/'" },
	{ WEB "    check:\n      command: []\n",
	  "7:16: services.web.check.command: 0 entries; allowed: 1..64" },
	{ WEB "    check:\n      interval: 5ms\n",
	  "7:17: services.web.check.interval: '5ms' is out of range; allowed: 10ms..1h" },
	{ WEB "    check:\n      interval: 2h\n",
	  "7:17: services.web.check.interval: '2h' is out of range; allowed: 10ms..1h" },
	{ WEB "    check:\n      interval: 100ms\n      fast_interval: 200ms\n",
	  "8:22: services.web.check.fast_interval: '200ms' is longer than the interval" },
	{ "services:\n  web: {listen: 0, blue: 1, green: 2}\n",
	  "2:17: services.web.listen: 0: port 0 names no port" },
	{ "services:\n  web: {listen: [], blue: 1, green: 2}\n",
	  "2:17: services.web.listen: 0 entries; allowed: 1..16" },
	{ "services:\n  web: {listen: localhost:80, blue: 1, green: 2}\n",
	  "2:17: services.web.listen: localhost:80: 'localhost' is not an IP address" },
	{ "services:\n  web: {listen: [80, \"[::]:80\"], blue: 1, green: 2}\n",
	  "2:22: services.web.listen: [::]:80 is a listen address of web already, in line 2; give "
	  "each its own" },
	{ "services:\n  web: {listen: 80, blue: [1, 2], green: [3, 2]}\n",
	  "2:46: services.web.green: 0.0.0.0:2 is an instance of web.blue already, in line 2; give "
	  "each its own" },
	{ "services:\n  web: {listen: 80, blue: 0.0.0.0:80, green: 2}\n",
	  "2:27: services.web.blue: 0.0.0.0:80 is a listen address of web already, in line 2; give "
	  "each its own" },
	{ "services:\n  a: {listen: 80, blue: 81, green: 82}\n  b: {listen: \"1.2.3.4:90\", blue: "
	  "91, green: \"[::]:81\"}\n",
	  "3:46: services.b.green: [::]:81 is an instance of a.blue already, in line 2; give each "
	  "its own" },
	{ "services:\n  a: {listen: 80, blue: 81, green: 82}\n  b: {listen: 0.0.0.0:80, blue: 91, "
	  "green: 92}\n",
	  "3:15: services.b.listen: 0.0.0.0:80 is a listen address of a already, in line 2; give "
	  "each its own" },
	{ "services:\n  a: {listen: 80, blue: 81, green: 82}\n  b: {listen: 82, blue: 91, green: "
	  "92}\n",
	  "3:15: services.b.listen: 0.0.0.0:82 is an instance of a.green already, in line 2; give "
	  "each its own" },
	{ "attach: eth0\nattach: eth1\n", "2:1: key 'attach' is given twice; first in line 1" },
	{ "attach: eth0\n---\nattach: eth1\n", "3:1: a second document; only one is read" },
	{ "attach: [eth0\n",
	  "2:1: did not find expected ',' or ']' (while parsing a flow sequence, line 1)" },
	{ "attach: eth0\n\tb: c\n", "2:1: found a tab character that violates indentation (while "
				    "scanning a plain scalar, line 1)" },
	{ "attach: &a [*a]\n", "1:9: an alias leads back to where it is" },
	{ "attach: *a\n", "1:9: found undefined alias" },
	{ "defaults: &d {soak: 1s}\nservices:\n  web:\n    <<: *d\n",
	  "4:5: merge keys ('<<') are not read; use 'defaults:' for what services share" },
	{ "attach: !!int 5\n", "1:9: tags ('!...') are not read; leave it out" },
	{ "%TAG !a! b\n--- {}\n", "1:1: tags are not read; leave it out" },
	{ "? [a]\n: b\n", "1:3: a key has to be a text" },
	{ "attach: \"eth\\0\"\n", "1:9: holds the character U+0000, which is not allowed" },
	{ "attach: \"eth\\e[2J\"\n", "1:9: holds the character U+001B, which is not allowed" },
	{ "attach: \"\\u2028\"\n", "1:9: holds the character U+2028, which is not allowed" },
	{ "attach: [[[[[[[[[[[[[[[[[eth0]]]]]]]]]]]]]]]]]\n",
	  "1:24: nested deeper than 16 levels" },
	{ "attach: \"\303\251\\u00fc\"\nx: 1\n",
	  "2:1: unknown key 'x'; allowed: attach, agent, defaults, services" },
};

static void test_mistakes_are_told_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(mistakes); i++) {
		struct config *config = NULL;
		struct failure failure = {};
		char expected[sizeof(failure.what)];

		snprintf(expected, sizeof(expected), "web.yaml:%s", mistakes[i].message);
		assert_row(config_parse(&config, mistakes[i].text, strlen(mistakes[i].text),
					"web.yaml", &failure) == -1,
			   mistakes[i].text);
		assert_string_equal(failure.what, expected);
		assert_int_equal(failure.code, EXIT_USAGE);
		assert_true(*failure.next);
		assert_null(config);
	}
}

/* Bytes that a string constant of C cannot hold, or that YAML itself refuses. */
static const struct {
	const char *text;
	size_t length;
	const char *message;
} bytes[] = {
	{ "attach: a\0b\n", 12, "web.yaml:1:10: a NUL byte; this is no text" },
	{ "a: b\n\0", 6, "web.yaml:2:1: a NUL byte; this is no text" },
	{ "a: \xc3\xa9\n b\xff\n", 10, "web.yaml:2:3: invalid leading UTF-8 octet" },
	{ "a: \xc3", 4, "web.yaml:1:4: incomplete UTF-8 octet sequence" },
	{ "a: \xed\xa0\x80\n", 7, "web.yaml:1:4: invalid Unicode character" },
	{ "a: \x1b[2J\n", 8, "web.yaml:1:4: control characters are not allowed" },
	/* UTF-16 is not guessed. */
	{ "\xff\xfe"
	  "a\0:\0",
	  6, "web.yaml:1:4: a NUL byte; this is no text" },
};

static void test_what_is_no_text_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(bytes); i++) {
		struct config *config = NULL;
		struct failure failure = {};

		assert_int_equal(
			config_parse(&config, bytes[i].text, bytes[i].length, "web.yaml", &failure),
			-1);
		assert_string_equal(failure.what, bytes[i].message);
		assert_int_equal(failure.code, EXIT_USAGE);
	}
}

static void test_a_value_is_shown_in_part_and_defused(void **state)
{
	static const char text[] = "attach: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				   "aaaaaaaaaaaaa\\u00e9\\ttail\"\n";
	struct config *config;
	struct failure failure;
	char name[600];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(config_parse(&config, text, strlen(text), name, &failure), -1);
	assert_contains(failure.what, "nnn:1:9: attach: 'aaa");
	assert_contains(failure.what, "aaa...' holds a tab or a line break");
	assert_null(strstr(failure.what, "\xc3"));
}

static void test_a_secret_is_not_repeated(void **state)
{
	static const char *const texts[] = {
		WEB "    check: {path: /, headers: {Authorization: hunter2}}\n",
		"agent: {webhooks: {url: \"https://me:hunter2@example.org/\"}}\n",
		"agent: {webhooks: {url: \"hunter2\"}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(texts); i++) {
		struct config *config;
		struct failure failure;

		assert_int_equal(
			config_parse(&config, texts[i], strlen(texts[i]), "web.yaml", &failure),
			-1);
		assert_null(strstr(failure.what, "hunter2"));
		assert_null(strstr(failure.next, "hunter2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes_are_told_with_their_place),
		cmocka_unit_test(test_what_is_no_text_is_refused),
		cmocka_unit_test(test_a_value_is_shown_in_part_and_defused),
		cmocka_unit_test(test_a_secret_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
