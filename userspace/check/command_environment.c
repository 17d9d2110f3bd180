/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/command_environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/probe.h"

static bool is_passed_on(const char *variable)
{
	static const char *const ours[] = {
		"NOTIFY_SOCKET=",    "WATCHDOG_PID=",  "WATCHDOG_USEC=",
		"LISTEN_PID=",	     "LISTEN_FDS=",    "LISTEN_FDNAMES=",
		"BGSWITCH_ADDRESS=", "BGSWITCH_HOST=", "BGSWITCH_PORT="
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (!strncmp(variable, ours[i], strlen(ours[i])))
			return false;
	}
	return true;
}

static size_t copy_environment(char **environment)
{
	size_t count = 0;

	for (char **variable = environ; *variable; variable++) {
		if (is_passed_on(*variable))
			environment[count++] = strdup(*variable);
	}
	return count;
}

static char *variable(const char *name, const char *value, size_t length)
{
	char *text;

	return asprintf(&text, "%s=%.*s", name, (int)length, value) < 0 ? NULL : text;
}

/* "[::1]:8081" is taken apart at its last colon, and out of its brackets. */
static size_t add_address(const struct probe *probe, char **environment)
{
	char address[ENDPOINT_TEXT];
	const char *host = probe_address_text(probe, address), *port = strrchr(address, ':') + 1;
	size_t length = (size_t)(port - 1 - host), brackets = *host == '[';

	environment[0] = variable("BGSWITCH_ADDRESS", address, strlen(address));
	environment[1] = variable("BGSWITCH_HOST", host + brackets, length - 2 * brackets);
	environment[2] = variable("BGSWITCH_PORT", port, strlen(port));
	return 3;
}

char **command_environment(const struct probe *probe)
{
	size_t room = 4, count;
	char **environment;

	for (char **name = environ; *name; name++)
		room++;
	environment = calloc(room, sizeof(*environment));
	if (!environment)
		return NULL;
	count = copy_environment(environment);
	count += add_address(probe, environment + count);
	for (size_t i = 0; i < count; i++) {
		if (environment[i])
			continue;
		for (size_t k = 0; k < count; k++)
			free(environment[k]);
		free(environment);
		return NULL;
	}
	return environment;
}

void command_environment_free(char **environment)
{
	for (size_t i = 0; environment && environment[i]; i++)
		free(environment[i]);
	free(environment);
}
