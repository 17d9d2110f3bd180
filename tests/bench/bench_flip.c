/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prints what a flip costs: the store in the kernel, and `bgswitch set --no-wait`
 * as a whole process. usage: bench_flip BGSWITCH
 */
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "lib/fixture.h"
#include "lib/sample.h"
#include "lib/sockets.h"

#define PROCESSES 300
#define ROUNDS 201
#define STORES 5000

static void print(const char *what, const char *unit, double *values, size_t count)
{
	sample_sort(values, count);
	printf("%-54s %8.2f %8.2f %8.2f  %s\n", what, sample_percentile(values, count, 50),
	       sample_percentile(values, count, 25), sample_percentile(values, count, 75), unit);
}

static enum bgs_color active(const struct fixture *fixture)
{
	struct bgs_service service;
	struct failure failure;
	__u32 slot;

	if (service_find(&fixture->datapath, NULL, &slot, &service, &failure))
		errx(99, "%s", failure.what);
	return service.route.active;
}

/* What bpf(2) costs with a program of the same type that does nothing. */
static int empty_program(void)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_SLEEPABLE);
	int fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "empty", "GPL", program, 2, &options);

	if (fd < 0)
		err(99, "empty program");
	return fd;
}

static double run_program(int program, __u32 slot)
{
	struct bgs_flip request = { .slot = slot };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &request, .ctx_size_in = sizeof(request));
	double begin = sample_now();

	for (int i = 0; i < STORES; i++) {
		request.route.active = i & 1;
		if (bpf_prog_test_run_opts(program, &run) || run.retval)
			err(99, "flip program");
	}
	return (sample_now() - begin) / STORES;
}

static void bench_store(const struct fixture *fixture, __u32 slot)
{
	double flips[ROUNDS], empty[ROUNDS], stores[ROUNDS];
	int nothing = empty_program();

	for (int round = 0; round < ROUNDS; round++) {
		empty[round] = run_program(nothing, slot);
		flips[round] = run_program(fixture->datapath.fds[PIN_FLIP], slot);
		stores[round] = flips[round] - empty[round];
	}
	if (active(fixture) != BGS_GREEN)
		errx(99, "the last store is not in the map");
	close(nothing);
	print("bpf(2) with an empty program", "ns", empty, ROUNDS);
	print("bpf(2) with the flip program", "ns", flips, ROUNDS);
	print("the flip itself: find the service, store 8 bytes", "ns", stores, ROUNDS);
}

static double run_process(char *const *arguments)
{
	extern char **environ;
	posix_spawn_file_actions_t quiet;
	double begin;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	begin = sample_now();
	if (posix_spawn(&pid, arguments[0], &quiet, NULL, arguments, environ) ||
	    waitpid(pid, &status, 0) != pid || status)
		errx(99, "%s %s failed", arguments[0], arguments[1]);
	posix_spawn_file_actions_destroy(&quiet);
	return (sample_now() - begin) / 1e6;
}

static void bench_process(const struct fixture *fixture, char *binary)
{
	double set[PROCESSES], version[PROCESSES];

	for (int i = 0; i < PROCESSES; i++) {
		enum bgs_color target = !active(fixture);
		char *arguments[] = { binary,	   "set", (char *)color_name(target),
				      "--no-wait", "-q",  NULL };

		set[i] = run_process(arguments);
		if (active(fixture) != target)
			errx(99, "set %s returned and did not flip", color_name(target));
		version[i] = run_process((char *[]){ binary, "version", "-q", NULL });
	}
	print("process: bgswitch set COLOR --no-wait", "ms", set, PROCESSES);
	print("process: bgswitch version", "ms", version, PROCESSES);
}

static void remove_run_dir(const char *run_dir)
{
	char lock[64];

	snprintf(lock, sizeof(lock), "%s/lock", run_dir);
	if (unlink(lock) || rmdir(run_dir))
		err(99, "%s", run_dir);
}

int main(int argc, char **argv)
{
	struct fixture fixture;
	char run_dir[] = "/tmp/bgswitch-bench-XXXXXX";
	__u32 slot;

	if (argc != 2)
		errx(1, "usage: %s BGSWITCH", argv[0]);
	fixture_start(&fixture);
	slot = fixture_service(&fixture, "web", "127.0.0.1:80", "127.0.0.1:8081", "127.0.0.1:8082",
			       (struct bgs_flags){});
	listen_on("127.0.0.1:8081", 0);
	listen_on("127.0.0.1:8082", 0);
	setenv("BGSWITCH_BPFFS", fixture.bpffs, 1);
	setenv("BGSWITCH_RUN_DIR", mkdtemp(run_dir), 1);
	printf("Flip: %d rounds of %d stores, %d processes\n%s\n\n", ROUNDS, STORES, PROCESSES,
	       sample_machine());
	printf("%-54s %8s %8s %8s\n", "", "median", "25%", "75%");
	bench_store(&fixture, slot);
	fflush(stdout);
	bench_process(&fixture, argv[1]);
	fixture_stop(&fixture);
	remove_run_dir(run_dir);
	return 0;
}
