/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/http_expect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"

static const struct check_statuses good[] = { { 200, 299 } };

int http_expect_prepare(const struct check *check, regex_t **regex, struct failure *failure)
{
	char words[128];
	int err;

	*regex = NULL;
	if (!check->body_regex)
		return 0;
	*regex = malloc(sizeof(**regex));
	if (!*regex)
		return failure_errno(failure, ENOMEM, "free some memory", "cannot add a check");
	err = regcomp(*regex, check->body_regex, REG_EXTENDED | REG_NOSUB);
	if (!err)
		return 0;
	regerror(err, *regex, words, sizeof(words));
	free(*regex);
	*regex = NULL;
	return failure_set(failure, EXIT_USAGE, "write a POSIX extended regular expression",
			   "regular expression '%s': %s", check->body_regex, words);
}

void http_expect_free(regex_t *regex)
{
	if (regex)
		regfree(regex);
	free(regex);
}

static const struct check_statuses *expected(const struct check *check, size_t *count)
{
	*count = check->status_count ? check->status_count : 1;
	return check->status_count ? check->statuses : good;
}

/* "200-299, 301" */
static void list_statuses(const struct check *check, char text[CHECK_TEXT])
{
	size_t count, used = 0;
	const struct check_statuses *statuses = expected(check, &count);

	for (size_t i = 0; i < count && used < CHECK_TEXT; i++) {
		used += (size_t)snprintf(text + used, CHECK_TEXT - used, "%s%u", i ? ", " : "",
					 statuses[i].first);
		if (statuses[i].last != statuses[i].first && used < CHECK_TEXT)
			used += (size_t)snprintf(text + used, CHECK_TEXT - used, "-%u",
						 statuses[i].last);
	}
}

bool http_expect_status(const struct check *check, unsigned int status, struct check_result *result)
{
	size_t count;
	const struct check_statuses *statuses = expected(check, &count);
	char text[CHECK_TEXT];

	for (size_t i = 0; i < count; i++) {
		if (statuses[i].first <= status && status <= statuses[i].last)
			return true;
	}
	list_statuses(check, text);
	probe_fail(result, "status %u, expected %s", status, text);
	return false;
}

static bool matches(const regex_t *regex, const char *body, size_t length)
{
	regmatch_t range = { .rm_so = 0, .rm_eo = (regoff_t)length };

	return !regexec(regex, body, 1, &range, REG_STARTEND);
}

static bool expect_body(const struct check *check, const regex_t *regex,
			const struct http_answer *answer, struct check_result *result)
{
	const char *body = answer->body ? answer->body : "";
	size_t length = answer->body_length;

	if (check->body_contains &&
	    !memmem(body, length, check->body_contains, strlen(check->body_contains))) {
		probe_fail(result, "body does not contain '%s'", check->body_contains);
		return false;
	}
	if (regex && !matches(regex, body, length)) {
		probe_fail(result, "body does not match '%s'", check->body_regex);
		return false;
	}
	return true;
}

void http_expect_judge(const struct check *check, const regex_t *regex, unsigned int status,
		       const struct http_answer *answer, struct check_result *result)
{
	result->status = status;
	probe_keep_body(result, answer->beginning, answer->body_length);
	result->ok = http_expect_status(check, status, result) &&
		     expect_body(check, regex, answer, result);
}
