/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that others chose (processes, interfaces, files), made fit to be shown. */
#ifndef BGSWITCH_TEXT_H
#define BGSWITCH_TEXT_H

#include <jansson.h>

/* Replaces control characters, which a terminal would obey, by '?', in place. */
void text_defuse(char *text);

/* A JSON string; what is not UTF-8 gets '?' for each byte above 127. */
json_t *text_json(const char *text);

#endif
