/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/result.h"

#include "datapath/services.h"
#include "text.h"

static void describe(struct failure *failure, const char *service, const struct cutover *cutover)
{
	const char *to = color_name(cutover->request.to);
	const char *from = color_name(cutover->before.active);
	const char *next = "see 'bgswitch history'";
	enum exit_code code = cutover_exit_code(cutover->outcome);

	switch (cutover->outcome) {
	case OUTCOME_REFUSED:
		failure_set(failure, code, cutover->failure.next, "%s: %s", service,
			    cutover->failure.what);
		break;
	case OUTCOME_ROLLED_BACK:
		failure_set(failure, code,
			    "see 'bgswitch history', and 'bgswitch check' for what it says now",
			    "%s: switched to %s and rolled back to %s by itself: %s", service, to,
			    from, cutover->text);
		break;
	case OUTCOME_ABORTED:
		/* At the gate nothing has changed; that is what a refusal is, too. */
		failure_set(failure, cutover->switched ? code : EXIT_REFUSED, next,
			    "%s: the switch to %s was aborted; new connections go to %s", service,
			    to, from);
		break;
	default:
		if (cutover->outcome == OUTCOME_FAILED)
			next = cutover->failure.next;
		failure_set(failure, code, next,
			    cutover->changed ? "%s: switched to %s, and then: %s"
					     : "%s: not switched to %s: %s",
			    service, to, cutover->text);
	}
}

/* Of one that still soaks: up to now. */
static json_int_t duration(const struct cutover *cutover)
{
	if (cutover->state == CUTOVER_IDLE)
		return (json_int_t)cutover->duration;
	return (json_int_t)(cutover->host->now(cutover->data) - cutover->began);
}

json_t *result_json(const char *service, const struct cutover *cutover)
{
	bool soaks = cutover->state == CUTOVER_SOAKING;
	bool good = soaks || cutover->outcome == OUTCOME_COMPLETE;
	struct failure failure = {};

	if (!good)
		describe(&failure, service, cutover);
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:o, s:I, s:i, s:o, s:o}", "service",
			 service, "from", color_name(cutover->before.active), "to",
			 color_name(cutover->request.to), "changed", soaks || cutover->changed,
			 "dry_run", cutover->request.dry_run, "outcome",
			 soaks ? "switched" : cutover_outcome_name(cutover->outcome), "reason",
			 *cutover->text ? text_json(cutover->text) : json_null(), "duration_ms",
			 duration(cutover), "code", (int)failure.code, "what",
			 good ? json_null() : text_json(failure.what), "next",
			 good ? json_null() : text_json(failure.next));
}

int result_failure(const json_t *result, struct failure *failure)
{
	const char *what = json_string_value(json_object_get(result, "what"));
	const char *next = json_string_value(json_object_get(result, "next"));
	const json_t *code = json_object_get(result, "code");

	if (!json_is_integer(code))
		return failure_set(failure, EXIT_AGENT, "see 'bgswitch status'",
				   "the answer does not say how the switch ended");
	if (!json_integer_value(code))
		return 0;
	return failure_set(failure, (enum exit_code)json_integer_value(code),
			   next ? next : "see 'bgswitch history'", "%s",
			   what ? what : "it did not go well");
}
