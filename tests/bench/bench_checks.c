/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * 10,000 HTTP checks a second of one nginx: our prober and HAProxy's health
 * checks, in turn, on the same work; CPU, memory and punctuality of both.
 * usage: bench_checks BGSWITCH [CHECKS]
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include "check/prober.h"
#include "lib/sample.h"

#define CHECKS 10000
#define ROUNDS 3
#define WARM_UP_S 3
#define ROUND_S 6
#define PORT 18081
#define TOLERANCE 0.02 /* of the rate */

/* What a system did in a round. */
struct round {
	double cpu_us, rate; /* of one check; checks a second, as the server counted them */
	double rss_mib;
};

/* What only our own side knows. */
struct punctuality {
	unsigned long long checks, late, failed;
	unsigned int worst_us;
};

static char directory[] = "/tmp/bgswitch-bench-XXXXXX";

static void own_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		err(99, "unshare (needs root)");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		err(99, "loopback");
	close(fd);
}

static FILE *create(const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	if (!file)
		err(99, "%s", path);
	return file;
}

static void write_nginx(void)
{
	FILE *file = create("nginx.conf");

	fprintf(file,
		"daemon off; master_process off; pid %s/nginx.pid; error_log %s/nginx.log;\n"
		"worker_rlimit_nofile 20000;\n"
		"events { worker_connections 15000; }\n"
		"http { access_log off;\n"
		" server { listen 127.0.0.1:%d backlog=16384;\n"
		"  location / { return 200 \"ok\\n\"; }\n"
		"  location = /count { stub_status; } } }\n",
		directory, directory, PORT);
	fclose(file);
}

static void write_haproxy(int checks)
{
	FILE *file = create("haproxy.cfg");

	fprintf(file, "global\n nbthread 1\n maxconn 2000\n spread-checks 5\n"
		      "defaults\n mode http\n timeout connect 2s\n timeout server 2s\n"
		      " timeout client 2s\n timeout check 2s\n"
		      "backend all\n option httpchk GET /\n http-check expect status 200-299\n");
	for (int i = 0; i < checks; i++)
		fprintf(file, " server s%d 127.0.0.1:%d check inter 1s rise 2 fall 3\n", i, PORT);
	/* It wants a listener to start. */
	fprintf(file, "frontend none\n bind 127.0.0.1:19999\n default_backend all\n");
	fclose(file);
}

/* Ends with the benchmark whatever happens to it. */
static pid_t start(const char *const *words)
{
	pid_t parent = getpid(), pid = fork();
	int null;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(99);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(words[0], (char *const *)words);
	_exit(127);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) != pid)
		err(99, "waitpid");
}

static int try_count(unsigned long long *requests)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(PORT),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static const char request[] = "GET /count HTTP/1.0\r\n\r\n";
	char answer[1024] = "";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *numbers;
	size_t length = 0;
	ssize_t got;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		close(fd);
		return -1;
	}
	while ((got = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
		length += (size_t)got;
	close(fd);
	numbers = strstr(answer, "requests\n");
	return numbers && sscanf(numbers, "requests %*u %*u %llu", requests) == 1 ? 0 : -1;
}

static unsigned long long count_requests(void)
{
	unsigned long long requests;

	if (try_count(&requests))
		errx(99, "nginx does not tell its count");
	return requests;
}

static pid_t start_nginx(void)
{
	char path[128];
	const char *const words[] = { "nginx", "-c", path, NULL };
	unsigned long long requests;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/nginx.conf", directory);
	pid = start(words);
	for (int i = 0; try_count(&requests); i++) {
		if (i == 500)
			errx(99, "nginx does not start; see %s/nginx.log", directory);
		poll(NULL, 0, 10);
	}
	return pid;
}

static pid_t start_haproxy(void)
{
	char path[128];
	const char *const words[] = { "haproxy", "-db", "-f", path, NULL };

	snprintf(path, sizeof(path), "%s/haproxy.cfg", directory);
	return start(words);
}

/* ---- our side: a process that does nothing but check, in the agent's kind of loop */

struct ours {
	struct prober *prober;
	unsigned long long failed;
};

static void count_result(void *data, const struct check_result *result)
{
	struct ours *ours = data;

	if (!result->ok && !ours->failed++)
		fprintf(stderr, "%s: %s\n", result->sent, result->error);
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source, (void)fd, (void)events;
	prober_run(((struct ours *)data)->prober);
	return 0;
}

/* A byte asks for the figures since the last one. */
static int on_question(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct ours *ours = data;
	const struct prober_statistics *statistics = prober_statistics(ours->prober);
	struct punctuality since;
	char byte;

	(void)source, (void)events;
	if (read(fd, &byte, 1) != 1)
		_exit(0);
	since = (struct punctuality){ .checks = statistics->checks,
				      .late = statistics->late,
				      .failed = ours->failed,
				      .worst_us = statistics->worst_delay_us };
	prober_statistics_reset(ours->prober);
	ours->failed = 0;
	if (write(fd, &since, sizeof(since)) != sizeof(since))
		_exit(1);
	return 0;
}

static void run_ours(int control, int checks)
{
	struct ours ours = {};
	struct endpoint endpoint;
	struct failure failure;
	sd_event *event;
	struct check check;
	char address[32];

	check_init(&check);
	check.kind = CHECK_HTTP;
	snprintf(address, sizeof(address), "127.0.0.1:%d", PORT);
	ours.prober = prober_new(&failure);
	if (!ours.prober || endpoint_parse(&endpoint, address, "bench", &failure))
		errx(99, "%s", failure.what);
	for (int i = 0; i < checks; i++) {
		if (!prober_add(ours.prober, &check, &endpoint, count_result, &ours, &failure))
			errx(99, "%s", failure.what);
	}
	if (sd_event_new(&event) < 0 ||
	    sd_event_add_io(event, NULL, prober_fd(ours.prober), EPOLLIN, on_ready, &ours) < 0 ||
	    sd_event_add_io(event, NULL, control, EPOLLIN, on_question, &ours) < 0)
		errx(99, "event loop");
	sd_event_loop(event);
}

static pid_t start_ours(int checks, int *control)
{
	int ends[2];
	pid_t parent = getpid(), pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		err(99, "socketpair");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(99);
		close(ends[0]);
		run_ours(ends[1], checks);
		_exit(99);
	}
	close(ends[1]);
	*control = ends[0];
	return pid;
}

static struct punctuality ask(int control)
{
	struct punctuality since;

	if (write(control, "?", 1) != 1 ||
	    recv(control, &since, sizeof(since), MSG_WAITALL) != sizeof(since))
		errx(99, "our prober has ended");
	return since;
}

/* ---- rounds */

/* User and system time of a process, in microseconds. */
static double cpu_of(pid_t pid)
{
	unsigned long long ns;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &ns) != 1)
		errx(99, "process %d has ended", pid);
	fclose(file);
	return (double)ns / 1e3;
}

static double rss_of(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file) && sscanf(line, "VmHWM: %lf", &kib) != 1)
		;
	if (file)
		fclose(file);
	return kib / 1024;
}

static struct round measure(pid_t pid)
{
	unsigned long long requests = count_requests();
	double begin = sample_now(), cpu = cpu_of(pid), seconds;
	struct round round;

	poll(NULL, 0, ROUND_S * 1000);
	requests = count_requests() - requests;
	seconds = (sample_now() - begin) / 1e9;
	round.cpu_us = (cpu_of(pid) - cpu) / (double)requests;
	round.rate = (double)requests / seconds;
	round.rss_mib = rss_of(pid);
	return round;
}

static struct round round_of_ours(int checks, struct punctuality *sum)
{
	struct punctuality since;
	struct round round;
	int control;
	pid_t pid = start_ours(checks, &control);

	poll(NULL, 0, WARM_UP_S * 1000);
	ask(control);
	round = measure(pid);
	since = ask(control);
	end(pid);
	close(control);
	sum->checks += since.checks;
	sum->late += since.late;
	sum->failed += since.failed;
	if (since.worst_us > sum->worst_us)
		sum->worst_us = since.worst_us;
	return round;
}

static struct round round_of_haproxy(void)
{
	pid_t pid = start_haproxy();
	struct round round;

	poll(NULL, 0, WARM_UP_S * 1000);
	round = measure(pid);
	end(pid);
	return round;
}

static const char *version_of(const char *command)
{
	static char line[256];
	FILE *output = popen(command, "re");

	if (!output || !fgets(line, sizeof(line), output))
		errx(99, "%s says nothing", command);
	pclose(output);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* A system that did fewer checks did not do quite the same work: it is said. */
static bool print(const char *who, const struct round *round, int checks)
{
	bool same =
		round->rate >= checks * (1 - TOLERANCE) && round->rate <= checks * (1 + TOLERANCE);

	printf("%-10s %10.1f us %10.0f/s %10.1f MiB%s\n", who, round->cpu_us, round->rate,
	       round->rss_mib, same ? "" : "  not the wanted rate");
	fflush(stdout);
	return same;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void compare(int checks)
{
	double ours_us[ROUNDS], theirs_us[ROUNDS], ratios[ROUNDS];
	struct round ours = {}, theirs = {};
	struct punctuality sum = {};
	int missed = 0;

	for (int i = 0; i < ROUNDS; i++) {
		ours = round_of_ours(checks, &sum);
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
	       ours.rss_mib / theirs.rss_mib);
	printf("of our %llu checks %llu failed, %llu were late by over a tenth of the interval; "
	       "the latest by %.1f ms\n",
	       sum.checks, sum.failed, sum.late, sum.worst_us / 1e3);
	if (missed)
		printf("%d of %d measurements missed the rate by over %.0f %%: "
		       "run it again on a quiet machine\n",
		       missed, 2 * ROUNDS, TOLERANCE * 100);
}

int main(int argc, char **argv)
{
	int checks = argc > 2 ? atoi(argv[2]) : CHECKS;
	pid_t nginx;

	if (argc < 2 || checks < 100)
		errx(1, "usage: %s BGSWITCH [CHECKS]", argv[0]);
	own_network();
	raise_limit();
	if (!mkdtemp(directory))
		err(99, "%s", directory);
	write_nginx();
	write_haproxy(checks);
	nginx = start_nginx();
	printf("Checks: %d by HTTP every second, each on a connection of its own; %d rounds of %d "
	       "s\n"
	       "%s\nagainst %s\n\n",
	       checks, ROUNDS, ROUND_S, sample_machine(), version_of("haproxy -v"));
	printf("%-10s %13s %12s %14s\n", "", "CPU a check", "checks", "memory");
	compare(checks);
	end(nginx);
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
