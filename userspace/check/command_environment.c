/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/command_environment.h"

#include <stdio.h>
#include <string.h>

#include "check/probe.h"
#include "environment.h"

#define VARIABLE (ENDPOINT_TEXT + 32)

/* What is between systemd and us, and what we say ourselves. */
static bool is_passed_on(const char *variable)
{
	static const char *const ours[] = { "NOTIFY_SOCKET",	"WATCHDOG_PID",	 "WATCHDOG_USEC",
					    "LISTEN_PID",	"LISTEN_FDS",	 "LISTEN_FDNAMES",
					    "BGSWITCH_ADDRESS", "BGSWITCH_HOST", "BGSWITCH_PORT" };

	return !environment_is_any(variable, ours, sizeof(ours) / sizeof(ours[0]));
}

/* "[::1]:8081" is taken apart at its last colon, and out of its brackets. */
char **command_environment(const struct probe *probe)
{
	char text[ENDPOINT_TEXT], variables[3][VARIABLE];
	const char *const added[] = { variables[0], variables[1], variables[2] };
	const char *host = probe_address_text(probe, text), *port = strrchr(text, ':') + 1;
	size_t length = (size_t)(port - 1 - host), brackets = *host == '[';

	snprintf(variables[0], VARIABLE, "BGSWITCH_ADDRESS=%s", text);
	snprintf(variables[1], VARIABLE, "BGSWITCH_HOST=%.*s", (int)(length - 2 * brackets),
		 host + brackets);
	snprintf(variables[2], VARIABLE, "BGSWITCH_PORT=%s", port);
	return environment_make(is_passed_on, added, sizeof(added) / sizeof(added[0]));
}
