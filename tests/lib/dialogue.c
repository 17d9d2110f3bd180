/* SPDX-License-Identifier: GPL-2.0-only */
#include "dialogue.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GREETING "hello\n"
#define SLOW_SIZE 64 /* of an answer */

struct question {
	int delay_ms, size;
};

struct served {
	int fd;
	unsigned int port; /* the client's */
	bool busy;
	unsigned long long due;
	struct question question;
	int left; /* of an answer that the socket had no room for */
};

struct asking {
	int fd;
	unsigned int port;
	int missing; /* bytes of answers, or of the greeting */
	unsigned int asked;
	unsigned long long due; /* end of the pause; 0: waits for an answer */
};

static struct {
	struct dialogue_plan plan;
	int listener, accepted;
	unsigned int port;
	atomic_bool stop;
	atomic_ullong requests;
	pthread_t server, client;
	struct served served[DIALOGUE_CLIENTS];
	struct asking asking[DIALOGUE_CLIENTS];
} dialogue;

/* Several words of the server's, read by others: `version` is odd while they are written. */
static struct {
	atomic_uint version, sent;
	struct dialogue_truth truth;
} truths[65536];

static char answer[65536];

static unsigned long long now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void tell(unsigned int port, unsigned int asked, unsigned int answered)
{
	atomic_fetch_add(&truths[port].version, 1);
	truths[port].truth.asked += asked;
	truths[port].truth.answered += answered;
	truths[port].truth.since_ns = now_ns();
	atomic_fetch_add(&truths[port].version, 1);
}

struct dialogue_truth dialogue_truth(unsigned int port)
{
	struct dialogue_truth truth;
	unsigned int version;

	do {
		version = atomic_load(&truths[port].version);
		truth = truths[port].truth;
		atomic_thread_fence(memory_order_acquire);
	} while (version & 1 || version != atomic_load(&truths[port].version));
	truth.sent = atomic_load(&truths[port].sent);
	return truth;
}

unsigned long long dialogue_requests(void)
{
	return dialogue.requests;
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		err(99, "setsockopt");
}

static void watch(int epoll, int fd, unsigned int events, void *what)
{
	struct epoll_event event = { .events = events, .data.ptr = what };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(99, "epoll");
}

/* ---- the server */

static void serve_one(int epoll)
{
	struct served *served = &dialogue.served[dialogue.accepted];
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);

	served->fd = accept4(dialogue.listener, (struct sockaddr *)&peer, &size,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (served->fd < 0)
		err(99, "accept");
	dialogue.accepted++;
	served->port = ntohs(peer.sin_port);
	set(served->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (dialogue.plan.keepalive) {
		set(served->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set(served->fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
		set(served->fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	}
	if (dialogue.plan.greets && send(served->fd, GREETING, strlen(GREETING), 0) < 0)
		err(99, "greeting");
	tell(served->port, 0, 0);
	watch(epoll, served->fd, EPOLLIN | EPOLLOUT | EPOLLET, served);
}

static void read_question(struct served *served)
{
	ssize_t got = recv(served->fd, &served->question, sizeof(served->question), 0);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got != sizeof(served->question))
		errx(99, "half a question");
	served->busy = true;
	served->due = now_ns() + served->question.delay_ms * 1000000ULL;
	tell(served->port, 1, 0);
}

static void send_answer(struct served *served)
{
	while (served->left) {
		ssize_t sent = send(served->fd, answer, served->left, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			err(99, "answer");
		served->left -= (int)sent;
	}
	/* The client may have asked again before we could look. */
	read_question(served);
}

static void go_on(struct served *served)
{
	if (served->left)
		send_answer(served);
	else if (!served->busy)
		read_question(served);
}

static void begin_answer(struct served *served)
{
	served->busy = false;
	served->left = served->question.size;
	tell(served->port, 0, 1);
	send_answer(served);
}

static void *serve(void *unused)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[64];

	(void)unused;
	watch(epoll, dialogue.listener, EPOLLIN, NULL);
	while (!dialogue.stop) {
		int ready = epoll_wait(epoll, events, 64, 1);

		for (int i = 0; i < ready; i++) {
			if (events[i].data.ptr)
				go_on(events[i].data.ptr);
			else
				serve_one(epoll);
		}
		for (int i = 0; i < dialogue.accepted; i++) {
			struct served *served = &dialogue.served[i];

			if (served->busy && served->due <= now_ns())
				begin_answer(served);
		}
	}
	close(epoll);
	return NULL;
}

/* ---- the clients */

static int below(int limit)
{
	static unsigned long long state = 88172645463325252ULL; /* xorshift: the clients' own */

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return limit > 0 ? (int)(state % limit) : 0;
}

static void rest(struct asking *asking)
{
	asking->due = now_ns() + 1 + below(dialogue.plan.pause_ms) * 1000000ULL;
}

static void ask(struct asking *asking)
{
	bool quick = asking->asked++ % 2 == 0;
	struct question question = {
		.delay_ms =
			quick ? 0
			      : dialogue.plan.slow_ms / 10 + below(dialogue.plan.slow_ms * 9 / 10),
		.size = quick ? dialogue.plan.quick_size : SLOW_SIZE,
	};

	asking->due = 0;
	asking->missing = question.size;
	dialogue.requests++;
	atomic_fetch_add(&truths[asking->port].sent, 1);
	if (send(asking->fd, &question, sizeof(question), MSG_NOSIGNAL) != sizeof(question))
		err(99, "question");
}

static void receive(struct asking *asking)
{
	char bytes[2048];
	ssize_t got = recv(asking->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		errx(99, "the server has closed");
	asking->missing -= (int)got;
	if (asking->missing)
		return;
	if (asking->asked % 2)
		ask(asking);
	else if (!dialogue.plan.silent)
		rest(asking);
}

static void *ask_all(void *data)
{
	const int *epoll = data;
	struct epoll_event events[64];

	while (!dialogue.stop) {
		int ready = epoll_wait(*epoll, events, 64, 1);

		for (int i = 0; i < ready; i++)
			receive(events[i].data.ptr);
		for (int i = 0; i < dialogue.plan.clients; i++) {
			struct asking *asking = &dialogue.asking[i];

			if (asking->due && asking->due <= now_ns())
				ask(asking);
		}
	}
	close(*epoll);
	return NULL;
}

static void open_client(int epoll, struct asking *asking)
{
	const struct sockaddr_in server = { .sin_family = AF_INET,
					    .sin_port = htons(dialogue.port),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in own;
	socklen_t size = sizeof(own);

	asking->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (asking->fd < 0)
		err(99, "socket");
	if (dialogue.plan.receive_buffer)
		set(asking->fd, SOL_SOCKET, SO_RCVBUF, dialogue.plan.receive_buffer);
	if (connect(asking->fd, (const struct sockaddr *)&server, sizeof(server)) ||
	    fcntl(asking->fd, F_SETFL, O_NONBLOCK) ||
	    getsockname(asking->fd, (struct sockaddr *)&own, &size))
		err(99, "connect");
	asking->port = ntohs(own.sin_port);
	set(asking->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	asking->missing = dialogue.plan.greets ? (int)strlen(GREETING) : 0;
	if (!dialogue.plan.greets && !dialogue.plan.silent)
		rest(asking);
	watch(epoll, asking->fd, EPOLLIN, asking);
}

void dialogue_start(const struct dialogue_plan *plan, int listener, unsigned int port)
{
	static int epoll;

	memset(&dialogue, 0, sizeof(dialogue));
	memset(truths, 0, sizeof(truths));
	dialogue.plan = *plan;
	dialogue.listener = listener;
	dialogue.port = port;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || pthread_create(&dialogue.server, NULL, serve, NULL))
		err(99, "server");
	for (int i = 0; i < plan->clients; i++)
		open_client(epoll, &dialogue.asking[i]);
	if (pthread_create(&dialogue.client, NULL, ask_all, &epoll))
		err(99, "clients");
}

void dialogue_stop(void)
{
	dialogue.stop = true;
	pthread_join(dialogue.client, NULL);
	pthread_join(dialogue.server, NULL);
	for (int i = 0; i < dialogue.accepted; i++)
		close(dialogue.served[i].fd);
	for (int i = 0; i < dialogue.plan.clients; i++)
		close(dialogue.asking[i].fd);
}
