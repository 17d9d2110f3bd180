/* SPDX-License-Identifier: GPL-2.0-only */
#include "inspection.h"

#include <poll.h>
#include <stdlib.h>

#include "check/prober.h"
#include "switch/health.h"
#include "switch/service_check.h"
#include "text.h"

#define SERVICE_CHECK_MS 2000

struct probing {
	struct probe *probe;
	enum bgs_color color;
	const struct endpoint *address;
	struct check_result result;
	bool ended;
	size_t *left;
};

struct inspection {
	struct prober *prober;
	struct probing *probings;
	size_t count, left;
};

static void note(void *data, const struct check_result *result)
{
	struct probing *probing = data;

	probing->result = *result;
	probing->ended = true;
	(*probing->left)--;
	probe_remove(probing->probe);
	probing->probe = NULL;
}

static int add(struct inspection *inspection, const struct check *check, enum bgs_color color,
	       const struct endpoint *address, struct failure *failure)
{
	struct probing *probing = &inspection->probings[inspection->count];

	*probing =
		(struct probing){ .color = color, .address = address, .left = &inspection->left };
	inspection->count++;
	if (check->kind == CHECK_NONE)
		return 0;
	inspection->left++;
	probing->probe = prober_add(inspection->prober, check, address, note, probing, failure);
	return probing->probe ? 0 : -1;
}

static int run(struct inspection *inspection, const struct check *check,
	       const struct service *service, int color, struct failure *failure)
{
	for (enum bgs_color each = 0; each < BGS_COLORS; each++) {
		const struct color_spec *spec = &service->spec.colors[each];

		for (size_t place = 0; place < spec->count && (color < 0 || color == (int)each);
		     place++) {
			if (color_has(spec, place) &&
			    add(inspection, check, each, &spec->instances[place], failure))
				return -1;
		}
	}
	while (inspection->left) {
		struct pollfd ready = { .fd = prober_fd(inspection->prober), .events = POLLIN };

		poll(&ready, 1, -1); /* each check has its own time limit */
		prober_run(inspection->prober);
	}
	return 0;
}

static json_t *probing_json(const struct probing *probing)
{
	const struct check_result *result = &probing->result;
	char text[ENDPOINT_TEXT];
	json_t *object = json_pack(
		"{s:s}", "address",
		endpoint_format(text, &probing->address->key, probing->address->any_family));

	if (!probing->ended) /* there is no check */
		return object;
	json_object_set_new(object, "ok", json_boolean(result->ok));
	json_object_set_new(object, "status",
			    result->status ? json_integer(result->status) : json_null());
	json_object_set_new(object, "ms", json_real(result->duration_us / 1e3));
	json_object_set_new(object, "sent", text_json(result->sent));
	json_object_set_new(object, "error",
			    *result->error ? text_json(result->error) : json_null());
	json_object_set_new(object, "body", *result->body ? text_json(result->body) : json_null());
	return object;
}

static json_t *color_json(const struct inspection *inspection, const struct policy *policy,
			  enum bgs_color color)
{
	unsigned int total = 0, good = 0, bad = 0;
	json_t *instances = json_array();

	for (size_t i = 0; i < inspection->count; i++) {
		const struct probing *probing = &inspection->probings[i];

		if (probing->color != color)
			continue;
		total++;
		good += probing->ended && probing->result.ok;
		bad += probing->ended && !probing->result.ok;
		json_array_append_new(instances, probing_json(probing));
	}
	return json_pack("{s:s, s:o}", "health",
			 health_name(color_health(&policy->min_healthy, total, good, bad)),
			 "instances", instances);
}

/* The first listen address stands for the service. */
static json_t *check_service(const struct datapath *datapath, const struct service *service)
{
	struct service_check_result result = {};
	struct service_check *check;

	if (!service->spec.listen_count || !datapath_is_steering(datapath))
		return json_null();
	check = service_check_begin(datapath, service->slot, &service->spec.listen[0], &result);
	if (check) {
		struct pollfd ready = { .fd = service_check_fd(check), .events = POLLOUT };

		poll(&ready, 1, SERVICE_CHECK_MS);
		service_check_end(check, &result);
	}
	return service_check_json(&result);
}

static json_t *inspection_json(const struct inspection *inspection, const struct policy *policy,
			       const struct datapath *datapath, const struct service *service,
			       int color)
{
	json_t *colors = json_object();

	for (enum bgs_color each = 0; each < BGS_COLORS; each++) {
		if (color < 0 || color == (int)each)
			json_object_set_new(colors, color_name(each),
					    color_json(inspection, policy, each));
	}
	return json_pack("{s:s, s:s, s:o, s:o}", "service", service->spec.name, "active",
			 color_name(service->route.active), "service_check",
			 check_service(datapath, service), "colors", colors);
}

static int read_policy(const struct files *files, const struct service *service,
		       struct policy *policy, struct failure *failure)
{
	struct state *state;
	int err;

	if (files_open_state(files, &state, NULL, NULL, failure))
		return -1;
	err = state_policy(state, service->spec.name, &service->spec.flags, policy, failure);
	state_close(state);
	return err;
}

json_t *inspect_service(const struct datapath *datapath, const struct files *files,
			const struct service *service, int color, struct failure *failure)
{
	size_t most = service->spec.colors[BGS_BLUE].count + service->spec.colors[BGS_GREEN].count;
	struct inspection inspection = {};
	struct policy policy;
	json_t *object = NULL;

	if (read_policy(files, service, &policy, failure))
		return NULL;
	inspection.prober = prober_new(failure);
	inspection.probings = calloc(most + 1, sizeof(*inspection.probings));
	if (inspection.prober && inspection.probings &&
	    !run(&inspection, &policy.check, service, color, failure))
		object = inspection_json(&inspection, &policy, datapath, service, color);
	prober_free(inspection.prober);
	free(inspection.probings);
	policy_free(&policy);
	return object;
}
