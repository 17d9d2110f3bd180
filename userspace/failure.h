/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What went wrong, for whom it concerns: modules fill it in, commands print
 * it. It says what was found and expected, and what to run next.
 */
#ifndef BGSWITCH_FAILURE_H
#define BGSWITCH_FAILURE_H

/* Exit codes are part of the outside interface (docs: "Exit codes"). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_USAGE = 1, /* arguments that cannot work */
	EXIT_SYSTEM = 2, /* kernel, permission or I/O */
	EXIT_REFUSED = 3, /* target cannot serve; nothing changed */
	EXIT_CUT = 4, /* switched, and connections were cut at the deadline */
	EXIT_ROLLED_BACK = 5, /* switched, then rolled back by itself */
	EXIT_AGENT = 6, /* the agent is needed and cannot be reached */
	EXIT_BUSY = 7, /* another operation is in progress */
};

struct failure {
	enum exit_code code;
	char what[512];
	char next[256]; /* the way out; never empty once set */
};

/* Fills in `failure` and returns -1, so that callers can `return failure_set(...)`. */
int failure_set(struct failure *failure, enum exit_code code, const char *next, const char *format,
		...) __attribute__((format(printf, 4, 5)));

/* The same for a system call that failed with `error` (positive errno). */
int failure_errno(struct failure *failure, int error, const char *next, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
