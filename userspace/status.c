/* SPDX-License-Identifier: GPL-2.0-only */
#include "status.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "version.h"

static int by_number(const void *left, const void *right)
{
	const struct listener *a = left, *b = right;

	if (a->report.number != b->report.number)
		return a->report.number < b->report.number ? -1 : 1;
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static bool all_listening(const struct status *status)
{
	for (size_t i = 0; i < status->service_count; i++) {
		const struct service *service = &status->services[i];

		for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
			for (size_t place = 0; place < service->spec.colors[color].count; place++) {
				__u32 number = BGS_INSTANCE(service->slot, color, place);

				if (color_has(&service->spec.colors[color], place) &&
				    !instance_is_listening(status->datapath, number))
					return false;
			}
		}
	}
	return true;
}

/* Interfaces are found by index; one that is gone steers nothing. */
static void diagnose_interfaces(struct status *status)
{
	if (!status->interfaces.count)
		warnings_add(&status->warnings,
			     "only loopback is steered: the last attach or detach was cut short; "
			     "run 'bgswitch attach IF' or 'bgswitch detach all'");
	for (size_t i = 0; i < status->interfaces.count; i++) {
		const struct interface *interface = &status->interfaces.items[i];
		struct interface now;
		struct failure unused;

		if (!interface_find(&now, interface->name, &unused) &&
		    now.index == interface->index)
			continue;
		if (interface->index >= INTERFACE_AWAITED)
			warnings_add(&status->warnings,
				     "interface %s is not there yet; the agent attaches it when it "
				     "comes",
				     interface->name);
		else
			warnings_add(&status->warnings,
				     "interface %s (index %u) is gone or came back under another "
				     "index; run 'bgswitch attach %s' when it is there",
				     interface->name, interface->index, interface->name);
	}
}

int status_read(struct status *status, const struct datapath *datapath, struct failure *failure)
{
	ssize_t count;

	memset(status, 0, sizeof(*status));
	status->pin_dir = datapath->place->pin_dir;
	if (!datapath_exists(datapath->place))
		return 0;
	status->datapath = datapath;
	count = services_read(datapath, &status->services, failure);
	if (count < 0)
		return -1;
	status->service_count = count;
	if (!datapath_is_steering(datapath)) {
		warnings_add(&status->warnings, "nothing is steered: the last attach or detach was "
						"cut short; run it again");
	} else {
		interfaces_list(datapath, &status->interfaces);
		diagnose_interfaces(status);
	}
	/* First, so that a listener nobody registered yet counts below. */
	count = listeners_scan(datapath, false, &status->listeners, failure);
	if (count >= 0 && !all_listening(status)) {
		free(status->listeners);
		count = listeners_scan(datapath, true, &status->listeners, failure);
	}
	if (count < 0) {
		status_free(status);
		return -1;
	}
	status->listener_count = count;
	if (status_connections_read(&status->connections, datapath, failure)) {
		status_free(status);
		return -1;
	}
	if (count)
		qsort(status->listeners, count, sizeof(*status->listeners), by_number);
	diagnose_listeners(&status->warnings, status->datapath, status->services,
			   status->service_count, status->listeners, status->listener_count);
	diagnose_datapath(&status->warnings, datapath);
	return 0;
}

void status_free(struct status *status)
{
	free(status->services);
	free(status->listeners);
	status_connections_free(&status->connections);
	warnings_free(&status->warnings);
	status->services = NULL;
	status->listeners = NULL;
}

static bool serves(const struct listener *listener)
{
	return listener->report.kind == BGS_REPORT_BACKEND && !listener->report.error;
}

const struct listener *status_listener(const struct status *status, __u32 number)
{
	size_t low = 0, high = status->listener_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (status->listeners[middle].report.number < number)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < status->listener_count; low++) {
		if (status->listeners[low].report.number != number)
			break;
		if (serves(&status->listeners[low]))
			return &status->listeners[low];
	}
	return NULL;
}

bool status_is_listening(const struct status *status, __u32 number)
{
	/* A listener that called shutdown() may still be in the map; the walk leaves it out. */
	return datapath_missing_adoption(status->datapath)
		       ? instance_is_listening(status->datapath, number)
		       : status_listener(status, number) != NULL;
}

const char *status_role(const struct service *service, enum bgs_color color)
{
	return service->route.active == color ? "active" : "standby";
}

unsigned int status_share(const struct service *service, enum bgs_color color)
{
	unsigned int split = service->route.split_bp;

	return service->route.active == color ? BGS_SPLIT_MAX - split : split;
}

static json_t *instance_json(const struct status *status, const struct service *service,
			     enum bgs_color color, size_t place)
{
	const struct endpoint *endpoint = &service->spec.colors[color].instances[place];
	__u32 number = BGS_INSTANCE(service->slot, color, place);
	const struct listener *listener = status_listener(status, number);
	bool listening = status_is_listening(status, number);
	char text[ENDPOINT_TEXT];

	/* Checks come with the agent; until then health is unknown and nothing was checked. */
	return json_pack(
		"{s:s, s:b, s:b, s:s, s:o, s:o, s:o, s:n}", "address",
		endpoint_format(text, &endpoint->key, endpoint->any_family), "listening", listening,
		"in_rotation", (int)(service->enabled[color] >> place & 1), "health", "unknown",
		"pid", listener && listener->pid ? json_integer(listener->pid) : json_null(),
		"comm", listener && listener->pid ? text_json(listener->comm) : json_null(),
		"connections", status_connections_instance(&status->connections, number),
		"last_check");
}

static json_t *color_json(const struct status *status, const struct service *service,
			  enum bgs_color color, const struct bgs_counters *counters)
{
	const struct color_spec *spec = &service->spec.colors[color];
	json_t *instances = json_array(), *connections;
	bool zero;

	for (size_t place = 0; place < spec->count; place++) {
		if (color_has(spec, place))
			json_array_append_new(instances,
					      instance_json(status, service, color, place));
	}
	connections = status_connections_color(&status->connections, service, color, &zero);
	return json_pack("{s:s, s:s, s:n, s:o, s:o, s:I, s:o}", "role", status_role(service, color),
			 "health", "unknown", "stop", "safe_to_stop",
			 status_safe_to_stop(&status->connections, service, color, zero),
			 "connections", connections, "steered_total",
			 (json_int_t)counters->steered[color], "instances", instances);
}

static json_t *service_json(const struct status *status, const struct service *service)
{
	json_t *listen = json_array(), *colors = json_object();
	const struct bgs_flags *flags = &service->spec.flags;
	struct bgs_counters counters;
	char text[ENDPOINT_TEXT];

	service_counters(status->datapath, service->slot, &counters);
	for (size_t i = 0; i < service->spec.listen_count; i++)
		json_array_append_new(listen, json_string(endpoint_format(
						      text, &service->spec.listen[i], false)));
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		json_object_set_new(colors, color_name(color),
				    color_json(status, service, color, &counters));
	return json_pack("{s:s, s:o, s:s, s:s, s:{s:i, s:i}, s:{s:b, s:s, s:s}, "
			 "s:{s:I, s:I, s:I, s:I, s:I}, s:o}",
			 "name", service->spec.name, "listen", listen, "state", "steady", "active",
			 color_name(service->route.active), "split", "blue",
			 (int)status_share(service, BGS_BLUE), "green",
			 (int)status_share(service, BGS_GREEN), "settings", "failover",
			 flags->failover, "on_empty", flags->pass_when_empty ? "pass" : "refuse",
			 "affinity", flags->by_connection ? "connection" : "client", "counters",
			 "failover_total", (json_int_t)counters.failover, "refused_total",
			 (json_int_t)counters.refused, "passed_total", (json_int_t)counters.passed,
			 "errors_total", (json_int_t)counters.errors, "previewed_total",
			 (json_int_t)counters.previewed, "colors", colors);
}

json_t *status_services_json(const struct status *status)
{
	json_t *services = json_array();

	for (size_t i = 0; i < status->service_count; i++)
		json_array_append_new(services, service_json(status, &status->services[i]));
	return services;
}

static json_t *interface_json(const struct interface *interface)
{
	bool awaited = interface->index >= INTERFACE_AWAITED;

	return json_pack("{s:o, s:o}", "ifname", text_json(interface->name), "ifindex",
			 awaited ? json_null() : json_integer(interface->index));
}

json_t *status_json(const struct status *status)
{
	json_t *attached = json_array(), *warnings = json_array();

	for (size_t i = 0; i < status->interfaces.count; i++)
		json_array_append_new(attached, interface_json(&status->interfaces.items[i]));
	for (size_t i = 0; i < status->warnings.count; i++)
		json_array_append_new(warnings, text_json(status->warnings.texts[i]));
	return json_pack("{s:i, s:s, s:o, s:{s:b, s:n}, s:o, s:o, s:o}", "schema", 1, "version",
			 BGSWITCH_VERSION, "pin_dir", text_json(status->pin_dir), "agent",
			 "running", 0, "pid", "attached", attached, "services",
			 status_services_json(status), "warnings", warnings);
}
