/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole numbers as people write them: decimal digits and nothing else. */
#ifndef BGSWITCH_NUMBER_H
#define BGSWITCH_NUMBER_H

#include <stdbool.h>

/* Reads 0..most; `value` is left alone unless this returns true. */
bool number_parse(const char *text, unsigned int most, unsigned int *value);

#endif
