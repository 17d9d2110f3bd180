/*
 * Load for the e2e tests: HTTP requests at a fixed rate over new, kept or
 * renewed connections. Every connection is written down: when it began and
 * ended, how many requests it carried, who answered, and how it failed.
 *
 * usage: load new|keep|renew CONNECTIONS RATE ADDRESS PORT PROGRESS [LIFETIME]
 *
 * A renewed connection is kept for 50 ms to LIFETIME ms; the client ends it,
 * between requests, maybe before the first: that one comes some time after the
 * handshake.
 *
 * An answer begins with its server's name: a color, and after a '-' maybe the
 * server's number, as in "blue-17". All answers of a connection have to agree.
 *
 * PROGRESS is a file of two 64-bit counters, good and failed requests, that
 * the test maps into memory to see how far the load is. SIGTERM ends the load
 * after the requests under way; then standard output gets one line for each
 * connection: begin, connected, end (ns, CLOCK_MONOTONIC), requests, color,
 * server's number, stage, errno. Stage is "done", "connect" or "reply".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ULL
#define MILLISECOND (SECOND / 1000)
#define REPLY_TIMEOUT (10 * SECOND)
#define SHORTEST_LIFE (50 * MILLISECOND)

enum mode { NEW, KEEP, RENEW };
enum state { FREE, CONNECTING, READING, IDLE };

/* Who answers. */
struct server {
	char color; /* its first letter; 0: nobody yet */
	unsigned int number;
};

struct connection {
	enum state state;
	int fd;
	uint64_t begin, connected, requested;
	uint64_t expiry; /* with RENEW, once it is connected */
	unsigned int requests;
	struct server server;
	size_t length;
	char reply[1024];
};

struct record {
	uint64_t begin, connected, end;
	unsigned int requests;
	struct server server;
	const char *stage;
	int error;
};

struct progress {
	uint64_t good, failed;
};

static struct sockaddr_storage target;
static socklen_t target_length;
static enum mode mode;
static uint64_t longest_life;
static int epoll_fd;
static volatile struct progress *progress;
static volatile sig_atomic_t ending;
static struct record *records;
static size_t record_count, record_room;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void end_load(int signal)
{
	(void)signal;
	ending = 1;
}

static void finish(struct connection *c, const char *stage, int error)
{
	if (record_count == record_room) {
		record_room = record_room ? 2 * record_room : 65536;
		records = reallocarray(records, record_room, sizeof(*records));
		if (!records)
			err(2, "records");
	}
	records[record_count++] = (struct record){
		.begin = c->begin,
		.connected = c->connected,
		.end = now(),
		.requests = c->requests,
		.server = c->server,
		.stage = stage,
		.error = error,
	};
	if (error)
		progress->failed++;
	if (c->fd >= 0)
		close(c->fd);
	c->state = FREE;
}

static void watch(struct connection *c, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };
	int operation = events & EPOLLOUT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (epoll_ctl(epoll_fd, operation, c->fd, &event))
		err(2, "epoll_ctl");
}

static void request(struct connection *c)
{
	static const char once[] = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
	static const char more[] = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
	const char *text = mode == NEW ? once : more;

	c->state = READING;
	c->length = 0;
	c->requested = now();
	if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		finish(c, "reply", errno);
}

static void open_connection(struct connection *c)
{
	memset(c, 0, sizeof(*c));
	c->begin = c->requested = now();
	c->state = CONNECTING;
	c->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		err(2, "socket");
	if (connect(c->fd, (struct sockaddr *)&target, target_length) && errno != EINPROGRESS)
		finish(c, "connect", errno);
	else
		watch(c, EPOLLOUT);
}

static void connection_made(struct connection *c)
{
	int error = 0;
	socklen_t length = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error) {
		finish(c, "connect", error);
		return;
	}
	c->connected = now();
	watch(c, EPOLLIN);
	if (mode != RENEW) {
		request(c);
		return;
	}
	/* Its first request comes with its next turn. */
	c->state = IDLE;
	c->expiry = c->connected + SHORTEST_LIFE +
		    (uint64_t)random() % (longest_life - SHORTEST_LIFE + 1);
}

/* The body of a whole reply, else NULL. */
static const char *whole_reply(struct connection *c)
{
	const char *body, *field;

	c->reply[c->length] = '\0';
	body = strstr(c->reply, "\r\n\r\n");
	field = strcasestr(c->reply, "\r\nContent-Length:");
	if (!body || !field || strncmp(c->reply + 8, " 200", 4))
		return NULL;
	body += 4;
	return c->reply + c->length >= body + atoi(field + 17) ? body : NULL;
}

static struct server read_server(const char *body)
{
	struct server server = { .color = *body };
	const char *end = body + strcspn(body, "- \n");

	if (*end == '-')
		server.number = (unsigned int)strtoul(end + 1, NULL, 10);
	return server;
}

static void reply_done(struct connection *c, struct server server)
{
	const struct server *before = &c->server;

	if (before->color && (before->color != server.color || before->number != server.number)) {
		finish(c, "reply", EXDEV);
		return;
	}
	c->server = server;
	c->requests++;
	progress->good++;
	if (mode == NEW)
		finish(c, "done", 0);
	else
		c->state = IDLE;
}

static void read_reply(struct connection *c)
{
	ssize_t got = recv(c->fd, c->reply + c->length, sizeof(c->reply) - 1 - c->length, 0);
	const char *body;

	if (got < 0) {
		if (errno != EAGAIN)
			finish(c, "reply", errno);
		return;
	}
	c->length += (size_t)got;
	body = whole_reply(c);
	if (got == 0 && (mode != NEW || !body))
		finish(c, "reply", ENODATA);
	else if (c->state == IDLE)
		finish(c, "reply", EPROTO);
	else if (body && (mode != NEW || got == 0))
		reply_done(c, read_server(body));
	else if (c->length == sizeof(c->reply) - 1)
		finish(c, "reply", EMSGSIZE);
}

static void handle(struct connection *c)
{
	if (c->state == CONNECTING)
		connection_made(c);
	else if (c->state != FREE)
		read_reply(c);
}

/* Starts one request; false when every connection is busy. */
static bool start_one(struct connection *pool, int count, int *turn)
{
	for (int i = 0; i < count; i++) {
		struct connection *c = &pool[*turn];

		*turn = (*turn + 1) % count;
		if (c->state == FREE)
			open_connection(c);
		else if (c->state == IDLE)
			request(c);
		else
			continue;
		return true;
	}
	return false;
}

/* Ends what has lived or waited too long; returns how many are under way. */
static int under_way(struct connection *pool, int count)
{
	uint64_t time = now();
	int busy = 0;

	for (int i = 0; i < count; i++) {
		struct connection *c = &pool[i];

		if (mode == RENEW && c->state == IDLE && time >= c->expiry)
			finish(c, "done", 0);
		if (c->state != CONNECTING && c->state != READING)
			continue;
		if (time - c->requested > REPLY_TIMEOUT)
			finish(c, c->state == CONNECTING ? "connect" : "reply", ETIMEDOUT);
		else
			busy++;
	}
	return busy;
}

static void run(struct connection *pool, int count, uint64_t interval)
{
	struct epoll_event events[64];
	uint64_t next = now();
	int turn = 0;

	while (under_way(pool, count) || !ending) {
		uint64_t time = now();

		if (time > next + SECOND / 100)
			next = time - SECOND / 100;
		while (!ending && next <= time && start_one(pool, count, &turn))
			next += interval;
		int ready = epoll_wait(epoll_fd, events, 64, 1);
		for (int i = 0; i < ready; i++)
			handle(events[i].data.ptr);
	}
	for (int i = 0; i < count; i++)
		if (pool[i].state == IDLE)
			finish(&pool[i], "done", 0);
}

static void set_target(const char *address, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&target;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(port));
		target_length = sizeof(*v4);
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)atoi(port));
		target_length = sizeof(*v6);
	} else {
		errx(1, "not an address: %s", address);
	}
}

static void open_progress(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory;

	if (fd < 0)
		err(2, "%s", path);
	memory = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		err(2, "%s", path);
	progress = memory;
	close(fd);
}

static void set_mode(const char *name, const char *life)
{
	static const char *const names[] = { "new", "keep", "renew" };

	while (mode <= RENEW && strcmp(names[mode], name))
		mode++;
	longest_life = life ? strtoull(life, NULL, 10) * MILLISECOND : 0;
	if (mode > RENEW || (mode == RENEW) != (longest_life >= SHORTEST_LIFE))
		errx(1, "not a mode, or not a lifetime: %s", name);
}

int main(int argc, char **argv)
{
	struct connection *pool;
	int count;

	if (argc != 7 && argc != 8)
		errx(1, "usage: load new|keep|renew CONNECTIONS RATE ADDRESS PORT PROGRESS "
			"[LIFETIME]");
	set_mode(argv[1], argv[7]);
	count = atoi(argv[2]);
	set_target(argv[4], argv[5]);
	open_progress(argv[6]);
	signal(SIGTERM, end_load);
	srandom((unsigned int)getpid());
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	pool = calloc((size_t)count, sizeof(*pool));
	if (epoll_fd < 0 || !pool)
		err(2, "start");

	run(pool, count, SECOND / (uint64_t)atoi(argv[3]));

	for (size_t i = 0; i < record_count; i++) {
		struct record *r = &records[i];

		printf("%llu %llu %llu %u %c %u %s %d\n", (unsigned long long)r->begin,
		       (unsigned long long)r->connected, (unsigned long long)r->end, r->requests,
		       r->server.color ? r->server.color : '-', r->server.number, r->stage,
		       r->error);
	}
	free(pool);
	free(records);
	return 0;
}
