/* SPDX-License-Identifier: GPL-2.0-only */
/* What a check is: declared once for a service, run for each of its instances. */
#ifndef BGSWITCH_CHECK_H
#define BGSWITCH_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "check/secret.h"

enum check_kind {
	CHECK_TCP, /* a connection is taken */
	CHECK_HTTP,
	CHECK_HTTPS,
	CHECK_COMMAND, /* ends with status 0 in time */
	CHECK_NONE, /* health stays unknown */
};

#define CHECK_MAX_HEADERS 32
#define CHECK_MAX_STATUSES 16
#define CHECK_MAX_WORDS 64 /* of a command */

struct check_header {
	char *name;
	struct secret value;
};

/* HTTP status codes `first` to `last`, 100..599. */
struct check_statuses {
	unsigned short first, last;
};

/* Strings are owned; NULL stands for the default. See check_init() for the numbers. */
struct check {
	enum check_kind kind;
	unsigned int interval_ms; /* 10..3600000 */
	unsigned int fast_interval_ms; /* while something changes; at most interval_ms */
	unsigned int timeout_ms; /* of a whole check, 1..600000 */
	unsigned int rise, fall; /* 1..100 */
	/* HTTP and HTTPS */
	char *method; /* GET */
	char *path; /* "/" */
	char *host; /* the instance's address and port */
	struct check_header headers[CHECK_MAX_HEADERS];
	size_t header_count;
	struct check_statuses statuses[CHECK_MAX_STATUSES];
	size_t status_count; /* 0: 200-299 */
	char *body_contains;
	char *body_regex; /* POSIX extended, REG_NEWLINE off */
	unsigned int redirects; /* followed at the most; 0: none, 3xx is an answer like others */
	/* HTTPS */
	struct {
		char *ca; /* file of certificates; the system's */
		char *certificate, *key; /* files, PEM: the client's own */
		char *server_name; /* for SNI and verification; `host` without port, else the
				      address */
		bool insecure; /* the server's certificate is not verified */
	} tls;
	/* COMMAND */
	char **command; /* ended by NULL; run without a shell, as the agent's user */
};

/* DESIGN's defaults: a TCP connection every second, 250 ms while changing, 2 s, rise 2, fall 3. */
void check_init(struct check *check);
void check_free(struct check *check);

/* "tcp", "http", "https", "command", "none"; -1 for anything else. */
const char *check_kind_name(enum check_kind kind);
int check_kind_parse(const char *text);

#define CHECK_TEXT 256
#define CHECK_BODY 96 /* first bytes of a body that are kept */

/* How one run of a check ended. */
struct check_result {
	bool ok;
	unsigned int status; /* HTTP status, or exit status of a command; 0: it came to none */
	unsigned int duration_us;
	long long ended_ms; /* CLOCK_REALTIME */
	char sent[CHECK_TEXT]; /* "GET /health to 127.0.0.1:8081": no header values */
	char error[CHECK_TEXT]; /* in words; empty when ok */
	char body[CHECK_BODY]; /* beginning of the answer (or command's output), control characters
				  replaced */
};

#endif
