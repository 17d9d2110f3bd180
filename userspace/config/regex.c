/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "config/read.h"

#define MAX_LENGTH 256
#define MAX_REPEATS 1000

/*
 * The C library writes a repeated part out as often as it is repeated, and
 * parts that hold others multiply: all counts together are kept small.
 */
static bool repeats_little(const char *regex)
{
	unsigned long product = 1;

	while ((regex = strchr(regex, '{'))) {
		unsigned long most = 1;

		for (regex++; isdigit((unsigned char)*regex) || *regex == ',';) {
			char *end;
			unsigned long count = strtoul(regex + (*regex == ','), &end, 10);

			most = count > most ? count : most;
			regex = end > regex ? end : regex + 1;
		}
		if (most > MAX_REPEATS || (product *= most) > MAX_REPEATS)
			return false;
	}
	return true;
}

/* "\1" is an extension that makes matching exponential. */
static bool refers_back(const char *regex)
{
	while ((regex = strchr(regex, '\\')) && regex[1]) {
		if (isdigit((unsigned char)regex[1]))
			return true;
		regex += 2;
	}
	return false;
}

int regex_check(struct reader *reader, const yaml_node_t *node)
{
	const char *text = reader_text(reader, node);
	char problem[128];
	regex_t regex;
	int err;

	if (!text)
		return -1;
	if (!*text)
		return reader_fail(reader, node, "no value given");
	if (strlen(text) > MAX_LENGTH)
		return reader_reject(reader, node, "is longer than %d bytes", MAX_LENGTH);
	if (!repeats_little(text))
		return reader_reject(reader, node, "repeats more than %d times, all taken together",
				     MAX_REPEATS);
	if (refers_back(text))
		return reader_reject(reader, node,
				     "refers back to a group, which is slow to match");
	err = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
	if (!err) {
		regfree(&regex);
		return 0;
	}
	regerror(err, &regex, problem, sizeof(problem));
	return reader_reject(reader, node, "is not an extended regular expression: %s", problem);
}
