/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clients that never ask twice, for test_close_idle.py: each keeps a connection
 * open, asks, waits for the whole answer, pauses for anything up to twice T, and
 * asks again. A connection that ends in a pause is replaced; one that ends with a
 * request on it has lost that request, unless it had ended before the request
 * was there: that one came too late.
 *
 * usage: strict ADDRESS PORT CLIENTS T_MS CLOSES SECONDS REQUEST SLOW_REQUEST
 *
 * Runs until CLOSES connections have ended in pauses, or for SECONDS. A request
 * is a path of HTTP, or a line of another protocol that answers it with a line.
 * An empty SLOW_REQUEST: none, else each fourth. Prints {"requests", "slow",
 * "closed", "lost", "late", "unasked": texts that came in a pause, "seconds"}, and
 * on stderr the first ones that were lost or not asked for.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096 /* clients */
#define PATIENCE_NS 20000000000LL /* for one answer */
#define SHOWN 5 /* lost requests that are described */

enum state {
	PAUSING,
	ASKING,
};

struct client {
	int fd;
	enum state state;
	bool is_slow;
	long long due; /* ns: end of the pause, or of patience */
	long long asked; /* ns */
	size_t have; /* of the answer */
	char answer[8192];
};

static struct {
	struct sockaddr_storage address;
	socklen_t size;
	long long pause_ns; /* the longest */
	const char *request, *slow;
	int epoll;
	unsigned long long requests, slow_requests, closed, lost, late, unasked;
} run;

static struct client clients[MOST];

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long below(long long limit)
{
	return (long long)((unsigned long long)random() << 31 | random()) % limit;
}

static void pause_for_a_while(struct client *client)
{
	client->state = PAUSING;
	client->have = 0;
	client->due = now() + below(run.pause_ns);
}

static void open_connection(struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = client };
	int one = 1;

	client->fd = socket(run.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&run.address, run.size) ||
	    fcntl(client->fd, F_SETFL, O_NONBLOCK) ||
	    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    epoll_ctl(run.epoll, EPOLL_CTL_ADD, client->fd, &event))
		err(1, "connection");
	pause_for_a_while(client);
}

static void replace(struct client *client)
{
	close(client->fd);
	open_connection(client);
}

static void lose(struct client *client, const char *how, int error)
{
	if (run.lost++ < SHOWN)
		fprintf(stderr,
			"lost: %s%s%s %.3f ms after a %s request, %zu bytes of the answer\n", how,
			error ? ": " : "", error ? strerror(error) : "",
			(now() - client->asked) / 1e6, client->is_slow ? "slow" : "quick",
			client->have);
	replace(client);
}

/*
 * Had the server's end been closed when the request got there? Then its FIN has
 * come by now, or its RST as well. This process was stopped between its look and
 * send(), or the two have crossed: no client can do more than look.
 */
static bool is_closed_by_server(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) &&
	       (info.tcpi_state == TCP_CLOSE_WAIT || info.tcpi_state == TCP_CLOSE);
}

static void begin_anew(struct client *client)
{
	run.late++;
	run.closed++;
	replace(client);
}

static void ask(struct client *client)
{
	const char *request = run.request;
	char text[512], peek;
	int length;

	if (!recv(client->fd, &peek, 1, MSG_PEEK | MSG_DONTWAIT)) {
		run.closed++;
		replace(client);
		return;
	}
	client->is_slow = *run.slow && below(4) == 0;
	if (client->is_slow)
		request = run.slow;
	length = snprintf(text, sizeof(text),
			  *request == '/' ? "GET %s HTTP/1.1\r\nHost: test\r\n\r\n" : "%s\r\n",
			  request);
	client->state = ASKING;
	client->asked = now();
	client->due = client->asked + PATIENCE_NS;
	run.requests++;
	run.slow_requests += client->is_slow;
	if (send(client->fd, text, length, MSG_NOSIGNAL) != length)
		lose(client, "cannot send", errno);
	else if (is_closed_by_server(client->fd))
		begin_anew(client);
}

/* Is the whole answer there? */
static bool is_whole(struct client *client)
{
	const char *body, *length;

	client->answer[client->have] = '\0';
	if (*run.request != '/')
		return client->have && client->answer[client->have - 1] == '\n';
	body = strstr(client->answer, "\r\n\r\n");
	if (!body)
		return false;
	if (strncmp(client->answer, "HTTP/1.1 200", 12))
		errx(1, "unexpected answer: %.80s", client->answer);
	length = strcasestr(client->answer, "content-length:");
	if (!length)
		errx(1, "an answer without its length: %s", client->answer);
	return client->have >= body + 4 - client->answer + strtoul(length + 15, NULL, 10);
}

static void receive(struct client *client)
{
	ssize_t got = recv(client->fd, client->answer + client->have,
			   sizeof(client->answer) - 1 - client->have, 0);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0 && client->state == PAUSING) {
		if (run.unasked++ < SHOWN)
			fprintf(stderr, "nobody has asked for %.*s\n", (int)got, client->answer);
		return;
	}
	if (got > 0) {
		client->have += got;
		if (is_whole(client))
			pause_for_a_while(client);
	} else if (client->state == ASKING) {
		lose(client, got ? "receive" : "end of file", got ? errno : 0);
	} else {
		run.closed++;
		replace(client);
	}
}

static void expire(struct client *client)
{
	if (client->state == PAUSING)
		ask(client);
	else
		lose(client, "no answer", 0);
}

static void parse_address(const char *address, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&run.address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&run.address;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		run.size = sizeof(*v4);
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		run.size = sizeof(*v6);
	} else {
		errx(1, "'%s' is no address", address);
	}
}

int main(int argc, char **argv)
{
	long long begin = now(), end;
	unsigned long long closes;
	struct epoll_event events[64];
	int count;

	if (argc != 9)
		errx(1, "see the top of strict.c");
	parse_address(argv[1], argv[2]);
	count = atoi(argv[3]);
	run.pause_ns = 2 * atoll(argv[4]) * 1000000;
	closes = strtoull(argv[5], NULL, 10);
	end = begin + atoll(argv[6]) * 1000000000;
	run.request = argv[7];
	run.slow = argv[8];
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (count < 1 || count > MOST || run.pause_ns <= 0)
		errx(1, "see the top of strict.c");
	srandom((unsigned int)begin);
	for (int i = 0; i < count; i++)
		open_connection(&clients[i]);
	while (run.closed < closes && now() < end) {
		int ready = epoll_wait(run.epoll, events, 64, 1);

		for (int i = 0; i < ready; i++)
			receive(events[i].data.ptr);
		for (int i = 0; i < count; i++) {
			if (clients[i].due <= now())
				expire(&clients[i]);
		}
	}
	printf("{\"requests\": %llu, \"slow\": %llu, \"closed\": %llu, \"lost\": %llu, "
	       "\"late\": %llu, \"unasked\": %llu, \"seconds\": %.1f}\n",
	       run.requests, run.slow_requests, run.closed, run.lost, run.late, run.unasked,
	       (now() - begin) / 1e9);
	return 0;
}
