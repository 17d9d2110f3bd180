/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/result.h"

#include <stdio.h>

#include "datapath/services.h"
#include "text.h"

static void describe_drain(struct failure *failure, const char *service,
			   const struct cutover *cutover)
{
	const char *color = color_name(!cutover->request.to);
	char next[96];

	if (cutover->receives)
		snprintf(next, sizeof(next), "see 'bgswitch status' and 'bgswitch preview ls'");
	else if (cutover->outcome == OUTCOME_KEPT)
		snprintf(next, sizeof(next),
			 "'bgswitch conns %s' shows them, 'bgswitch drain %s' waits on", color,
			 color);
	else
		snprintf(next, sizeof(next), "give it more time with --%s, or 'inf'",
			 cutover->switched ? "drain-timeout" : "timeout");
	if (cutover->switched)
		failure_set(failure, EXIT_CUT, next, "%s: switched to %s, and %s", service,
			    color_name(cutover->request.to), cutover->text);
	else
		failure_set(failure, EXIT_CUT, next, "%s: %s", service, cutover->text);
}

static bool is_drain_alone(const struct cutover *cutover)
{
	return !cutover->switched && cutover->drain.state != DRAIN_IDLE;
}

static void describe(struct failure *failure, const char *service, const struct cutover *cutover)
{
	const char *to = color_name(cutover->request.to);
	const char *from = color_name(cutover->before.active);
	const char *next = "see 'bgswitch history'";
	enum exit_code code = cutover_exit_code(cutover->outcome);

	switch (cutover->outcome) {
	case OUTCOME_CUT:
	case OUTCOME_KEPT:
		describe_drain(failure, service, cutover);
		break;
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
		if (is_drain_alone(cutover))
			failure_set(failure, EXIT_REFUSED, next,
				    "%s: draining %s was aborted; what is open stays", service,
				    color_name(cutover->drain.color));
		else
			failure_set(failure, cutover->switched ? code : EXIT_REFUSED, next,
				    "%s: the switch to %s was aborted; new connections go to %s",
				    service, to, from);
		break;
	default:
		if (cutover->outcome == OUTCOME_FAILED)
			next = cutover->failure.next;
		if (is_drain_alone(cutover)) {
			failure_set(failure, code, next,
				    cutover->drain.state == DRAIN_FAILED
					    ? "%s: nobody knows when %s is safe to stop: %s"
					    : "%s: %s is not drained: %s",
				    service, color_name(cutover->drain.color), cutover->text);
			break;
		}
		failure_set(failure, code, next,
			    cutover->changed ? "%s: switched to %s, and then: %s"
					     : "%s: not switched to %s: %s",
			    service, to, cutover->text);
	}
}

/* Of what is not over yet: up to now. */
static unsigned long long since(const struct cutover *cutover, unsigned long long began)
{
	return cutover->host->now(cutover->data) - began;
}

static json_t *remaining_json(const struct connection_counts *counts)
{
	return json_pack("{s:I, s:b, s:I, s:I, s:I}", "handshaking",
			 (json_int_t)counts->handshaking, "syn_cookies", counts->cookies,
			 "accept_queue", (json_int_t)counts->accept_queue, "established",
			 (json_int_t)counts->established, "untagged", (json_int_t)counts->untagged);
}

/* One that got the traffic back, or preview clients, is not. */
static bool is_safe(const struct cutover *cutover)
{
	bool is_back = cutover->switched && !cutover->flipped;

	return cutover->drain.state == DRAIN_SAFE && !cutover->receives && !is_back;
}

static json_t *drained_json(const struct cutover *cutover)
{
	const struct drain *drain = &cutover->drain;
	bool waits = drain->state == DRAIN_WAITING, is_known = drain->state != DRAIN_FAILED;
	bool is_counted = is_known && drain->state != DRAIN_IDLE;
	unsigned long long spent = 0;

	if (drain->state == DRAIN_IDLE && !cutover->receives)
		return json_null();
	if (drain->state != DRAIN_IDLE)
		spent = waits ? since(cutover, drain->began) : drain->ended - drain->began;
	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:o}", "color",
			 color_name(!cutover->request.to), "safe_to_stop",
			 is_known ? json_boolean(is_safe(cutover)) : json_null(), "cut",
			 (json_int_t)drain->cut, "closed_idle", (json_int_t)drain->closed,
			 "duration_ms", (json_int_t)spent, "remaining",
			 is_counted ? remaining_json(&drain->counts) : json_null());
}

json_t *result_json(const char *service, const struct cutover *cutover)
{
	bool watches = cutover_is_watching(cutover);
	bool good = watches || cutover->outcome == OUTCOME_COMPLETE;
	struct failure failure = {};

	if (!good)
		describe(&failure, service, cutover);
	return json_pack(
		"{s:s, s:s, s:s, s:b, s:b, s:s, s:o, s:I, s:o, s:i, s:o, s:o}", "service", service,
		"from", color_name(cutover->before.active), "to", color_name(cutover->request.to),
		"changed", watches ? cutover->flipped : cutover->changed, "dry_run",
		cutover->request.dry_run, "outcome",
		watches ? "switched" : cutover_outcome_name(cutover->outcome), "reason",
		*cutover->text ? text_json(cutover->text) : json_null(), "duration_ms",
		(json_int_t)(cutover->state == CUTOVER_IDLE ? cutover->duration
							    : since(cutover, cutover->began)),
		"drained", drained_json(cutover), "code", (int)failure.code, "what",
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

static unsigned long long number_of(const json_t *object, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(object, key));
}

const char *result_drained_text(char text[RESULT_TEXT], const json_t *result)
{
	const json_t *drained = json_object_get(result, "drained");
	const char *color = json_string_value(json_object_get(drained, "color"));
	unsigned long long closed = number_of(drained, "closed_idle");
	unsigned long long spent = number_of(drained, "duration_ms");
	char gently[64] = "";

	*text = '\0';
	if (!color || !json_is_true(json_object_get(drained, "safe_to_stop")))
		return text;
	if (closed)
		snprintf(gently, sizeof(gently), ", %llu idle connection%s closed", closed,
			 closed == 1 ? "" : "s");
	snprintf(text, RESULT_TEXT, "%s is safe to stop (drained in %llu.%llus%s)", color,
		 spent / 1000, spent % 1000 / 100, gently);
	return text;
}
