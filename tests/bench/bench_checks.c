/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * 10,000 HTTP checks a second of one nginx: the agent's and HAProxy's, in turn,
 * on the same work; CPU, memory and punctuality. Then an agent that has almost
 * nothing to do.
 * usage: bench_checks BGSWITCH [CHECKS]
 */
#include <err.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/client.h"
#include "lib/contest.h"
#include "lib/sample.h"

#define CHECKS 10000
#define ROUNDS 3
#define WARM_UP_S 4
#define ROUND_S 6
#define IDLE_S 20
#define OF_SERVICE 100 /* checks: 50 instances of each color */
#define LISTEN_PORT 20000 /* of the first service */
#define TOLERANCE 0.02 /* of the rate */

/* What a system did in a round. */
struct round {
	double cpu_us, rate; /* of one check; checks a second, as the server counted them */
	double memory_mib;
};

/* What only our own side knows. */
struct punctuality {
	long long checks, late, failed;
};

/* Each check has an address of its own; nginx listens on all of them. */
static void print_address(FILE *file, int number)
{
	fprintf(file, "127.1.%d.%d:%d", number / 250, 1 + number % 250, CONTEST_PORT);
}

static void write_haproxy(int checks)
{
	FILE *file = contest_create("haproxy.cfg");

	fprintf(file, "global\n nbthread 1\n maxconn 2000\n spread-checks 5\n"
		      "defaults\n mode http\n timeout connect 2s\n timeout server 2s\n"
		      " timeout client 2s\n timeout check 2s\n"
		      "backend all\n option httpchk GET /\n http-check expect status 200-299\n");
	for (int i = 0; i < checks; i++) {
		fprintf(file, " server s%d ", i);
		print_address(file, i);
		fputs(" check inter 1s rise 2 fall 3\n", file);
	}
	/* It wants a listener to start. */
	fprintf(file, "frontend none\n bind 127.0.0.1:19999\n default_backend all\n");
	fclose(file);
}

static void write_color(FILE *file, const char *color, int first, int count)
{
	fprintf(file, "    %s: [", color);
	for (int i = 0; i < count; i++) {
		fputs(i ? ", " : "", file);
		print_address(file, first + i);
	}
	fputs("]\n", file);
}

/* `checks` is a multiple of `each`, and that of two. */
static void write_agent(int checks, int each)
{
	FILE *file = contest_create("bgswitch.yaml");

	fputs("attach: lo\ndefaults:\n  check: {path: /, interval: 1s, timeout: 2s}\nservices:\n",
	      file);
	for (int i = 0; i < checks / each; i++) {
		fprintf(file, "  s%d:\n    listen: \":%d\"\n", i, LISTEN_PORT + i);
		write_color(file, "blue", i * each, each / 2);
		write_color(file, "green", i * each + each / 2, each / 2);
	}
	fclose(file);
}

static pid_t start_haproxy(void)
{
	char path[128];
	const char *const words[] = { "haproxy", "-db", "-f", path, NULL };

	snprintf(path, sizeof(path), "%s/haproxy.cfg", contest_directory);
	return contest_start(words);
}

static pid_t start_agent(const char *binary)
{
	char path[128];
	const char *const words[] = { binary,
				      "--run-dir",
				      contest_directory,
				      "--state-dir",
				      contest_directory,
				      "agent",
				      "-c",
				      path,
				      NULL };

	snprintf(path, sizeof(path), "%s/bgswitch.yaml", contest_directory);
	return contest_start(words);
}

static bool ask(struct punctuality *since)
{
	const struct client_call call = { .method = "Ping", .stop_fd = -1 };
	struct failure failure;
	char path[128];
	json_t *answer;
	int agent;

	snprintf(path, sizeof(path), "%s/agent.sock", contest_directory);
	agent = client_connect(path, &failure);
	if (agent < 0)
		return false;
	answer = client_call(agent, &call, &failure);
	if (json_unpack(answer, "{s:{s:I, s:I, s:I}}", "checks", "ended", &since->checks, "failed",
			&since->failed, "late", &since->late))
		errx(99, "the agent does not tell its figures: %s", answer ? "?" : failure.what);
	json_decref(answer);
	return true;
}

/* Until its socket answers: everything is declared by then. */
static struct punctuality wait_for_agent(pid_t pid)
{
	struct punctuality since;

	for (int i = 0; !ask(&since); i++) {
		contest_cpu_us(pid); /* or it has ended */
		if (i == 1000)
			errx(99, "the agent does not answer");
		poll(NULL, 0, 10);
	}
	return since;
}

static struct round measure(pid_t pid)
{
	unsigned long long requests = contest_requests();
	double begin = sample_now(), cpu = contest_cpu_us(pid), seconds;
	struct round round;

	poll(NULL, 0, ROUND_S * 1000);
	requests = contest_requests() - requests;
	seconds = (sample_now() - begin) / 1e9;
	round.cpu_us = (contest_cpu_us(pid) - cpu) / (double)requests;
	round.rate = (double)requests / seconds;
	round.memory_mib = contest_memory_mib(pid);
	return round;
}

static struct round round_of_agent(const char *binary, struct punctuality *sum)
{
	struct punctuality before, after;
	pid_t pid = start_agent(binary);
	struct round round;

	wait_for_agent(pid);
	poll(NULL, 0, WARM_UP_S * 1000);
	ask(&before);
	round = measure(pid);
	ask(&after);
	contest_stop(pid);
	sum->checks += after.checks - before.checks;
	sum->late += after.late - before.late;
	sum->failed += after.failed - before.failed;
	return round;
}

static struct round round_of_haproxy(void)
{
	pid_t pid = start_haproxy();
	struct round round;

	poll(NULL, 0, WARM_UP_S * 1000);
	round = measure(pid);
	contest_stop(pid);
	return round;
}

/* A system that did fewer checks did not do quite the same work: it is said. */
static bool print(const char *who, const struct round *round, int checks)
{
	bool same =
		round->rate >= checks * (1 - TOLERANCE) && round->rate <= checks * (1 + TOLERANCE);

	printf("%-10s %10.1f us %10.0f/s %10.1f MiB%s\n", who, round->cpu_us, round->rate,
	       round->memory_mib, same ? "" : "  not the wanted rate");
	fflush(stdout);
	return same;
}

static void compare(const char *binary, int checks)
{
	double ours_us[ROUNDS], theirs_us[ROUNDS], ratios[ROUNDS];
	struct round ours = {}, theirs = {};
	struct punctuality sum = {};
	int missed = 0;

	for (int i = 0; i < ROUNDS; i++) {
		ours = round_of_agent(binary, &sum);
		missed += !print("bgswitch", &ours, checks);
		theirs = round_of_haproxy();
		missed += !print("HAProxy", &theirs, checks);
		ours_us[i] = ours.cpu_us;
		theirs_us[i] = theirs.cpu_us;
		ratios[i] = ours.cpu_us / theirs.cpu_us;
	}
	sample_sort(ours_us, ROUNDS);
	sample_sort(theirs_us, ROUNDS);
	sample_sort(ratios, ROUNDS);
	printf("\nmedian: %.1f us and %.1f us a check, ratio %.2f (%.2f to %.2f); memory %.2f\n",
	       sample_percentile(ours_us, ROUNDS, 50), sample_percentile(theirs_us, ROUNDS, 50),
	       sample_percentile(ratios, ROUNDS, 50), ratios[0], ratios[ROUNDS - 1],
	       ours.memory_mib / theirs.memory_mib);
	printf("of our %lld checks %lld failed, and %lld were late by over a tenth of the "
	       "interval\n",
	       sum.checks, sum.failed, sum.late);
	if (missed)
		printf("%d of %d measurements missed the rate by over %.0f %%: "
		       "run it again on a quiet machine\n",
		       missed, 2 * ROUNDS, TOLERANCE * 100);
}

/* One service, one instance a color, by HTTP every second. */
static void rest(const char *binary)
{
	double cpu, begin;
	pid_t pid;

	write_agent(2, 2);
	pid = start_agent(binary);
	wait_for_agent(pid);
	poll(NULL, 0, WARM_UP_S * 1000);
	cpu = contest_cpu_us(pid);
	begin = sample_now();
	poll(NULL, 0, IDLE_S * 1000);
	cpu = contest_cpu_us(pid) - cpu;
	printf("agent with one service: %.3f %% of a core, %.1f MiB\n",
	       100 * cpu / ((sample_now() - begin) / 1e3), contest_memory_mib(pid));
	contest_stop(pid);
}

int main(int argc, char **argv)
{
	int checks = argc > 2 ? atoi(argv[2]) : CHECKS;
	pid_t nginx;

	if (argc < 2 || checks < OF_SERVICE || checks % OF_SERVICE)
		errx(1, "usage: %s BGSWITCH [CHECKS], a multiple of %d", argv[0], OF_SERVICE);
	contest_begin();
	write_haproxy(checks);
	write_agent(checks, OF_SERVICE);
	nginx = contest_start_nginx();
	printf("Checks: %d by HTTP every second, each on a connection of its own; %d rounds of %d "
	       "s\n"
	       "%s\nagainst %s\n\n",
	       checks, ROUNDS, ROUND_S, sample_machine(), contest_version_of("haproxy -v"));
	printf("%-10s %13s %12s %14s\n", "", "CPU a check", "checks", "memory");
	compare(argv[1], checks);
	rest(argv[1]);
	contest_stop(nginx);
	contest_end();
	return 0;
}
