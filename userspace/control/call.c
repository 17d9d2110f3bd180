/* SPDX-License-Identifier: GPL-2.0-only */
/* One call: whom it reaches, whether it may, and its replies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/connection.h"
#include "text.h"

/* ---- from the client to the method */

static const struct control_method *find(const struct control_method *methods, const char *name)
{
	for (; methods->name; methods++)
		if (!strcmp(methods->name, name))
			return methods;
	return NULL;
}

static void run(struct call *call, const struct varlink_call *request)
{
	const struct control *control = call->connection->control;
	const char *name = request->method + request->interface + 1;
	const struct control_method *method;
	void *data = control->setup.data;

	if (!strncmp(request->method, CONTROL_INTERFACE ".", request->interface + 1)) {
		method = find(control->setup.methods, name);
	} else if (!strncmp(request->method, VARLINK_SERVICE ".", request->interface + 1)) {
		method = find(builtin_methods, name);
		data = call->connection->control;
	} else {
		call_fail_service(
			call, "InterfaceNotFound",
			json_pack("{s:s%}", "interface", request->method, request->interface));
		return;
	}
	if (!method)
		call_fail_service(call, "MethodNotFound",
				  json_pack("{s:s}", "method", request->method));
	else if (!method->run)
		call_fail_service(call, "MethodNotImplemented",
				  json_pack("{s:s}", "method", request->method));
	else if (!access_allows(&control->groups, &call->connection->peer, method->access))
		call_fail_service(call, "PermissionDenied", NULL);
	else
		method->run(call, request->parameters, data);
}

static struct call *new_call(struct connection *connection, const struct varlink_call *request)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->connection = connection;
	call->more = request->more;
	call->oneway = request->oneway;
	connection->call = call;
	return call;
}

static void begin(struct connection *connection, const struct varlink_call *request)
{
	struct call *call = request->parameters ? new_call(connection, request) : NULL;

	if (call)
		run(call, request);
	else
		connection->broken = true; /* no memory */
}

/* What does not read as a call is answered even if it says "oneway", and is the last. */
static void refuse(struct connection *connection, const char *wrong)
{
	connection->closing = true;
	connection_send(connection, varlink_error(VARLINK_SERVICE ".InvalidParameter",
						  json_pack("{s:s}", "parameter", wrong)));
}

void call_begin(struct connection *connection, json_t *message)
{
	struct varlink_call request;
	const char *wrong = varlink_read_call(&request, message);
	json_t *none = NULL;

	if (!wrong && !request.parameters)
		request.parameters = none = json_object();
	if (connection->hung_up && (wrong || !request.oneway))
		connection->broken = true; /* nobody is there to see the answer */
	else if (wrong)
		refuse(connection, wrong);
	else
		begin(connection, &request);
	json_decref(none);
}

/* ---- from the method to the client */

const struct call_peer *call_peer(const struct call *call)
{
	return &call->connection->peer.id;
}

bool call_wants_more(const struct call *call)
{
	return call->more;
}

void call_on_gone(struct call *call, void (*gone)(struct call *call, void *data), void *data)
{
	call->gone = gone;
	call->data = data;
}

void call_abandon(struct call *call)
{
	call->connection->call = NULL;
	if (call->gone)
		call->gone(call, call->data);
	free(call);
}

void call_continue(struct call *call, json_t *parameters)
{
	struct connection *connection = call->connection;

	if (!call->more || connection->broken) {
		json_decref(parameters);
		return;
	}
	if (buffer_length(&connection->outbox) > CONTROL_MAX_PENDING) {
		connection->broken = true;
		json_decref(parameters);
		connection_wake(connection);
		return;
	}
	connection_send(connection, varlink_reply(parameters, true));
}

/* The last word. */
static void finish(struct call *call, json_t *message)
{
	struct connection *connection = call->connection;

	if (call->oneway) {
		json_decref(message);
		connection_wake(connection);
	} else {
		connection_send(connection, message);
	}
	connection->call = NULL;
	free(call);
}

void call_reply(struct call *call, json_t *parameters)
{
	finish(call, varlink_reply(parameters, false));
}

static void fail(struct call *call, const char *interface, const char *error, json_t *parameters)
{
	char name[VARLINK_MAX_NAME + 1];

	snprintf(name, sizeof(name), "%s.%s", interface, error);
	finish(call, varlink_error(name, parameters));
}

void call_fail(struct call *call, const char *error, json_t *parameters)
{
	fail(call, CONTROL_INTERFACE, error, parameters);
}

void call_fail_service(struct call *call, const char *error, json_t *parameters)
{
	fail(call, VARLINK_SERVICE, error, parameters);
}

void call_fail_parameter(struct call *call, const char *parameter)
{
	call_fail_service(call, "InvalidParameter", json_pack("{s:s}", "parameter", parameter));
}

void call_fail_expected_more(struct call *call)
{
	call_fail_service(call, "ExpectedMore", NULL);
}

void call_fail_with(struct call *call, const struct failure *failure)
{
	call_fail(call, "Failed",
		  json_pack("{s:i, s:o, s:o}", "code", failure->code, "what",
			    text_json(failure->what), "next", text_json(failure->next)));
}
