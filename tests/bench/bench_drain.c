/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prints what it costs to look at the connections of a color, by how many there
 * are: gauges (what a drain waits with), the walk alone (what `conns` and resets
 * begin with), the proof of zero (what "safe to stop" takes), and what resetting
 * all of them takes. Every figure is of a result that was verified.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "datapath/connections.h"
#include "drain/acts.h"
#include "drain/drain.h"
#include "lib/fixture.h"
#include "lib/sample.h"

#define ROUNDS 10
#define PER_PROCESS 9000 /* connections; a process may have 20,000 files */
#define BACKLOG 1024

struct bench {
	struct fixture fixture;
	__u32 slot;
	int listener;
	size_t count; /* of connections */
	unsigned int holders; /* processes that have them */
	int end[2]; /* a pipe; closed: they are done */
};

static struct sockaddr_in address_of(unsigned int host, unsigned short port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(0x7f000000 | host) };
}

static int open_listener(void)
{
	const struct sockaddr_in address = address_of(1, 8081);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG))
		err(99, "listener");
	return fd;
}

static void connect_one(const struct bench *bench, unsigned int source_host)
{
	const struct sockaddr_in target = address_of(1, 80), source = address_of(source_host, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	/* Both ends stay open until the process ends. */
	if (setsockopt(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    bind(client, (const struct sockaddr *)&source, sizeof(source)) ||
	    connect(client, (const struct sockaddr *)&target, sizeof(target)) ||
	    accept4(bench->listener, NULL, NULL, SOCK_CLOEXEC) < 0)
		err(99, "connection");
}

/* A process that holds both ends of `count` connections, until `end` is closed. */
static void add_holder(struct bench *bench, size_t count)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		err(99, "pipe");
	if (!fork()) {
		close(bench->end[1]);
		for (size_t i = 0; i < count; i++)
			connect_one(bench, 256 + bench->holders);
		close(ready[1]);
		_exit((int)read(bench->end[0], &byte, 1));
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1))
		errx(99, "holder");
	close(ready[0]);
	bench->holders++;
	bench->count += count;
}

static void add_connections(struct bench *bench, size_t count)
{
	while (bench->count < count)
		add_holder(bench,
			   count - bench->count < PER_PROCESS ? count - bench->count : PER_PROCESS);
}

/* ---- what is measured: each returns how many connections it found */

static int note(const struct bgs_connection *connection, void *data)
{
	unsigned long long *held = data;

	*held += connection->kind == BGS_CONNECTION_HELD && connection->tag == BGS_TAGGED;
	return 0;
}

static unsigned long long walk(const struct bench *bench)
{
	unsigned long long held = 0;

	if (connections_each(&bench->fixture.datapath, note, &held))
		err(99, "walk");
	return held;
}

static unsigned long long count(const struct bench *bench)
{
	struct connection_counts counts;

	if (connections_count_color(&bench->fixture.datapath, bench->slot, BGS_BLUE, &counts))
		err(99, "gauges");
	return counts.established;
}

static unsigned long long prove(const struct bench *bench)
{
	struct connection_counts counts;
	struct failure failure;

	if (connections_prove(&bench->fixture.datapath, bench->slot, BGS_BLUE, &counts, &failure))
		errx(99, "%s", failure.what);
	return counts.established;
}

static const struct {
	const char *name;
	unsigned long long (*look)(const struct bench *bench);
} ways[] = {
	{ "gauges", count },
	{ "walk", walk },
	{ "proof", prove },
};

static void measure(const struct bench *bench, size_t way)
{
	double times[ROUNDS];

	for (int i = -1; i < ROUNDS; i++) {
		double begin = sample_now();
		unsigned long long found = ways[way].look(bench);

		if (found != bench->count)
			errx(99, "%s: %llu of %zu connections", ways[way].name, found,
			     bench->count);
		if (i >= 0) /* the first round warms up */
			times[i] = (sample_now() - begin) / 1e6;
	}
	sample_sort(times, ROUNDS);
	printf("%8zu  %-8s %10.2f %10.2f %10.2f\n", bench->count, ways[way].name,
	       sample_percentile(times, ROUNDS, 50), sample_percentile(times, ROUNDS, 25),
	       sample_percentile(times, ROUNDS, 75));
}

/* As a drain does at its deadline, without its pauses. */
static void measure_resets(const struct bench *bench)
{
	double begin = sample_now();
	unsigned long long sum = 0;
	unsigned int cut;

	do {
		struct failure failure;

		if (connections_cut(&bench->fixture.datapath, bench->slot, BGS_BLUE, DRAIN_ALL,
				    DRAIN_CUT_BATCH, &cut, &failure))
			errx(99, "%s", failure.what);
		sum += cut;
	} while (cut);
	if (sum != bench->count || count(bench))
		errx(99, "%llu of %zu connections were reset", sum, bench->count);
	printf("\nResetting all %zu, %u at a time: %.0f ms\n", bench->count, DRAIN_CUT_BATCH,
	       (sample_now() - begin) / 1e6);
}

int main(void)
{
	static const size_t sizes[] = { 0, 1000, 10000, 100000 };
	const size_t steps = sizeof(sizes) / sizeof(sizes[0]);
	struct bench bench = {};

	fixture_start(&bench.fixture);
	if (pipe2(bench.end, O_CLOEXEC))
		err(99, "pipe");
	bench.slot = fixture_service(&bench.fixture, "web", "127.0.0.1:80", "127.0.0.1:8081",
				     "127.0.0.1:8082", (struct bgs_flags){});
	bench.listener = open_listener();
	printf("Looking at the connections of a color: %d times each\n%s\n\n"
	       "%8s  %-8s %10s %10s %10s\n",
	       ROUNDS, sample_machine(), "", "", "ms", "25 %", "75 %");
	for (size_t i = 0; i < steps; i++) {
		add_connections(&bench, sizes[i]);
		for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++)
			measure(&bench, way);
	}
	measure_resets(&bench);
	close(bench.end[1]);
	while (wait(NULL) > 0)
		;
	close(bench.listener);
	fixture_stop(&bench.fixture);
	return 0;
}
