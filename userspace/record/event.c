/* SPDX-License-Identifier: GPL-2.0-only */
/* Events as values: their kinds, and the forms in which they are written. */
#include "record/event.h"

#include <stdio.h>
#include <string.h>

#include "datapath/services.h"
#include "record/moment.h"
#include "text.h"

#define KIND(kind, name, priority, message_id)                                                     \
	[EVENT_##kind] = { name, EVENT_PRIORITY_##priority, message_id }

/* Message ids are random numbers, as `systemd-id128 new` gives them. */
static const struct {
	const char *name;
	enum event_priority priority;
	const char *message_id;
} kinds[EVENT_KINDS] = {
	KIND(AGENT_STARTED, "agent-started", NOTICE, "1b688d53508046d790c155b9dd4bef18"),
	KIND(AGENT_STOPPED, "agent-stopped", NOTICE, "70dedc178c3f4cc79f03e140f3c3e4b4"),
	KIND(CONFIG_APPLIED, "config-applied", NOTICE, "5f37ae68a5e04c218244bd4d51c9237a"),
	KIND(CONFIG_REFUSED, "config-refused", ERROR, "23e393e99d7147f3a3b928dc9d526861"),
	KIND(RESTORED, "restored", NOTICE, "bc6b63b4eb2f426f97ed03ddac4f9fc5"),
	KIND(INSTANCE_HEALTHY, "instance-healthy", INFO, "da9d262f6f8c4130b8dd1e07ff5d886e"),
	KIND(INSTANCE_UNHEALTHY, "instance-unhealthy", WARNING, "681493bce26140ef95b572bc735c28b9"),
	KIND(COLOR_HEALTHY, "color-healthy", NOTICE, "c0c24c1878e445b0a8c759313d47582d"),
	KIND(COLOR_UNHEALTHY, "color-unhealthy", WARNING, "155244f66e4f4f50a851ae9d0a8513de"),
	KIND(CHECKING, "checking", INFO, "33a829d07c1d4f35af0448117d982604"),
	KIND(REFUSED, "refused", WARNING, "bfbd4ad280c94ca586b2529f59735aa2"),
	KIND(SWITCHING, "switching", NOTICE, "f09f73cc68b849d6bfde538758d701a9"),
	KIND(SOAKING, "soaking", INFO, "347bd9df85084bc58c345df2acb36eb2"),
	KIND(COMPLETED, "completed", NOTICE, "428c4f57dcb54668ba838acbc1376045"),
	KIND(ROLLED_BACK, "rolled-back", ERROR, "426ef754ffea46dd80600b5710696e73"),
	KIND(ABORTED, "aborted", WARNING, "b10ffebb57834dfab7baada9c5f062c6"),
	KIND(PROMOTED, "promoted", NOTICE, "cbb03423108b4c71b16e352a25d97eb7"),
	KIND(SUPERSEDED, "superseded", NOTICE, "ca42ec6a28944832886aeb59c2c8cc0d"),
	KIND(INTERRUPTED, "interrupted", WARNING, "b9f2bf0fc16d461f83c3974d0a439e77"),
	KIND(FAILOVER, "failover", WARNING, "977b973777f24b33b8c472d30c019288"),
	KIND(ALARM, "alarm", ERROR, "9171793272174d16a39a2fccaefcfa99"),
	KIND(ALARM_CLEARED, "alarm-cleared", NOTICE, "879f1bb5e6124036b732e09ea1096f0d"),
	KIND(SPLIT, "split", NOTICE, "66f83bef6796421c843b5b10b3c71a94"),
	KIND(SERVICE_CHECK, "service-check", WARNING, "a4f405f1dfcd4e55a3bbb32e8a57820b"),
	KIND(INTERFACE, "interface", NOTICE, "40049f15a60846afbf92a1edd7b06409"),
	KIND(DRAINING, "draining", INFO, "553db1eab4414879a7fda4d340ec2106"),
	KIND(SAFE_TO_STOP, "safe-to-stop", NOTICE, "0e73f2abd8dc4c23a63cd74df8907c9d"),
	KIND(NOT_SAFE, "not-safe-to-stop", WARNING, "7c0db0c47b294dae83f25b438e4129df"),
	KIND(CUT, "connections-cut", WARNING, "443901569d6d4f51871d01990478c58b"),
	KIND(KEPT_WARM, "kept-warm", NOTICE, "3a4e50febfecedbc4fa287629de80424"),
	KIND(STOP_PUT_OFF, "stop-put-off", WARNING, "f04cc80355007840cd654d49d7bdaaa5"),
	KIND(NOT_STOPPED, "not-stopped", NOTICE, "acf7de0b595914472a3f8635af44bcf9"),
	KIND(STOPPING, "stopping", NOTICE, "aa3234ae72593100ef4cf56e9cca2b8c"),
	KIND(STOPPED, "stopped", NOTICE, "28619c7e0a18c4e71d1ff4ebe4e5f63f"),
	KIND(STOP_FAILED, "stop-failed", ERROR, "5f8dc325923927748824dd5108e1177f"),
};

const char *event_name(enum event_kind kind)
{
	return kinds[kind].name;
}

enum event_priority event_priority(enum event_kind kind)
{
	return kinds[kind].priority;
}

const char *event_message_id(enum event_kind kind)
{
	return kinds[kind].message_id;
}

const char *event_format(char line[EVENT_LINE], const struct event *event)
{
	char time[MOMENT_TEXT];

	snprintf(line, EVENT_LINE, "[%s] %s: %s", moment_local(time, event->at_ms),
		 *event->service ? event->service : "bgswitch", event->message);
	return line;
}

json_t *event_json(const struct event *event)
{
	const char *color = event->color == EVENT_NO_COLOR ? NULL : color_name(event->color);
	char time[MOMENT_TEXT];

	return json_pack("{s:s, s:s, s:s?, s:s?, s:o}", "time", moment_rfc3339(time, event->at_ms),
			 "event", event_name(event->kind), "service",
			 *event->service ? event->service : NULL, "color", color, "message",
			 text_json(event->message));
}

static enum event_kind kind_of(const char *name)
{
	enum event_kind kind = 0;

	while (kind < EVENT_KINDS && strcmp(kinds[kind].name, name))
		kind++;
	return kind;
}

bool event_from_json(struct event *event, const json_t *object)
{
	const char *time = json_string_value(json_object_get(object, "time"));
	const char *name = json_string_value(json_object_get(object, "event"));
	const char *service = json_string_value(json_object_get(object, "service"));
	const char *color = json_string_value(json_object_get(object, "color"));
	const char *message = json_string_value(json_object_get(object, "message"));

	*event = (struct event){ .color = EVENT_NO_COLOR };
	if (!time || !name || !message || !moment_parse(&event->at_ms, time))
		return false;
	event->kind = kind_of(name);
	if (color)
		event->color = color_parse(color);
	snprintf(event->service, sizeof(event->service), "%s", service ? service : "");
	snprintf(event->message, sizeof(event->message), "%s", message);
	text_defuse(event->service);
	text_defuse(event->message);
	return true;
}
