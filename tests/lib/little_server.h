/* SPDX-License-Identifier: GPL-2.0-only */
/* A server in a thread that answers every request with the same bytes, well or badly. */
#ifndef BGSWITCH_TESTS_LITTLE_SERVER_H
#define BGSWITCH_TESTS_LITTLE_SERVER_H

#include <pthread.h>
#include <stddef.h>

enum little_behaviour {
	LITTLE_CLOSE, /* sends the answer and closes */
	LITTLE_STAY, /* sends the answer and keeps the connection open until the client goes */
	LITTLE_DRIP, /* sends a byte every 20 ms, then closes */
	LITTLE_ENDLESS, /* repeats the answer until the client goes */
	LITTLE_RESET, /* sends the answer and resets the connection */
	LITTLE_DEAF, /* listens and never accepts */
};

struct little_server {
	enum little_behaviour behaviour;
	const char *answer; /* NULL: none */
	size_t length;
	const char *later; /* what connections after the first get; NULL: the same */
	char address[64]; /* where it listens */
	unsigned int port;
	/* What it saw; read them after little_stop(). */
	int connections;
	char request[8192]; /* the last one */
	int listener, stop; /* eventfd */
	pthread_t thread;
};

/*
 * Listens on `host` ("127.0.0.1" or "::1") at a port of the kernel's choice. `later` may
 * be set before the first connection.
 */
void little_start(struct little_server *server, const char *host, enum little_behaviour behaviour,
		  const char *answer, size_t length);
void little_stop(struct little_server *server);

#endif
