/* SPDX-License-Identifier: GPL-2.0-only */
/* What a user should know about listeners that conflict, cannot serve, or are elsewhere. */
#ifndef BGSWITCH_DIAGNOSIS_H
#define BGSWITCH_DIAGNOSIS_H

#include <stddef.h>

#include "datapath/listeners.h"
#include "datapath/services.h"

struct warnings {
	char **texts;
	size_t count;
};

/* Adds a line; a line that does not fit into memory is lost. */
void warnings_add(struct warnings *warnings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void warnings_free(struct warnings *warnings);

/* Judges what listeners_scan() found. */
void diagnose_listeners(struct warnings *warnings, const struct datapath *datapath,
			const struct service *services, size_t service_count,
			const struct listener *listeners, size_t count);

/* Names missing kernel features and other programs on the same hook. */
void diagnose_datapath(struct warnings *warnings, const struct datapath *datapath);

#endif
