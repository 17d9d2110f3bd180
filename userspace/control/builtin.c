/* SPDX-License-Identifier: GPL-2.0-only */
/* org.varlink.service: what every Varlink service tells about itself. */
#include <string.h>

#include "control/connection.h"
#include "version.h"

/* The standard's text, except for its comments. */
static const char service_description[] =
	"# What every Varlink service can be asked.\n"
	"interface org.varlink.service\n"
	"\n"
	"# Who made the service, and the interfaces it has.\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# The description of one of them.\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

static void get_info(struct call *call, const json_t *parameters, void *data)
{
	(void)parameters, (void)data;
	call_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "bgswitch",
				   "product", "bgswitch", "version", BGSWITCH_VERSION, "url", "",
				   "interfaces", VARLINK_SERVICE, CONTROL_INTERFACE));
}

static void get_description(struct call *call, const json_t *parameters, void *data)
{
	const char *interface = json_string_value(json_object_get(parameters, "interface"));
	const struct control *control = data;
	const char *text = NULL;

	if (!interface) {
		call_fail_parameter(call, "interface");
		return;
	}
	if (!strcmp(interface, CONTROL_INTERFACE))
		text = control->setup.description;
	else if (!strcmp(interface, VARLINK_SERVICE))
		text = service_description;
	if (text)
		call_reply(call, json_pack("{s:s}", "description", text));
	else
		call_fail_service(call, "InterfaceNotFound",
				  json_pack("{s:s}", "interface", interface));
}

const struct control_method builtin_methods[] = {
	{ "GetInfo", CONTROL_READS, get_info },
	{ "GetInterfaceDescription", CONTROL_READS, get_description },
	{},
};
