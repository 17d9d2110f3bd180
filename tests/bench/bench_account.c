/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prints what it costs to count connections: CPU time of a connection over
 * loopback with one request and one answer (one process does all of it, packets
 * included), without counting, by sockops as bgswitch does, and by a tracepoint,
 * whose program is beside this one.
 */
#include <err.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/bgswitch.skel.h"
#include "datapath/connections.h"
#include "lib/fixture.h"
#include "lib/sample.h"
#include "lib/sockets.h"

#define ROUNDS 60
#define CONNECTIONS 4000 /* of a round */
#define REQUEST 100 /* bytes */
#define ANSWER 1000

enum way { NONE, SOCKOPS, TRACEPOINT, WAYS };

static const char *const names[WAYS] = { "not counted", "counted by sockops",
					 "counted by tp_btf/inet_sock_set_state" };

struct bench {
	struct fixture fixture;
	__u32 slot;
	int listener;
	int uncounted; /* `register` without counting */
	int counted;
	struct bpf_program *tracepoint;
};

static double cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/* The program that the fixture attached, once more, with counting on or off. */
static int load_register(const struct fixture *fixture, bool counts)
{
	struct bgswitch_bpf *skeleton = bgswitch_bpf__open();
	struct bpf_program *program;

	if (!skeleton)
		err(99, "BPF object");
	for (enum pin pin = 0; pin < PIN_MAPS; pin++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skeleton->obj, pin_name(pin));

		if (bpf_map__reuse_fd(map, fixture->datapath.fds[pin]))
			err(99, "map %s", pin_name(pin));
	}
	bpf_object__for_each_program (program, skeleton->obj)
		bpf_program__set_autoload(program, program == skeleton->progs.register_listeners);
	skeleton->rodata->counts_connections = counts;
	if (bgswitch_bpf__load(skeleton))
		err(99, "register program");
	/* The skeleton lives as long as the benchmark. */
	return bpf_program__fd(skeleton->progs.register_listeners);
}

static struct bpf_program *load_tracepoint(const struct fixture *fixture, const char *path)
{
	static const enum pin pins[] = { PIN_TAGS, PIN_CONNECTIONS };
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_map *map;

	if (!object)
		err(99, "%s", path);
	bpf_object__for_each_map(map, object)
	{
		for (size_t i = 0; i < 2; i++) {
			if (!strcmp(bpf_map__name(map), pin_name(pins[i])) &&
			    bpf_map__reuse_fd(map, fixture->datapath.fds[pins[i]]))
				err(99, "map %s", pin_name(pins[i]));
		}
	}
	if (bpf_object__load(object))
		err(99, "%s", path);
	return bpf_object__find_program_by_name(object, "account_tp");
}

static void say(int from, int to, size_t size)
{
	char bytes[ANSWER] = {};

	if (send(from, bytes, size, 0) != (ssize_t)size ||
	    recv(to, bytes, size, MSG_WAITALL) != (ssize_t)size)
		err(99, "connection");
}

static void connect_once(const struct bench *bench)
{
	static const struct linger reset = { 1, 0 };
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(80),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

	if (connect(client, (const struct sockaddr *)&address, sizeof(address)))
		err(99, "connect");
	server = accept(bench->listener, NULL, NULL);
	if (server < 0)
		err(99, "accept");
	say(client, server, REQUEST);
	say(server, client, ANSWER);
	close(server);
	/* No TIME_WAIT: ports would run out, and the wheel of timers would be measured. */
	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(client);
}

static unsigned long long counted(const struct bench *bench)
{
	struct bgs_connections *copies = calloc(libbpf_num_possible_cpus(), sizeof(*copies));
	const __u32 number = BGS_INSTANCE(bench->slot, BGS_BLUE, 0);
	unsigned long long opened = 0, ended = 0;

	if (bpf_map_lookup_elem(bench->fixture.datapath.fds[PIN_CONNECTIONS], &number, copies))
		err(99, "gauges");
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
		opened += copies[cpu].opened;
		ended += copies[cpu].ended;
	}
	free(copies);
	if (opened != ended)
		errx(99, "%llu connections opened and %llu ended", opened, ended);
	return opened;
}

/* CPU nanoseconds of a connection. What is timed is verified: all are counted, or none. */
static double round_of(const struct bench *bench, enum way way)
{
	struct bpf_link *link = NULL;
	unsigned long long before, expected = way == NONE ? 0 : CONNECTIONS;
	double begin, spent;

	if (bpf_link_update(bench->fixture.datapath.fds[PIN_REGISTER],
			    way == SOCKOPS ? bench->counted : bench->uncounted, NULL))
		err(99, "register link");
	if (way == TRACEPOINT) {
		link = bpf_program__attach(bench->tracepoint);
		if (!link)
			err(99, "tracepoint");
	}
	before = counted(bench);
	begin = cpu_now();
	for (int i = 0; i < CONNECTIONS; i++)
		connect_once(bench);
	spent = cpu_now() - begin;
	if (counted(bench) - before != expected)
		errx(99, "%s: %llu of %llu connections counted", names[way],
		     counted(bench) - before, expected);
	bpf_link__destroy(link);
	return spent / CONNECTIONS;
}

/* Nanoseconds that the program of `fd` ran for each of `connections`. */
static double program_time(int fd, void (*run)(const struct bench *bench),
			   const struct bench *bench)
{
	struct bpf_prog_info before = {}, after = {};
	__u32 size = sizeof(before);

	if (bpf_obj_get_info_by_fd(fd, &before, &size))
		err(99, "program");
	run(bench);
	size = sizeof(after);
	if (bpf_obj_get_info_by_fd(fd, &after, &size))
		err(99, "program");
	return (double)(after.run_time_ns - before.run_time_ns) / CONNECTIONS;
}

static void run_counted(const struct bench *bench)
{
	round_of(bench, SOCKOPS);
}

static void run_uncounted(const struct bench *bench)
{
	round_of(bench, NONE);
}

static void run_tracepoint(const struct bench *bench)
{
	round_of(bench, TRACEPOINT);
}

static void print_program_times(const struct bench *bench)
{
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	double none, sockops, tracepoint;

	if (stats < 0)
		err(99, "BPF statistics");
	none = program_time(bench->uncounted, run_uncounted, bench);
	sockops = program_time(bench->counted, run_counted, bench);
	tracepoint = program_time(bpf_program__fd(bench->tracepoint), run_tracepoint, bench);
	close(stats);
	printf("\nTime in programs for a connection (kernel.bpf_stats, whose clock is in it):\n"
	       "sockops %.0f ns more than without counting, tracepoint %.0f ns\n",
	       sockops - none, tracepoint);
}

static void print(double times[WAYS][ROUNDS])
{
	double ratios[ROUNDS];

	printf("%-42s %8s %8s %8s %8s %8s %8s\n", "", "ns", "25 %", "75 %", "ratio", "25 %",
	       "75 %");
	for (enum way way = NONE; way < WAYS; way++) {
		double sorted[ROUNDS];

		for (int i = 0; i < ROUNDS; i++)
			ratios[i] = times[way][i] / times[NONE][i];
		memcpy(sorted, times[way], sizeof(sorted));
		sample_sort(sorted, ROUNDS);
		sample_sort(ratios, ROUNDS);
		printf("%-42s %8.0f %8.0f %8.0f %8.3f %8.3f %8.3f\n", names[way],
		       sample_percentile(sorted, ROUNDS, 50), sample_percentile(sorted, ROUNDS, 25),
		       sample_percentile(sorted, ROUNDS, 75), sample_percentile(ratios, ROUNDS, 50),
		       sample_percentile(ratios, ROUNDS, 25),
		       sample_percentile(ratios, ROUNDS, 75));
	}
}

int main(int argc, char **argv)
{
	static double times[WAYS][ROUNDS];
	struct bench bench = {};
	char tracepoint[PATH_MAX];

	(void)argc;
	snprintf(tracepoint, sizeof(tracepoint), "%s/account_tp.bpf.o", dirname(argv[0]));
	fixture_start(&bench.fixture);
	bench.slot = fixture_service(&bench.fixture, "web", "127.0.0.1:80", "127.0.0.1:8081",
				     "127.0.0.1:8082", (struct bgs_flags){});
	bench.listener = listen_on("127.0.0.1:8081", 0);
	bench.uncounted = load_register(&bench.fixture, false);
	bench.counted = load_register(&bench.fixture, true);
	bench.tracepoint = load_tracepoint(&bench.fixture, tracepoint);
	printf("Counting connections: %d rounds of %d connections each way, in turn\n%s\n\n",
	       ROUNDS, CONNECTIONS, sample_machine());
	for (int i = -1; i < ROUNDS; i++) {
		for (int k = 0; k < WAYS; k++) { /* another one comes first each time */
			enum way way = (enum way)((k + i + 1) % WAYS);
			double spent = round_of(&bench, way);

			if (i >= 0) /* the first round warms up */
				times[way][i] = spent;
		}
	}
	print(times);
	print_program_times(&bench);
	close(bench.listener);
	fixture_stop(&bench.fixture);
	return 0;
}
