/* SPDX-License-Identifier: GPL-2.0-only */
/* Clients that are told of events: those who asked for all, and those who wait for a cutover. */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"

static void leave(struct call *call, void *data)
{
	struct agent *agent = data;

	for (size_t i = 0; i < agent->follower_count; i++) {
		if (agent->followers[i] == call)
			agent->followers[i] = agent->followers[--agent->follower_count];
	}
}

void followers_add(struct call *call, const json_t *parameters, void *data)
{
	struct agent *agent = data;
	struct call **grown;

	(void)parameters;
	if (!call_wants_more(call)) {
		call_fail_expected_more(call);
		return;
	}
	grown = reallocarray(agent->followers, agent->follower_count + 1, sizeof(struct call *));
	if (!grown) {
		call_reply(call, json_object());
		return;
	}
	agent->followers = grown;
	agent->followers[agent->follower_count++] = call;
	call_on_gone(call, leave, agent);
}

static void tell(struct call *call, const struct event *event)
{
	call_continue(call, json_pack("{s:o}", "event", event_json(event)));
}

void followers_tell(struct agent *agent, const struct event *event)
{
	for (size_t i = 0; i < agent->follower_count; i++)
		tell(agent->followers[i], event);
	for (size_t i = 0; i < agent->member_count; i++) {
		const struct member *member = agent->members[i];

		if (member->call && call_wants_more(member->call) &&
		    !strcmp(member->supervisor->name, event->service))
			tell(member->call, event);
	}
}

void followers_forget(struct agent *agent)
{
	free(agent->followers);
	agent->followers = NULL;
	agent->follower_count = 0;
}
