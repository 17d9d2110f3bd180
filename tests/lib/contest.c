/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/contest.h"

#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

char contest_directory[] = "/tmp/bgswitch-bench-XXXXXX";

static void own_namespaces(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		err(99, "unshare (needs root)");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		err(99, "a bpffs of our own");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		err(99, "loopback");
	close(fd);
}

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void contest_begin(void)
{
	own_namespaces();
	raise_limit();
	if (!mkdtemp(contest_directory))
		err(99, "%s", contest_directory);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

void contest_end(void)
{
	if (nftw(contest_directory, remove_one, 8, FTW_DEPTH | FTW_PHYS))
		err(99, "cannot remove %s", contest_directory);
}

FILE *contest_create(const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", contest_directory, name);
	file = fopen(path, "we");
	if (!file)
		err(99, "%s", path);
	return file;
}

/* Ends with the benchmark whatever happens to it. */
pid_t contest_start(const char *const *words)
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

void contest_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) != pid)
		err(99, "waitpid");
}

static int try_count(unsigned long long *requests)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(CONTEST_PORT),
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

unsigned long long contest_requests(void)
{
	unsigned long long requests;

	if (try_count(&requests))
		errx(99, "nginx does not tell its count");
	return requests;
}

static void write_nginx(void)
{
	FILE *file = contest_create("nginx.conf");

	fprintf(file,
		"daemon off; master_process off; pid %s/nginx.pid; error_log %s/nginx.log;\n"
		"worker_rlimit_nofile 20000;\n"
		"events { worker_connections 15000; }\n"
		"http { access_log off;\n"
		" server { listen %d backlog=16384;\n"
		"  location / { return 200 \"ok\\n\"; }\n"
		"  location = /count { stub_status; } } }\n",
		contest_directory, contest_directory, CONTEST_PORT);
	fclose(file);
}

pid_t contest_start_nginx(void)
{
	char path[128];
	const char *const words[] = { "nginx", "-c", path, NULL };
	unsigned long long requests;
	pid_t pid;

	write_nginx();
	snprintf(path, sizeof(path), "%s/nginx.conf", contest_directory);
	pid = contest_start(words);
	for (int i = 0; try_count(&requests); i++) {
		if (i == 500)
			errx(99, "nginx does not start; see %s/nginx.log", contest_directory);
		poll(NULL, 0, 10);
	}
	return pid;
}

/* User and system time of a process, in microseconds. */
double contest_cpu_us(pid_t pid)
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

double contest_memory_mib(pid_t pid)
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

const char *contest_version_of(const char *command)
{
	static char line[256];
	FILE *output = popen(command, "re");

	if (!output || !fgets(line, sizeof(line), output))
		errx(99, "%s says nothing", command);
	pclose(output);
	line[strcspn(line, "\n")] = '\0';
	return line;
}
