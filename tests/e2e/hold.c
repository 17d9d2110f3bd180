/*
 * Connections by the thousand that are held open, for the e2e tests.
 *
 * usage: hold serve PROGRESS ADDRESS PORT answer|silent
 *        hold connect PROGRESS ADDRESS PORT COUNT SOURCE...
 *
 * The server takes every connection and keeps it until its client closes; it
 * sends back what it gets, or nothing. The client makes COUNT connections, from
 * the sources in turn, and says a word on each, a request. "close N" on its standard input
 * closes N of those that are open. At the end of input it prints a line for each
 * connection that the other side ended: when (ns, CLOCK_MONOTONIC), "fin" or
 * "reset".
 *
 * PROGRESS is a file of five 64-bit counters that the test maps into memory: open
 * now, answered (the server: words taken), ended by FIN, by a reset, other failures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 512
#define CONNECTING 128 /* at a time */
#define BACKLOG 65535
#define WORD "GET / HTTP/1.1\r\nHost: hold\r\n\r\n" /* one that real servers answer, too */

struct progress {
	uint64_t open, answered, fin, reset, failed;
};

struct record {
	uint64_t when;
	const char *how;
};

static volatile struct progress *progress;
static int epoll_fd;
static struct sockaddr_storage target;
static socklen_t target_length;

static socklen_t parse(struct sockaddr_storage *storage, const char *address, int port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof(*storage));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) != 1)
		errx(1, "%s is no address", address);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static void watch(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		err(1, "epoll_ctl");
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		err(1, "setsockopt %d", option);
}

static void prepare(const char *path, const char *address, const char *port)
{
	struct rlimit files = { 1000000, 1000000 };
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (progress == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	setrlimit(RLIMIT_NOFILE, &files);
	target_length = parse(&target, address, atoi(port));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

/* ---- the server */

static void take_connections(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		watch(fd, EPOLLIN);
		progress->open++;
	}
	if (errno == EMFILE || errno == ENFILE)
		err(1, "accept");
}

static void serve_one(int fd, bool answers)
{
	char buffer[4096];
	ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0) {
		progress->answered++;
		if (answers && send(fd, buffer, got, MSG_NOSIGNAL) != got)
			progress->failed++;
		return;
	}
	if (got < 0 && errno == ECONNRESET)
		progress->reset++;
	else if (got < 0)
		progress->failed++; /* ECONNABORTED: SOCK_DESTROY, too */
	else
		progress->fin++;
	close(fd);
	progress->open--;
}

static int serve(bool answers)
{
	int listener = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event events[EVENTS];

	set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(listener, (struct sockaddr *)&target, target_length) || listen(listener, BACKLOG))
		err(1, "listen");
	watch(listener, EPOLLIN);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				take_connections(listener);
			else
				serve_one(events[i].data.fd, answers);
		}
	}
}

/* ---- the client */

static int *fds; /* by number; -1: ended */
static int *numbers; /* by descriptor; -1: not one of ours */
static bool *spoken; /* by number */
static struct record *records;
static size_t count, made, connecting, ended, oldest;
static char **sources;
static int source_count;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void forget(int fd)
{
	fds[numbers[fd]] = -1;
	numbers[fd] = -1;
	close(fd);
}

static void connect_next(void)
{
	int fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage source;
	socklen_t length = parse(&source, sources[made % source_count], 0);

	if (fd < 0)
		err(1, "socket");
	if (target.ss_family == AF_INET6)
		set(fd, IPPROTO_IPV6, 78 /* IPV6_FREEBIND */, 1);
	set(fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, 1);
	if (bind(fd, (struct sockaddr *)&source, length))
		err(1, "bind to %s", sources[made % source_count]);
	if (connect(fd, (struct sockaddr *)&target, target_length) && errno != EINPROGRESS)
		err(1, "connect");
	numbers[fd] = (int)made;
	fds[made++] = fd;
	connecting++;
	watch(fd, EPOLLOUT);
}

static void speak(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	socklen_t size = sizeof(int);
	int error = 0;

	connecting--;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error || send(fd, WORD, strlen(WORD), MSG_NOSIGNAL) < 0) {
		progress->failed++;
		forget(fd);
		return;
	}
	spoken[numbers[fd]] = true;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
	progress->open++;
}

static void hear(int fd)
{
	char buffer[4096];
	ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

	if (got > 0) {
		progress->answered++;
		return;
	}
	if (got < 0 && errno == EAGAIN)
		return;
	records[ended++] = (struct record){ now(), got ? "reset" : "fin" };
	if (!got)
		progress->fin++;
	else if (errno == ECONNRESET)
		progress->reset++;
	else
		progress->failed++;
	forget(fd);
	progress->open--;
}

static void close_some(long some)
{
	for (; some > 0 && oldest < made; oldest++) {
		if (fds[oldest] < 0 || !spoken[oldest])
			continue;
		forget(fds[oldest]);
		progress->open--;
		some--;
	}
}

/* False at the end of input. */
static bool obey(void)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (!strncmp(line, "close ", 6))
		close_some(atol(line + 6));
	return true;
}

static int hold(void)
{
	struct epoll_event events[EVENTS];
	bool wanted = true;

	setvbuf(stdin, NULL, _IONBF, 0); /* epoll sees what is not read yet */
	watch(STDIN_FILENO, EPOLLIN);
	while (wanted) {
		int ready;

		while (made < count && connecting < CONNECTING)
			connect_next();
		ready = epoll_wait(epoll_fd, events, EVENTS, -1);
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd;

			if (fd == STDIN_FILENO)
				wanted = obey();
			else if (numbers[fd] < 0)
				continue; /* closed by what came before it */
			else if (!spoken[numbers[fd]])
				speak(fd);
			else
				hear(fd);
		}
	}
	for (size_t i = 0; i < ended; i++)
		printf("%llu %s\n", (unsigned long long)records[i].when, records[i].how);
	return 0;
}

static int client(int argc, char **argv)
{
	count = strtoul(argv[5], NULL, 10);
	sources = argv + 6;
	source_count = argc - 6;
	fds = calloc(count, sizeof(*fds));
	spoken = calloc(count, sizeof(*spoken));
	records = calloc(count, sizeof(*records));
	numbers = malloc((count + 1024) * sizeof(*numbers));
	if (!fds || !spoken || !records || !numbers)
		err(1, "memory");
	memset(numbers, -1, (count + 1024) * sizeof(*numbers));
	return hold();
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "serve")) {
		prepare(argv[2], argv[3], argv[4]);
		return serve(!strcmp(argv[5], "answer"));
	}
	if (argc >= 7 && !strcmp(argv[1], "connect")) {
		prepare(argv[2], argv[3], argv[4]);
		return client(argc, argv);
	}
	errx(2, "see the beginning of %s.c", "hold");
}
