/* SPDX-License-Identifier: GPL-2.0-only */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

size_t words_count(char *const words[])
{
	size_t count = 0;

	while (words && words[count])
		count++;
	return count;
}

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_"

/* Within quotes only a quote needs more. */
static void quote(FILE *out, const char *word)
{
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	}
	fputc('\'', out);
}

const char *words_quote(char *text, size_t size, char *const words[])
{
	FILE *out = fmemopen(text, size, "w");

	*text = '\0';
	if (!out)
		return text;
	for (size_t i = 0; words && words[i]; i++) {
		if (i)
			fputc(' ', out);
		if (*words[i] && !words[i][strspn(words[i], PLAIN)])
			fputs(words[i], out);
		else
			quote(out, words[i]);
	}
	fclose(out);
	text[size - 1] = '\0';
	return text;
}
