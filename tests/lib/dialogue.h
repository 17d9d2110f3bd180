/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clients and a server, each in a thread, that know at any time which requests
 * are in flight. A client asks quick and slow questions in turn: the slow one
 * follows the quick one's answer at once, and then it pauses.
 */
#ifndef BGSWITCH_TESTS_DIALOGUE_H
#define BGSWITCH_TESTS_DIALOGUE_H

#include <stdbool.h>

struct dialogue_plan {
	const char *name;
	int clients; /* 1..DIALOGUE_CLIENTS */
	int slow_ms; /* a slow answer takes from a tenth of it to all of it */
	int pause_ms; /* the longest */
	int quick_size; /* bytes of a quick answer, 1..65536 */
	int receive_buffer; /* SO_RCVBUF of clients; 0: as it is */
	bool keepalive; /* the server probes silent clients each second */
	bool greets; /* the server speaks first */
	bool silent; /* clients never ask */
};

#define DIALOGUE_CLIENTS 1000

/* What both know of the connection from a client's port. */
struct dialogue_truth {
	unsigned int sent; /* requests that the client has sent, or is about to */
	unsigned int asked, answered; /* requests that the server has read; answers begun */
	unsigned long long since_ns; /* CLOCK_MONOTONIC: the last of them, or accept() */
};

/* Opens the connections to 127.0.0.1:`port` where `listener` listens, and begins. */
void dialogue_start(const struct dialogue_plan *plan, int listener, unsigned int port);
/* All zero for a port that no client has. */
struct dialogue_truth dialogue_truth(unsigned int port);
unsigned long long dialogue_requests(void); /* so far */
void dialogue_stop(void);

#endif
