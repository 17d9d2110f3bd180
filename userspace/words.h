/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of strings ended by NULL, as execve(2) takes arguments and environment. */
#ifndef BGSWITCH_WORDS_H
#define BGSWITCH_WORDS_H

#include <stddef.h>

/* Frees list and strings; NULL is fine. */
void words_free(char **words);

/* NULL is an empty list. */
size_t words_count(char *const words[]);

/*
 * The list as a shell would read it, for people to copy: "systemctl stop 'a b'".
 * Cut off where `text` is full; returns `text`.
 */
const char *words_quote(char *text, size_t size, char *const words[]);

#endif
