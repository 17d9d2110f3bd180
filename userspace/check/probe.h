/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside the prober: the engine, and what it asks of each way of probing. */
#ifndef BGSWITCH_PROBE_H
#define BGSWITCH_PROBE_H

#include <netinet/in.h>
#include <stdint.h>

#include "check/prober.h"
#include "check/socket_pool.h"
#include "check/timetable.h"
#include "check/watch.h"

#define PROBE_ADDRESSES 2 /* 127.0.0.1 and ::1 for a bare port */

struct probe_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

/*
 * A way of probing. Exactly one probe_end() answers each begin(), unless
 * expire() or stop() comes before.
 */
struct probe_way {
	int (*prepare)(struct probe *probe, struct failure *failure);
	void (*begin)(struct probe *probe);
	/* Time is up: says so in `result`, and stops. */
	void (*expire)(struct probe *probe, struct check_result *result);
	void (*stop)(struct probe *probe);
	void (*describe)(const struct probe *probe, char sent[CHECK_TEXT]);
	void (*dispose)(struct probe *probe); /* also after a prepare() that failed */
};

extern const struct probe_way probe_tcp, probe_http, probe_curl, probe_command;

struct probe {
	struct timetable_entry entry; /* its next beginning, or while it runs its deadline */
	struct prober *prober;
	struct probe *next, *previous;
	const struct check *check;
	const struct probe_way *way;
	void *private; /* of the way */
	probe_done *done;
	void *data;
	uint64_t planned_ns; /* the beginning of this check, or of the next */
	uint64_t begun_ns;
	bool running, hurried, fast, held;
	bool begun_before; /* the first has no plan and no phase */
	unsigned char address_count, address_now; /* which one is tried */
	struct probe_address addresses[PROBE_ADDRESSES];
};

struct prober {
	struct watches watches;
	int timer;
	uint64_t armed_ns; /* when the timer fires; 0: it does not */
	bool in_run;
	uint64_t random;
	struct timetable timetable;
	struct probe *probes;
	struct socket_pool sockets;
	struct transfers *transfers; /* libcurl's side; NULL until something needs it */
	struct command_run *runs; /* commands that were killed and are not reaped yet */
	struct prober_statistics statistics;
	char buffer[16384]; /* for one read */
};

/* CLOCK_MONOTONIC */
uint64_t probe_now(void);

/* The check is over: takes the time, plans the next, tells. `probe` may be gone afterwards. */
void probe_end(struct probe *probe, struct check_result *result);

/* Says what went wrong, in words. */
void probe_fail(struct check_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* An errno in lower case words as the others are: "connection refused". */
void probe_fail_errno(struct check_result *result, int error);

/* The same for a connection that did not come about at any of its addresses. */
void probe_fail_connect(const struct probe *probe, struct check_result *result, int error);

/* Keeps the beginning of `bytes`, fit to be shown. */
void probe_keep_body(struct check_result *result, const char *bytes, size_t length);

/* "2s", "250ms": the check's timeout. */
const char *probe_timeout(const struct probe *probe);

/* Where `instance` is reached; fills in `addresses`. */
void probe_find_addresses(struct probe *probe, const struct endpoint *instance);

/* "127.0.0.1:8081", the address that is tried. */
const char *probe_address_text(const struct probe *probe, char text[ENDPOINT_TEXT]);

/* After a refusal: goes on to the next address if there is one. */
bool probe_next_address(struct probe *probe);

/* Frees what libcurl's and the commands' side keep for all probes. */
void transfers_free(struct transfers *transfers);
void command_runs_end(struct prober *prober);

#endif
