/* SPDX-License-Identifier: GPL-2.0-only */
/* The longest preview network a client is in, compared with the slow way to find it. */
#include <arpa/inet.h>
#include <stdio.h>

#include "datapath/preview.h"
#include "lib/stage.h"
#include "lib/test.h"

#define NETWORKS 3000
#define CLIENTS 10000

static const unsigned int widths[BGS_FAMILIES] = { [BGS_V4] = 32, [BGS_V6] = 128 };

/* Repeatable, and from few bits, so that networks nest and clients meet them. */
static unsigned int next_random(void)
{
	static __u64 seed = 1;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return seed >> 33;
}

static void random_address(__u8 address[16], enum bgs_family family)
{
	for (unsigned int i = 0; i < 16; i++)
		address[i] = i < widths[family] / 8 ? next_random() & 0x81 : 0;
}

/* In one of the networks for sure, for long prefixes are hard to meet by chance. */
static enum bgs_family random_client(const struct preview *previews, size_t count, __u8 client[16])
{
	const struct network *network = &previews[next_random() % count].network;
	const __u8 *begin = (const __u8 *)network->address;

	random_address(client, network->family);
	for (unsigned int bit = 0; bit < network->bits; bit++) {
		__u8 mask = 0x80 >> bit % 8;

		client[bit / 8] = (client[bit / 8] & ~mask) | (begin[bit / 8] & mask);
	}
	return network->family;
}

static void clear_bits_behind(__u8 address[16], unsigned int bits)
{
	for (unsigned int bit = bits; bit < 128; bit++)
		address[bit / 8] &= ~(0x80 >> bit % 8);
}

static struct preview random_preview(void)
{
	struct preview preview = { .color = next_random() & 1 };
	__u8 address[16];

	preview.network.family = next_random() & 1;
	preview.network.bits = next_random() % (widths[preview.network.family] + 1);
	random_address(address, preview.network.family);
	clear_bits_behind(address, preview.network.bits);
	memcpy(preview.network.address, address, sizeof(address));
	return preview;
}

static bool holds(const struct network *network, enum bgs_family family, const __u8 client[16])
{
	__u8 address[16];

	memcpy(address, client, sizeof(address));
	clear_bits_behind(address, network->bits);
	return network->family == family && !memcmp(address, network->address, sizeof(address));
}

/* What the color should be, the slow way; the last one of two that are the same counts. */
static int slow_color(const struct preview *previews, size_t count, enum bgs_family family,
		      const __u8 client[16])
{
	const struct preview *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (holds(&previews[i].network, family, client) &&
		    (!best || previews[i].network.bits >= best->network.bits))
			best = &previews[i];
	}
	return best ? (int)best->color : BGS_BLUE;
}

static void compare_with_the_slow_way(const struct stage *stage, const struct preview *previews,
				      size_t count)
{
	char address[INET6_ADDRSTRLEN], client[64];

	for (int i = 0; i < CLIENTS; i++) {
		__u8 bytes[16];
		enum bgs_family family = random_client(previews, count, bytes);
		int color;

		inet_ntop(family == BGS_V4 ? AF_INET : AF_INET6, bytes, address, sizeof(address));
		snprintf(client, sizeof(client), family == BGS_V4 ? "%s:5" : "[%s]:5", address);
		color = stage_lookup(stage, client, family == BGS_V4 ? "10.0.0.1:80" : "[::1]:80");
		assert_row(color == slow_color(previews, count, family, bytes), client);
	}
}

static size_t drop_all(struct preview *previews, size_t count, const struct network *network)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (memcmp(&previews[i].network, network, sizeof(*network)))
			previews[kept++] = previews[i];
	}
	return kept;
}

static void test_any_set_of_networks_is_found_as_by_the_slow_way(void **state)
{
	static struct preview previews[NETWORKS];
	struct stage *stage = *state;
	const struct datapath *datapath = &stage->fixture.datapath;
	size_t count = NETWORKS;
	struct failure failure;

	stage_web(stage, (struct bgs_flags){});
	for (size_t i = 0; i < NETWORKS; i++)
		previews[i] = random_preview();
	assert_int_equal(previews_add(datapath, stage->slot, previews, NETWORKS, &failure), 0);
	compare_with_the_slow_way(stage, previews, NETWORKS);
	for (int i = 0; i < 100; i++) {
		struct preview gone = previews[next_random() % count];

		assert_int_equal(previews_remove(datapath, stage->slot, &gone, 1, &failure), 0);
		count = drop_all(previews, count, &gone.network);
	}
	compare_with_the_slow_way(stage, previews, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_any_set_of_networks_is_found_as_by_the_slow_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
