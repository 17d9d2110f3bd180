/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What benchmarks of whole programs need: namespaces and a directory of their
 * own, a web server that counts, programs that end with the benchmark, and what
 * they have used. Trouble ends the process with a message.
 */
#ifndef BGSWITCH_TESTS_CONTEST_H
#define BGSWITCH_TESTS_CONTEST_H

#include <stdio.h>
#include <sys/types.h>

#define CONTEST_PORT 18081 /* of nginx, on every address */

extern char contest_directory[];

/* Steps into network and mount namespaces with a bpffs, and makes the directory. */
void contest_begin(void);
void contest_end(void); /* removes the directory */

/* A file in the directory; the caller closes it. */
FILE *contest_create(const char *name);

/* Starts a program, without output; contest_stop() kills it. `words` ends with NULL. */
pid_t contest_start(const char *const *words);
void contest_stop(pid_t pid);

/* nginx, and how many requests it has had. */
pid_t contest_start_nginx(void);
unsigned long long contest_requests(void);

/* User and system time of a process so far, in microseconds, and its largest memory. */
double contest_cpu_us(pid_t pid);
double contest_memory_mib(pid_t pid);

/* The first line that a command prints; valid until the next call. */
const char *contest_version_of(const char *command);

#endif
