/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/tail.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "check/utf8.h"

#define CUT "..."

void tail_add(struct tail *tail, const char *bytes, size_t length)
{
	size_t excess;

	if (length > TAIL_SIZE) {
		bytes += length - TAIL_SIZE;
		length = TAIL_SIZE;
	}
	if (tail->length + length > TAIL_SIZE) {
		excess = tail->length + length - TAIL_SIZE;
		memmove(tail->bytes, tail->bytes + excess, tail->length - excess);
		tail->length -= excess;
	}
	memcpy(tail->bytes + tail->length, bytes, length);
	tail->length += length;
}

static bool is_blank(char byte)
{
	return !byte || isspace((unsigned char)byte);
}

void tail_last_line(const struct tail *tail, char *line, size_t size)
{
	const char *end = tail->bytes + tail->length, *begin;
	size_t length;
	bool cut;

	while (end > tail->bytes && is_blank(end[-1]))
		end--;
	begin = end;
	while (begin > tail->bytes && begin[-1] != '\n' && begin[-1] != '\r')
		begin--;
	while (begin < end && is_blank(*begin))
		begin++;
	length = end - begin;
	cut = length >= size;
	if (cut) {
		length = size - sizeof(CUT);
		while (length && ((unsigned char)begin[length] & 0xc0) == 0x80)
			length--; /* never half a character */
	}
	memcpy(line, begin, length);
	line[length] = '\0';
	for (char *nul; (nul = memchr(line, '\0', length));)
		*nul = '?'; /* one inside would hide the rest */
	utf8_defuse(line);
	if (cut)
		strcat(line, CUT);
}
