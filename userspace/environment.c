/* SPDX-License-Identifier: GPL-2.0-only */
#include "environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "words.h"

bool environment_is_any(const char *variable, const char *const names[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(names[i]);

		if (!strncmp(variable, names[i], length) && variable[length] == '=')
			return true;
	}
	return false;
}

static int add(char **environment, size_t *count, const char *variable)
{
	environment[*count] = strdup(variable);
	return environment[*count] ? ++*count, 0 : -1;
}

char **environment_make(bool (*is_passed_on)(const char *variable), const char *const added[],
			size_t count)
{
	char **environment = calloc(words_count(environ) + count + 1, sizeof(*environment));
	size_t made = 0;
	int err = environment ? 0 : -1;

	for (char **variable = environ; !err && variable && *variable; variable++) {
		if (is_passed_on(*variable))
			err = add(environment, &made, *variable);
	}
	for (size_t i = 0; !err && i < count; i++)
		err = add(environment, &made, added[i]);
	if (!err)
		return environment;
	words_free(environment);
	return NULL;
}
