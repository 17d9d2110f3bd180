/* SPDX-License-Identifier: GPL-2.0-only */
#include "words.h"

#include <stdlib.h>

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
