/* SPDX-License-Identifier: GPL-2.0-only */
/* Where events go, and who may see them. */
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "control/access.h"
#include "record/records.h"

/* Whoever may look at the agent may read what it wrote. A file has one group only. */
static int share_records(const struct files *files, const struct config_agent *wanted,
			 struct failure *failure)
{
	struct access_groups groups;
	gid_t group = getegid();

	if (access_groups_find(&groups, wanted->operators, wanted->readers, failure))
		return -1;
	if (groups.readers != ACCESS_NO_GROUP)
		group = groups.readers;
	else if (groups.operators != ACCESS_NO_GROUP)
		group = groups.operators;
	return records_share(files->directory, files->events, group, failure) ||
			       records_share(files->directory, files->history, group, failure)
		       ? -1
		       : 0;
}

static int change_groups(struct agent *agent, const struct config_agent *wanted,
			 struct failure *failure)
{
	if (agent->control &&
	    control_set_groups(agent->control, wanted->operators, wanted->readers, failure))
		return -1;
	return share_records(agent->setup->files, wanted, failure);
}

static bool same_text(const char *left, const char *right)
{
	return left == right || (left && right && !strcmp(left, right));
}

/* `*log`: NULL if it stays. The first one was opened before the agent did anything. */
static int open_other_log(struct agent *agent, const struct config *config, struct event_log **log,
			  struct failure *failure)
{
	*log = NULL;
	if (!agent->config || same_text(agent->config->agent.log, config->agent.log))
		return 0;
	*log = agent_open_log(agent, config, failure);
	return *log ? 0 : -1;
}

/* The URL is not named: many carry a token. */
static void tell_loss(size_t place, const char *error, void *data)
{
	struct agent *agent = data;

	agent->tells_loss = true; /* which is no event for webhooks */
	event_emit(agent->log, EVENT_ALARM, NULL, EVENT_NO_COLOR,
		   "webhook %zu of the configuration loses events: %s", place + 1, error);
	agent->tells_loss = false;
}

int outputs_change(struct agent *agent, const struct config *config, struct failure *failure)
{
	const struct config_agent *wanted = &config->agent;
	struct webhooks *webhooks = NULL;
	struct event_log *log = NULL;

	if (wanted->webhook_count)
		webhooks = webhooks_new(agent->event, wanted, failure);
	if ((wanted->webhook_count && !webhooks) || open_other_log(agent, config, &log, failure) ||
	    change_groups(agent, wanted, failure)) {
		event_log_close(log);
		webhooks_free(webhooks);
		return -1;
	}
	webhooks_free(agent->webhooks);
	agent->webhooks = webhooks;
	if (webhooks)
		webhooks_on_loss(webhooks, tell_loss, agent);
	if (log) {
		event_log_close(agent->log);
		agent->log = agent->host.log = log;
	}
	return 0;
}
