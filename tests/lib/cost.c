/* SPDX-License-Identifier: GPL-2.0-only */
#include "cost.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "datapath/preview.h"
#include "sample.h"
#include "sockets.h"

#define SERVICES BGS_MAX_SERVICES
#define INSTANCES BGS_MAX_INSTANCES
#define PREVIEWS 100000

static const struct bgs_flags defaults = { .failover = 1 };

/* Ports: service i listens on 10000 + i; its instances are on 30000 and up. */
static void local_address(char text[32], unsigned int port)
{
	snprintf(text, 32, "127.0.0.1:%u", port);
}

static void add_service(struct fixture *fixture, unsigned int number, unsigned int instances,
			int *sockets)
{
	static unsigned int next_port = 30000;
	char name[32], listen[32], address[32];
	char blue[INSTANCES * 24] = "", green[32];

	snprintf(name, sizeof(name), "s%u", number);
	local_address(listen, 10000 + number);
	for (unsigned int i = 0; i < instances; i++) {
		local_address(address, next_port++);
		snprintf(blue + strlen(blue), sizeof(blue) - strlen(blue), "%s%s", i ? "," : "",
			 address);
	}
	/* One port each would run out; a green one that never listens can be anywhere. */
	snprintf(green, sizeof(green), "127.0.%u.%u:9", 1 + number / 250, 1 + number % 250);
	fixture_service(fixture, name, listen, blue, green, defaults);
	for (unsigned int i = 0; i < instances && sockets; i++) {
		local_address(address, next_port - instances + i);
		sockets[i] = listen_on(address, 0);
	}
}

static void add_previews(struct fixture *fixture, __u32 slot)
{
	struct preview *previews = calloc(PREVIEWS, sizeof(*previews));
	struct failure failure;

	for (unsigned int i = 0; i < PREVIEWS; i++) {
		/*
		 * 10.0.0.0/24 and on, with one host in each that gets another color: the
		 * client is asked for by its address first and then by its network.
		 */
		previews[i].color = i & 1;
		previews[i].network = (struct network){
			.family = BGS_V4,
			.bits = i & 1 ? 32 : 24,
			.address = { htonl(0x0a000000 + (i / 2 << 8) + (i & 1)) },
		};
	}
	if (previews_add(&fixture->datapath, slot, previews, PREVIEWS, &failure))
		errx(99, "%s", failure.what);
	free(previews);
}

struct measured {
	int program;
	char local[32];
	bool expects_socket;
};

static void measure(struct cost *cost, int round, const struct measured *measured,
		    unsigned int repeat)
{
	struct lookup_result result =
		fixture_lookup(measured->program, "10.1.2.3:50000", measured->local, 1);

	if (result.verdict != SK_PASS || !result.cookie == measured->expects_socket)
		errx(99, "%s: wrong answer (verdict %d)", cost->name, result.verdict);
	result = fixture_lookup(measured->program, "10.1.2.3:50000", measured->local, repeat);
	cost->nanoseconds[round] = result.nanoseconds;
}

void cost_measure(struct cost costs[COST_CASES], unsigned int repeat)
{
	static const char *const names[COST_CASES] = {
		[COST_EMPTY] = "empty program",
		[COST_SMALLEST] = "1 service, 1 instance",
		[COST_INSTANCES] = "1 service, 64 instances",
		[COST_SERVICES] = "1,024 services, 1 instance",
		[COST_LARGEST] = "1,024 services, 64 instances",
		[COST_PREVIEW] = "1,024 services, 1 instance, 100,000 preview networks",
	};
	struct fixture small, large;
	int one, many[2][INSTANCES];
	struct measured measured[COST_CASES];

	/* Two sets of maps in two namespaces; the programs are the same. */
	fixture_start(&large);
	add_service(&large, 0, INSTANCES, many[0]);
	add_service(&large, 1, 1, &one);
	add_service(&large, 2, 1, many[1]);
	for (unsigned int i = 3; i < SERVICES; i++)
		add_service(&large, i, 1, NULL);
	add_previews(&large, 2);
	fixture_start(&small);
	add_service(&small, 0, 1, &one);
	add_service(&small, 1, INSTANCES, many[0]);

	measured[COST_EMPTY] = (struct measured){ fixture_empty_program(), "127.0.0.1:9", false };
	measured[COST_SMALLEST] = (struct measured){ small.steer, "127.0.0.1:10000", true };
	measured[COST_INSTANCES] = (struct measured){ small.steer, "127.0.0.1:10001", true };
	measured[COST_SERVICES] = (struct measured){ large.steer, "127.0.0.1:10001", true };
	measured[COST_LARGEST] = (struct measured){ large.steer, "127.0.0.1:10000", true };
	measured[COST_PREVIEW] = (struct measured){ large.steer, "127.0.0.1:10002", true };
	for (int round = 0; round < COST_ROUNDS; round++) {
		for (int i = 0; i < COST_CASES; i++) {
			costs[i].name = names[i];
			measure(&costs[i], round, &measured[i], repeat);
		}
	}
	for (int i = 0; i < COST_CASES; i++)
		sample_sort(costs[i].nanoseconds, COST_ROUNDS);
	fixture_stop(&small);
	fixture_stop(&large);
}

double cost_median(const struct cost *cost)
{
	return sample_percentile(cost->nanoseconds, COST_ROUNDS, 50);
}
