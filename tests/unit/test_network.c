/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/test.h"
#include "network.h"

static const struct {
	const char *text, *canonical;
	enum bgs_family family;
	unsigned int bits;
} accepted[] = {
	{ "10.0.0.0/8", "10.0.0.0/8", BGS_V4, 8 },
	{ "10.1.2.3", "10.1.2.3/32", BGS_V4, 32 },
	{ "10.1.2.3/32", "10.1.2.3/32", BGS_V4, 32 },
	{ "10.1.2.2/31", "10.1.2.2/31", BGS_V4, 31 },
	{ "255.255.255.254/31", "255.255.255.254/31", BGS_V4, 31 },
	{ "128.0.0.0/1", "128.0.0.0/1", BGS_V4, 1 },
	{ "0.0.0.0/0", "0.0.0.0/0", BGS_V4, 0 },
	{ "10.0.0.0/08", "10.0.0.0/8", BGS_V4, 8 },
	{ "2001:db8::/32", "2001:db8::/32", BGS_V6, 32 },
	{ "2001:db8:8000::/33", "2001:db8:8000::/33", BGS_V6, 33 },
	{ "2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65", BGS_V6, 65 },
	{ "2001:db8::8000:0/97", "2001:db8::8000:0/97", BGS_V6, 97 },
	{ "2001:db8::1", "2001:db8::1/128", BGS_V6, 128 },
	{ "2001:db8::fffe/127", "2001:db8::fffe/127", BGS_V6, 127 },
	{ "2001:db8:1:2::/64", "2001:db8:1:2::/64", BGS_V6, 64 },
	{ "::/0", "::/0", BGS_V6, 0 },
	{ "1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888/128",
	  BGS_V6, 128 },
};

static const struct {
	const char *text, *words;
} refused[] = {
	{ "", "'' is not a network" },
	{ "/8", "'/8' is not a network" },
	{ "blue", "'blue' is not a network" },
	{ "10.0.0/8", "'10.0.0/8' is not a network" },
	{ "10.0.0.0.0/8", "is not a network" },
	{ "256.0.0.0/8", "is not a network" },
	{ "[2001:db8::]/32", "is not a network" },
	{ " 10.0.0.0/8", "is not a network" },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/8", "is not a network" },
	{ "10.0.0.0/", "'' is not a prefix length (0..32)" },
	{ "10.0.0.0/33", "'33' is not a prefix length (0..32)" },
	{ "10.0.0.0/-1", "'-1' is not a prefix length" },
	{ "10.0.0.0/+8", "'+8' is not a prefix length" },
	{ "10.0.0.0/8/8", "'8/8' is not a prefix length" },
	{ "10.0.0.0/8x", "'8x' is not a prefix length" },
	{ "10.0.0.0/255.0.0.0", "is not a prefix length" },
	{ "10.0.0.0/4294967304", "is not a prefix length" },
	{ "10.0.0.0/18446744073709551624", "is not a prefix length" },
	{ "2001:db8::/129", "'129' is not a prefix length (0..128)" },
	{ "10.0.0.1/8", "10.0.0.1/8 has host bits set; the network is 10.0.0.0/8" },
	{ "10.1.2.3/31", "the network is 10.1.2.2/31" },
	{ "1.0.0.0/0", "the network is 0.0.0.0/0" },
	{ "128.0.0.1/1", "the network is 128.0.0.0/1" },
	{ "2001:db8::1/127", "the network is 2001:db8::/127" },
	{ "2001:db8:0:0:1::/64", "the network is 2001:db8::/64" },
	{ "8000::/0", "the network is ::/0" },
};

static void test_accepted_networks_are_formatted_canonically(void **state)
{
	char text[NETWORK_TEXT];

	(void)state;
	for (size_t i = 0; i < ROWS(accepted); i++) {
		struct failure failure = {};
		struct network network;
		int err = network_parse(&network, accepted[i].text, &failure);

		assert_string_equal(failure.what, "");
		assert_row(!err, accepted[i].text);
		assert_row(network.family == accepted[i].family, accepted[i].text);
		assert_row(network.bits == accepted[i].bits, accepted[i].text);
		assert_string_equal(network_format(text, &network), accepted[i].canonical);
	}
}

static void test_other_networks_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++) {
		struct failure failure;
		struct network network;

		assert_row(network_parse(&network, refused[i].text, &failure) == -1,
			   refused[i].text);
		assert_failure(failure, EXIT_USAGE, refused[i].words);
	}
}

static void test_ipv4_takes_only_the_first_word(void **state)
{
	struct failure failure;
	struct network network;

	(void)state;
	memset(&network, 0xff, sizeof(network));
	assert_int_equal(network_parse(&network, "10.1.0.0/16", &failure), 0);
	for (size_t word = 1; word < ROWS(network.address); word++)
		assert_int_equal(network.address[word], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted_networks_are_formatted_canonically),
		cmocka_unit_test(test_other_networks_are_refused_by_name),
		cmocka_unit_test(test_ipv4_takes_only_the_first_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
