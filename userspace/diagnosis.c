/* SPDX-License-Identifier: GPL-2.0-only */
#include "diagnosis.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/connections.h"
#include "datapath/neighbours.h"

#define PROTOCOL_MPTCP 262 /* IPPROTO_MPTCP */

void warnings_add(struct warnings *warnings, const char *format, ...)
{
	char **texts = reallocarray(warnings->texts, warnings->count + 1, sizeof(*texts));
	va_list args;
	int length;

	if (!texts)
		return;
	warnings->texts = texts;
	va_start(args, format);
	length = vasprintf(&texts[warnings->count], format, args);
	va_end(args);
	if (length >= 0)
		warnings->count++;
}

void warnings_free(struct warnings *warnings)
{
	for (size_t i = 0; i < warnings->count; i++)
		free(warnings->texts[i]);
	free(warnings->texts);
	*warnings = (struct warnings){};
}

static const struct service *find_slot(const struct service *services, size_t count, __u32 slot)
{
	for (size_t i = 0; i < count; i++) {
		if (services[i].slot == slot)
			return &services[i];
	}
	return NULL;
}

static const char *describe_process(char text[64], const struct listener *listener)
{
	if (listener->pid)
		snprintf(text, 64, "%s (pid %d)", listener->comm, (int)listener->pid);
	else
		snprintf(text, 64, "a process we cannot see");
	return text;
}

static void diagnose_conflict(struct warnings *warnings, const struct service *service,
			      const struct listener *listener)
{
	char address[ENDPOINT_TEXT], process[64];

	warnings_add(warnings,
		     "%s: %s listens on the service's own address %s and gets %s of its new "
		     "connections while bgswitch steers; stop it or give it another port",
		     service->spec.name, describe_process(process, listener),
		     endpoint_format(address, &listener->report.address, false),
		     service->spec.flags.pass_when_empty ? "only what no instance takes" : "none");
}

/* It listens everywhere on a port on which services have specific addresses. */
static void diagnose_cover(struct warnings *warnings, const struct service *services, size_t count,
			   const struct listener *listener)
{
	const struct bgs_report *report = &listener->report;
	char address[ENDPOINT_TEXT], own[ENDPOINT_TEXT], process[64];

	for (size_t i = 0; i < count; i++) {
		const struct service_spec *spec = &services[i].spec;

		for (size_t k = 0; k < spec->listen_count; k++) {
			const struct bgs_endpoint *listen = &spec->listen[k];
			enum bgs_family family = endpoint_is_v4(listen) ? BGS_V4 : BGS_V6;

			if (listen->port != report->address.port || endpoint_is_wildcard(listen) ||
			    !(report->families & 1 << family))
				continue;
			warnings_add(warnings,
				     "%s: %s listens on %s, which covers the service's own address "
				     "%s; what arrives there goes to the service",
				     spec->name, describe_process(process, listener),
				     endpoint_format(address, &report->address, false),
				     endpoint_format(own, listen, false));
		}
	}
}

static const char *reason(const struct bgs_report *report)
{
	if (report->protocol == PROTOCOL_MPTCP)
		return "it is an MPTCP socket, which the kernel keeps out of socket maps; start "
		       "it with plain TCP (Go programs: GODEBUG=multipathtcp=0)";
	switch (-report->error) {
	case EBUSY:
	case EINVAL:
		return "another kernel user (a TLS or other upper-layer protocol, or another "
		       "socket map) holds the socket; start it without that";
	case ENOSPC:
		return "the instance has as many listeners as can be registered; it serves only "
		       "while one of those lives; run fewer workers";
	case E2BIG:
		return "the socket map is full; declare fewer instances";
	default:
		return strerror(-report->error);
	}
}

static void diagnose_backend(struct warnings *warnings, const struct service *service,
			     const struct listener *listener)
{
	const struct bgs_report *report = &listener->report;
	char address[ENDPOINT_TEXT], process[64];

	if (!report->error)
		return;
	warnings_add(warnings, "%s: %s on %s (%s) cannot serve: %s", service->spec.name,
		     describe_process(process, listener),
		     endpoint_format(address, &report->address, false),
		     color_name(BGS_INSTANCE_COLOR(report->number)), reason(report));
}

static void diagnose_foreign(struct warnings *warnings, const struct service *service,
			     const struct listener *listener)
{
	const struct bgs_report *report = &listener->report;
	char address[ENDPOINT_TEXT], process[64];

	warnings_add(warnings,
		     "%s: %s listens on %s (%s) in another network namespace and cannot serve "
		     "from there; run it in this one, or bgswitch in that one (--netns)",
		     service->spec.name, describe_process(process, listener),
		     endpoint_format(address, &report->address, false),
		     color_name(BGS_INSTANCE_COLOR(report->number)));
}

/* Reports are sorted by number: of an instance's failures that are alike, one is enough. */
static bool is_repeated(const struct listener *listeners, size_t i)
{
	const struct bgs_report *report = &listeners[i].report, *last;

	if (!i)
		return false;
	last = &listeners[i - 1].report;
	return last->kind == report->kind && last->number == report->number &&
	       last->error == report->error && listeners[i - 1].pid == listeners[i].pid;
}

void diagnose_listeners(struct warnings *warnings, const struct datapath *datapath,
			const struct service *services, size_t service_count,
			const struct listener *listeners, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct listener *listener = &listeners[i];
		__u32 number = listener->report.number;
		bool conflict = listener->report.kind == BGS_REPORT_CONFLICT;
		const struct service *service = find_slot(
			services, service_count, conflict ? number : BGS_INSTANCE_SLOT(number));

		if (conflict && number == BGS_ANY_SERVICE)
			diagnose_cover(warnings, services, service_count, listener);
		if (!service)
			continue;
		if (conflict)
			diagnose_conflict(warnings, service, listener);
		else if (listener->report.kind == BGS_REPORT_BACKEND && !is_repeated(listeners, i))
			diagnose_backend(warnings, service, listener);
		else if (!instance_is_listening(datapath, number))
			/* Other namespaces are full of the same ports; only a missing one matters.
			 */
			diagnose_foreign(warnings, service, listener);
	}
}

void diagnose_datapath(struct warnings *warnings, const struct datapath *datapath)
{
	const char *missing = datapath_missing_registration(datapath);
	struct neighbour neighbours[MAX_NEIGHBOURS];
	size_t count = neighbours_find(datapath, neighbours);

	if (missing)
		warnings_add(warnings, "%s", missing);
	missing = datapath_missing_adoption(datapath);
	if (missing)
		warnings_add(warnings, "%s", missing);
	missing = datapath_missing_accounting(datapath);
	if (missing)
		warnings_add(warnings, "%s", missing);
	for (size_t i = 0; i < count; i++)
		warnings_add(warnings,
			     "another sk_lookup program is attached to this network namespace: "
			     "%s (id %u); of several, the last one that selects a socket wins",
			     neighbours[i].name, neighbours[i].id);
}
