/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#include "endpoint.h"
#include "lib/test.h"

static const struct {
	const char *text, *canonical;
	bool v4, any_family, wildcard;
} accepted[] = {
	{ "80", ":80", .any_family = true, .wildcard = true },
	{ ":80", ":80", .any_family = true, .wildcard = true },
	{ "1", ":1", .any_family = true, .wildcard = true },
	{ "1.2.3.4:80", "1.2.3.4:80", .v4 = true },
	{ "0.0.0.0:80", "0.0.0.0:80", .v4 = true, .wildcard = true },
	{ "255.255.255.255:65535", "255.255.255.255:65535", .v4 = true },
	{ "[::]:80", "[::]:80", .wildcard = true },
	{ "[::1]:80", "[::1]:80" },
	{ "[::ffff]:80", "[::ffff]:80" },
	{ "[2001:DB8:0:0::1]:8080", "[2001:db8::1]:8080" },
	{ "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
	  "[1111:2222:3333:4444:5555:6666:7777:8888]:65535" },
	/* An IPv4 client is one, however its address is written. */
	{ "[::ffff:1.2.3.4]:80", "1.2.3.4:80", .v4 = true },
	{ "[::ffff:0.0.0.0]:80", "0.0.0.0:80", .v4 = true, .wildcard = true },
};

static const struct {
	const char *text, *words;
} refused[] = {
	{ "", "'' is not a port" },
	{ ":", "'' is not a port" },
	{ "http", "'http' is not a port" },
	{ "80x", "'80x' is not a port" },
	{ "-1", "'-1' is not a port" },
	{ "+80", "'+80' is not a port" },
	{ " 80", "' 80' is not a port" },
	{ "0x50", "'0x50' is not a port" },
	{ "0", "port 0" },
	{ "1.2.3.4:0", "port 0" },
	{ "65536", "'65536' is not a port" },
	{ "18446744073709551696", "is not a port" },
	{ "1.2.3.4", "is not a port" },
	{ "1.2.3.4:", "'' is not a port" },
	{ "1.2.3:80", "'1.2.3' is not an IP address" },
	{ "1.2.3.256:80", "'1.2.3.256' is not an IP address" },
	{ "1.2.3.04:80", "'1.2.3.04' is not an IP address" },
	{ "localhost:80", "'localhost' is not an IP address" },
	{ "::1:80", "'::1' is not an IP address" },
	{ "[::1:80", "is not an IP address" },
	{ "::1]:80", "is not an IP address" },
	{ "[]:80", "is not an IP address" },
	{ "[::1]]:80", "is not an IP address" },
	{ "[1.2.3.4]:80", "is not an IP address" },
	{ "[::1]80", "is not a port" },
	{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:80", "is not an IP address" },
	{ "1111111111222222222233333333334444444444555555555566666666667777:80",
	  "is not an IP address" },
};

static void test_accepted_addresses_are_formatted_canonically(void **state)
{
	char text[ENDPOINT_TEXT];

	(void)state;
	for (size_t i = 0; i < ROWS(accepted); i++) {
		struct endpoint endpoint;
		struct failure failure = {};
		int err = endpoint_parse(&endpoint, accepted[i].text, "--listen", &failure);

		assert_string_equal(failure.what, "");
		assert_row(!err, accepted[i].text);
		assert_row(endpoint.any_family == accepted[i].any_family, accepted[i].text);
		assert_row(endpoint_is_v4(&endpoint.key) == accepted[i].v4, accepted[i].text);
		assert_row(endpoint_is_wildcard(&endpoint.key) == accepted[i].wildcard,
			   accepted[i].text);
		assert_string_equal(endpoint_format(text, &endpoint.key, endpoint.any_family),
				    accepted[i].canonical);
	}
}

static void test_other_addresses_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++) {
		struct endpoint endpoint;
		struct failure failure;

		assert_row(endpoint_parse(&endpoint, refused[i].text, "--blue", &failure) == -1,
			   refused[i].text);
		assert_failure(failure, EXIT_USAGE, refused[i].words);
		assert_contains(failure.what, "--blue ");
		assert_contains(failure.what, refused[i].text);
	}
}

static struct bgs_endpoint parse(const char *text)
{
	struct endpoint endpoint;
	struct failure failure;

	assert_int_equal(endpoint_parse(&endpoint, text, "", &failure), 0);
	return endpoint.key;
}

static void test_wildcard_keeps_only_the_port(void **state)
{
	struct bgs_endpoint key = parse("10.1.2.3:81"), wildcard;

	(void)state;
	key.kind = BGS_COVERED;
	wildcard = endpoint_wildcard(&key, BGS_V4);
	key = parse("0.0.0.0:81");
	assert_memory_equal(&wildcard, &key, sizeof(key));
	wildcard = endpoint_wildcard(&key, BGS_V6);
	key = parse("[::]:81");
	assert_memory_equal(&wildcard, &key, sizeof(key));
}

static void test_order_is_family_address_port(void **state)
{
	static const char *const sorted[] = { "0.0.0.0:80",    "9.0.0.0:80", "10.0.0.0:80",
					      "10.0.0.0:256",  "[::]:80",    "[::1]:80",
					      "[2001:db8::]:1" };
	struct bgs_endpoint keys[ROWS(sorted)];
	char text[ENDPOINT_TEXT];

	(void)state;
	for (size_t i = 0; i < ROWS(sorted); i++)
		keys[i] = parse(sorted[ROWS(sorted) - 1 - i]);
	qsort(keys, ROWS(keys), sizeof(keys[0]), endpoint_compare);
	for (size_t i = 0; i < ROWS(sorted); i++)
		assert_string_equal(endpoint_format(text, &keys[i], false), sorted[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted_addresses_are_formatted_canonically),
		cmocka_unit_test(test_other_addresses_are_refused_by_name),
		cmocka_unit_test(test_wildcard_keeps_only_the_port),
		cmocka_unit_test(test_order_is_family_address_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
