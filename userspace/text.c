/* SPDX-License-Identifier: GPL-2.0-only */
#include "text.h"

#include <stdlib.h>
#include <string.h>

void text_defuse(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
	}
}

json_t *text_json(const char *text)
{
	json_t *string = json_string(text);
	char *copy = string ? NULL : strdup(text);

	if (!copy)
		return string;
	for (char *byte = copy; *byte; byte++) {
		if ((unsigned char)*byte > 127)
			*byte = '?';
	}
	string = json_string(copy);
	free(copy);
	return string;
}
