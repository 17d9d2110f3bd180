/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/utf8.h"

#include <stddef.h>

/* Bytes of the valid character that begins here, 0 when there is none (RFC 3629). */
static size_t character(const unsigned char *text)
{
	static const struct {
		unsigned char first, last; /* of the first byte */
		unsigned char low, high; /* of the second */
		size_t length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last)
			continue;
		if (text[1] < forms[i].low || text[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++) {
			if (text[k] < 0x80 || text[k] > 0xbf)
				return 0;
		}
		/* U+0080 to U+009F are control characters too. */
		return text[0] == 0xc2 && text[1] < 0xa0 ? 0 : forms[i].length;
	}
	return 0;
}

void utf8_defuse(char *text)
{
	size_t length;

	for (unsigned char *byte = (unsigned char *)text; *byte; byte += length) {
		length = 1;
		if (*byte >= ' ' && *byte < 127)
			continue;
		length = *byte > 127 ? character(byte) : 0;
		if (!length) {
			*byte = '?';
			length = 1;
		}
	}
}
