/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every way through a cutover, as scripts: what happens, and what it does about
 * that. The words of a script are in run_word(); see lib/fake_host.h for those
 * of a trace. It starts on blue, with both colors healthy and the gate undecided.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/fake_host.h"
#include "lib/test.h"

#define READY_MS 30000
#define SOAK_MS 60000
#define DRAIN_MS 30000

static const struct cutover_request to_green = { .verb = "set",
						 .to = BGS_GREEN,
						 .soak_ms = SOAK_MS,
						 .ready_timeout_ms = READY_MS,
						 .drain = { .timeout_ms = DRAIN_MS },
						 .uid = 1000 };

#define GATE "say:checking "
/* The flip, up to where the soak begins. */
#define SWITCH "save:switching flip:green say:switching say:soaking "
#define FLIP SWITCH "save:soaking "
/* The same, and a drain with it. */
#define DRAIN SWITCH "say:draining save:draining "

static const struct script {
	const char *name, *events, *trace;
	enum bgs_color active; /* after it */
	int split;
} scripts[] = {
	/* the gate */
	{ "the gate is closed", "set step +29999 step", GATE, BGS_BLUE },
	{ "the gate is open", "good set", GATE FLIP, BGS_GREEN },
	{ "the gate opens later", "set step +29999 good step", GATE FLIP, BGS_GREEN },
	{ "the gate opens at the last moment", "set +30000 good step", GATE FLIP, BGS_GREEN },
	{ "the target is bad", "bad set", GATE "say:refused save:nothing end:refused", BGS_BLUE },
	{ "the target turns out bad", "set step bad step step",
	  GATE "say:refused save:nothing end:refused", BGS_BLUE },
	{ "the gate takes too long", "set +30000 step step",
	  GATE "say:refused save:nothing end:refused", BGS_BLUE },
	{ "refused, with a split", "split set bad step",
	  GATE "say:refused save:nothing end:refused", BGS_BLUE, 1000 },
	{ "aborted at the gate", "set abort good step", GATE "say:aborted save:nothing end:aborted",
	  BGS_BLUE },
	{ "superseded at the gate", "set supersede good step",
	  GATE "say:superseded save:nothing end:superseded", BGS_BLUE },
	{ "the gate cannot be promoted", "set promote! good step", GATE FLIP, BGS_GREEN },

	/* nothing to do */
	{ "active already", "set-blue step", "save:nothing end:complete", BGS_BLUE },
	{ "active already, whatever its health", "blue-sick bad set-blue",
	  "save:nothing end:complete", BGS_BLUE },
	{ "active already, forced", "force-blue", "save:nothing end:complete", BGS_BLUE },

	/* failures of the kernel, or the disk */
	{ "the route cannot be read", "route-fails good set step",
	  "say:alarm save:nothing end:failed", BGS_BLUE },
	{ "no record, no flip", "record-fails good set step",
	  GATE "save:switching! say:alarm save:nothing! end:failed", BGS_BLUE },
	{ "the route cannot be read again", "set good route-fails step",
	  GATE "save:switching say:alarm save:nothing end:failed", BGS_BLUE },
	{ "the flip fails", "flip-fails good set step",
	  GATE "save:switching flip:green! say:alarm save:nothing end:failed", BGS_BLUE },
	{ "the flip fails, and the split stays", "split flip-fails good set",
	  GATE "save:switching flip:green! say:alarm save:nothing end:failed", BGS_BLUE, 1000 },
	{ "the record fails after the flip", "record-fails-late good set +60000 step",
	  GATE "save:switching flip:green say:switching say:soaking save:soaking! "
	       "say:completed save:nothing end:complete",
	  BGS_GREEN },
	{ "the last record fails", "good set record-fails +60000 step",
	  GATE FLIP "say:completed save:nothing! end:complete", BGS_GREEN },

	/* the soak passes */
	{ "no soak", "good soak=0 set step",
	  GATE "save:switching flip:green say:switching save:nothing end:complete", BGS_GREEN },
	{ "the soak is not over yet", "good set +59999 step", GATE FLIP, BGS_GREEN },
	{ "the soak passes", "good set +59999 step +1 step step",
	  GATE FLIP "say:completed save:nothing end:complete", BGS_GREEN },
	{ "what the other color does is no concern", "good set blue-sick step +60000 step",
	  GATE FLIP "say:completed save:nothing end:complete", BGS_GREEN },
	{ "unknown is not unhealthy", "good set green-unknown step +60000 step",
	  GATE FLIP "say:completed save:nothing end:complete", BGS_GREEN },
	{ "promoted", "good set +1 promote step",
	  GATE FLIP "say:promoted save:nothing end:complete", BGS_GREEN },
	{ "promoted while it is failing", "good set green-sick promote step",
	  GATE FLIP "say:promoted save:nothing end:complete", BGS_GREEN },

	/* and the way back */
	{ "the target fails", "good set +1000 green-sick step step",
	  GATE FLIP "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "the split comes back, too", "split good set green-sick step",
	  GATE FLIP "flip:blue/1000 say:rolled-back save:nothing end:rolled-back", BGS_BLUE, 1000 },
	{ "a failure at the end is one", "good set green-sick +60000 step",
	  GATE FLIP "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "a failure after the end is not", "good set +60000 step green-sick step",
	  GATE FLIP "say:completed save:nothing end:complete", BGS_GREEN },
	{ "back to what is unknown", "good blue-unknown set green-sick step",
	  GATE FLIP "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "of unknown health, and then it fails", "good green-unknown set step green-sick step",
	  GATE FLIP "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "back, though it cannot be written down", "good set record-fails green-sick step",
	  GATE FLIP "flip:blue say:rolled-back save:nothing! end:rolled-back", BGS_BLUE },
	{ "the way back fails", "good set flip-fails green-sick step step",
	  GATE FLIP "flip:blue! say:alarm save:nothing end:failed", BGS_GREEN },
	{ "the way back cannot be found", "good set route-fails green-sick step step",
	  GATE FLIP "say:alarm save:nothing end:failed", BGS_GREEN },
	{ "aborted", "good set abort step",
	  GATE FLIP "flip:blue say:aborted save:nothing end:aborted", BGS_BLUE },
	{ "aborted, and the split is back", "split good set abort",
	  GATE FLIP "flip:blue/1000 say:aborted save:nothing end:aborted", BGS_BLUE, 1000 },
	{ "aborting fails", "good set flip-fails abort! step",
	  GATE FLIP "flip:blue! say:alarm save:nothing end:failed", BGS_GREEN },
	{ "superseded", "good set supersede green-sick step",
	  GATE FLIP "say:superseded save:nothing end:superseded", BGS_GREEN },

	/* both colors are unhealthy */
	{ "both fail: stay, and say so once", "good set green-sick blue-sick step step +1000 step",
	  GATE FLIP "say:alarm", BGS_GREEN },
	{ "both fail, to the end", "good set green-sick blue-sick step +60000 step",
	  GATE FLIP "say:alarm say:completed save:nothing end:complete", BGS_GREEN },
	{ "both fail, just at the end", "good set green-sick blue-sick +60000 step step",
	  GATE FLIP "say:alarm say:completed save:nothing end:complete", BGS_GREEN },
	{ "both fail, and the target recovers",
	  "good set green-sick blue-sick step green-well step +60000 step",
	  GATE FLIP "say:alarm say:completed save:nothing end:complete", BGS_GREEN },
	{ "both fail, and the other one recovers",
	  "good set green-sick blue-sick step blue-well step",
	  GATE FLIP "say:alarm flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "both fail again", "good set green-sick blue-sick step green-well step green-sick step",
	  GATE FLIP "say:alarm", BGS_GREEN },
	{ "both fail, and it is aborted", "good set green-sick blue-sick step abort",
	  GATE FLIP "say:alarm flip:blue say:aborted save:nothing end:aborted", BGS_BLUE },

	/* force */
	{ "forced: no gate", "bad force +60000 step",
	  FLIP "say:completed save:nothing end:complete", BGS_GREEN },
	{ "forced, of good health, and it fails", "force green-sick step",
	  FLIP "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "forced, unhealthy: nothing to fall from", "green-sick force step +59999 step", FLIP,
	  BGS_GREEN },
	{ "forced, unhealthy to the end", "green-sick force +60000 step",
	  FLIP "say:completed save:nothing end:complete", BGS_GREEN },
	{ "forced, both unhealthy: no news", "green-sick blue-sick force step", FLIP, BGS_GREEN },
	{ "forced, unknown, and it fails", "green-unknown force step green-sick step", FLIP,
	  BGS_GREEN },
	{ "forced, healthy once, and it fails", "green-sick force green-well step green-sick step",
	  FLIP "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "forced without a soak", "green-sick soak=0 force",
	  "save:switching flip:green say:switching save:nothing end:complete", BGS_GREEN },
	{ "forced, and no record", "record-fails force",
	  "save:switching! say:alarm save:nothing! end:failed", BGS_BLUE },

	/* the active color, to end a split */
	{ "a split ends", "split good set-blue +60000 step",
	  GATE "save:switching flip:blue say:switching say:soaking save:soaking "
	       "say:completed save:nothing end:complete",
	  BGS_BLUE },
	{ "a split ends, and there is nowhere to go back to",
	  "split good set-blue blue-sick step +59999 step",
	  GATE "save:switching flip:blue say:switching say:soaking save:soaking", BGS_BLUE },
	{ "a split ends not, for it was refused", "split bad set-blue",
	  GATE "say:refused save:nothing end:refused", BGS_BLUE, 1000 },
	{ "the end of a split, aborted", "split good set-blue abort",
	  GATE "save:switching flip:blue say:switching say:soaking save:soaking "
	       "flip:blue/1000 say:aborted save:nothing end:aborted",
	  BGS_BLUE, 1000 },

	/* only asked */
	{ "dry: it would", "good dry-run", "end:complete", BGS_BLUE },
	{ "dry: it would, in a while", "dry-run +1 step good step step", "end:complete", BGS_BLUE },
	{ "dry: it would not", "bad dry-run", "end:refused", BGS_BLUE },
	{ "dry: it would take too long", "dry-run +30000 step", "end:refused", BGS_BLUE },
	{ "dry and forced", "bad dry-force", "end:complete", BGS_BLUE },
	{ "dry, with a split", "split good dry-run", "end:complete", BGS_BLUE, 1000 },
	{ "dry: the route cannot be read", "route-fails dry-run", "end:failed", BGS_BLUE },
	{ "dry, and aborted", "dry-run abort", "end:aborted", BGS_BLUE },
	{ "dry, and superseded", "dry-run supersede", "end:superseded", BGS_BLUE },

	/* a soak that another process began; it left green, and a split before that */
	{ "resumed, and it passes", "resume step +19999 step +1 step",
	  "say:soaking say:completed save:nothing end:complete", BGS_GREEN },
	{ "resumed, and it fails", "resume +1 green-sick step",
	  "say:soaking flip:blue/500 say:rolled-back save:nothing end:rolled-back", BGS_BLUE, 500 },
	{ "resumed, and it had failed meanwhile", "green-sick resume step",
	  "say:soaking flip:blue/500 say:rolled-back save:nothing end:rolled-back", BGS_BLUE, 500 },
	{ "resumed, and its health is not known yet", "green-unknown resume step green-sick step",
	  "say:soaking flip:blue/500 say:rolled-back save:nothing end:rolled-back", BGS_BLUE, 500 },
	{ "resumed, and it was forced", "green-sick resume-forced step +20000 step",
	  "say:soaking say:completed save:nothing end:complete", BGS_GREEN },
	{ "resumed, and it was forced and got well",
	  "green-sick resume-forced step green-well step green-sick step",
	  "say:soaking flip:blue/500 say:rolled-back save:nothing end:rolled-back", BGS_BLUE, 500 },
	{ "resumed and promoted", "resume promote",
	  "say:soaking say:promoted save:nothing end:complete", BGS_GREEN },
	{ "resumed and aborted", "resume abort",
	  "say:soaking flip:blue/500 say:aborted save:nothing end:aborted", BGS_BLUE, 500 },
	{ "resumed and superseded", "resume supersede",
	  "say:soaking say:superseded save:nothing end:superseded", BGS_GREEN },

	/* the other color drains; "busy" is one connection of it */
	{ "nothing to drain", "drains good set", GATE SWITCH "say:safe-to-stop save:soaking",
	  BGS_GREEN },
	{ "nothing to drain, no soak", "drains soak=0 good set",
	  GATE "save:switching flip:green say:switching say:safe-to-stop save:nothing end:complete",
	  BGS_GREEN },
	{ "a drain within the soak", "drains busy good set step +1000 empty step +59000 step",
	  GATE DRAIN "say:safe-to-stop save:soaking say:completed save:nothing end:complete",
	  BGS_GREEN },
	{ "a drain that outlasts the soak", "drains=inf busy good set +60000 step +1 empty step",
	  GATE DRAIN, BGS_GREEN },
	{ "and then it is over, too", "drains=inf busy good set +60000 step +50 empty step step",
	  GATE DRAIN "say:safe-to-stop say:completed save:nothing end:complete", BGS_GREEN },
	{ "a drain without a soak", "drains soak=0 busy good set +50 empty step",
	  GATE "save:switching flip:green say:switching say:draining save:draining "
	       "say:safe-to-stop save:nothing end:complete",
	  BGS_GREEN },
	{ "cut at the deadline", "drains busy good set +29999 step +1 step +50 step +29950 step",
	  GATE DRAIN "cut:1 say:connections-cut say:safe-to-stop save:soaking say:completed "
		     "save:nothing end:connections-cut",
	  BGS_GREEN },
	{ "kept at the deadline", "drains keep busy good set +29999 step +1 step +30000 step",
	  GATE DRAIN "say:not-safe-to-stop save:soaking say:completed save:nothing "
		     "end:connections-kept",
	  BGS_GREEN },
	{ "handshakes cannot be cut", "drains shaking good set +30000 step +12000 step +18000 step",
	  GATE DRAIN "say:not-safe-to-stop save:soaking say:completed save:nothing "
		     "end:connections-kept",
	  BGS_GREEN },
	{ "nothing can be counted", "drains count-fails good set +60000 step",
	  GATE SWITCH "say:alarm save:soaking say:completed save:nothing end:complete", BGS_GREEN },
	{ "nothing can be counted any more", "drains busy good set count-fails +50 step",
	  GATE DRAIN "say:alarm save:soaking", BGS_GREEN },
	{ "previews", "drains receives busy good set +60000 step",
	  GATE SWITCH "say:not-safe-to-stop save:soaking say:completed save:nothing end:complete",
	  BGS_GREEN },
	{ "previews come meanwhile", "drains busy good set receives empty +50 step",
	  GATE DRAIN "say:not-safe-to-stop save:soaking", BGS_GREEN },
	{ "the target fails while it drains", "drains busy good set green-sick step empty +50 step",
	  GATE DRAIN "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "and after the soak", "drains=inf busy good set +60000 step green-sick step",
	  GATE DRAIN "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "but not without one", "drains soak=0 busy good set green-sick step",
	  GATE "save:switching flip:green say:switching say:draining save:draining", BGS_GREEN },
	{ "the target fails, and the drain is over in the same step",
	  "drains busy good set green-sick empty +50 step step",
	  GATE DRAIN "flip:blue say:rolled-back save:nothing end:rolled-back", BGS_BLUE },
	{ "the target fails after the drain", "drains good set step green-sick step",
	  GATE SWITCH "say:safe-to-stop save:soaking flip:blue say:rolled-back save:nothing "
		      "end:rolled-back",
	  BGS_BLUE },
	{ "both fail while it drains",
	  "drains busy good set green-sick blue-sick step empty +50 step",
	  GATE DRAIN "say:alarm say:safe-to-stop save:soaking", BGS_GREEN },
	{ "promoted while it drains", "drains busy good set promote step promote! empty +50 step",
	  GATE DRAIN "say:promoted save:draining say:safe-to-stop save:nothing end:complete",
	  BGS_GREEN },
	{ "promoted, and nobody looks any more", "drains busy good set promote green-sick step",
	  GATE DRAIN "say:promoted save:draining", BGS_GREEN },
	{ "promoted, and cut", "drains busy good set promote +30000 step step +50 step",
	  GATE DRAIN "say:promoted save:draining cut:1 say:connections-cut say:safe-to-stop "
		     "save:nothing end:connections-cut",
	  BGS_GREEN },
	{ "aborted while it drains", "drains busy good set abort empty +50 step",
	  GATE DRAIN "flip:blue say:aborted save:nothing end:aborted", BGS_BLUE },
	{ "superseded while it drains", "drains busy good set supersede empty +50 step",
	  GATE DRAIN "say:superseded save:nothing end:superseded", BGS_GREEN },
	{ "a split ends, and its color drains", "split drains busy good set-blue empty +50 step",
	  GATE "save:switching flip:blue say:switching say:soaking say:draining save:draining "
	       "say:safe-to-stop save:soaking",
	  BGS_BLUE },
	{ "dry: nothing drains", "drains busy good dry-run", "end:complete", BGS_BLUE },
	{ "active already: nothing drains", "drains busy set-blue", "save:nothing end:complete",
	  BGS_BLUE },
	{ "refused: nothing drains", "drains busy bad set",
	  GATE "say:refused save:nothing end:refused", BGS_BLUE },
	{ "resumed while it drained", "drains busy resume step empty +50 step +20000 step",
	  "say:soaking say:draining say:safe-to-stop save:soaking say:completed save:nothing "
	  "end:complete",
	  BGS_GREEN },
	{ "closing fails: said once", "drains idle busy good set +1000 step +1000 step",
	  GATE
	  "save:switching flip:green say:switching say:soaking warn say:draining save:draining",
	  BGS_GREEN },

	/* a drain by itself, of green */
	{ "a drain alone", "busy drain step +50 empty step",
	  "say:draining say:safe-to-stop save:nothing end:complete", BGS_BLUE },
	{ "a drain alone, with nothing to do", "drain",
	  "say:safe-to-stop save:nothing end:complete", BGS_BLUE },
	{ "a drain alone, and the active color fails", "busy drain blue-sick step", "say:draining",
	  BGS_BLUE },
	{ "a drain alone, cut", "busy drain +30000 step step +50 step",
	  "say:draining cut:1 say:connections-cut say:safe-to-stop save:nothing "
	  "end:connections-cut",
	  BGS_BLUE },
	{ "a drain alone, aborted", "busy drain promote! abort empty step",
	  "say:draining say:aborted save:nothing end:aborted", BGS_BLUE },
	{ "a drain alone, superseded", "busy drain supersede",
	  "say:draining say:superseded save:nothing end:superseded", BGS_BLUE },
	{ "a drain alone, and the route cannot be read", "route-fails drain",
	  "say:alarm save:nothing end:failed", BGS_BLUE },

	/* idle, and what comes after an end */
	{ "idle", "step promote! abort! supersede +100000 step", "", BGS_BLUE },
	{ "nothing is left to promote or abort",
	  "good set +60000 step promote! abort! supersede step",
	  GATE FLIP "say:completed save:nothing end:complete", BGS_GREEN },
	{ "there and back again", "soak=0 good set set-blue",
	  GATE "save:switching flip:green say:switching save:nothing end:complete "
	       "say:checking save:switching flip:blue say:switching save:nothing end:complete",
	  BGS_BLUE },
	{ "again after a refusal, from within its end", "again bad set good step",
	  GATE "say:refused save:nothing end:refused say:checking say:refused save:nothing "
	       "end:refused",
	  BGS_BLUE },
	{ "again after a timeout, and there is time anew", "again set +30000 step +29999 step",
	  GATE "say:refused save:nothing end:refused say:checking", BGS_BLUE },
	{ "again after a rollback", "again good set green-sick step",
	  GATE FLIP "flip:blue say:rolled-back save:nothing end:rolled-back " GATE FLIP,
	  BGS_GREEN },
	{ "again after an abort", "again good set abort",
	  GATE FLIP "flip:blue say:aborted save:nothing end:aborted " GATE FLIP, BGS_GREEN },
	{ "again after a failure", "again route-fails good set",
	  "say:alarm save:nothing end:failed say:alarm save:nothing end:failed", BGS_BLUE },
	{ "again after the soak: active already", "again good set +60000 step",
	  GATE FLIP "say:completed save:nothing end:complete save:nothing end:complete",
	  BGS_GREEN },
};

/* Words that begin one. */
static const struct {
	const char *word;
	enum bgs_color to;
	bool force, dry_run;
} beginnings[] = {
	{ "set", BGS_GREEN },
	{ "set-blue", BGS_BLUE },
	{ "force", BGS_GREEN, .force = true },
	{ "force-blue", BGS_BLUE, .force = true },
	{ "dry-run", BGS_GREEN, .dry_run = true },
	{ "dry-force", BGS_GREEN, .force = true, .dry_run = true },
};

/* Words that set the gate's verdict, or a color's health. */
static const struct {
	const char *word;
	enum { GATE_SAYS, BLUE_IS, GREEN_IS } what;
	int value;
} settings[] = {
	{ "good", GATE_SAYS, VERDICT_GOOD },	     { "bad", GATE_SAYS, VERDICT_BAD },
	{ "blue-sick", BLUE_IS, HEALTH_UNHEALTHY },  { "blue-well", BLUE_IS, HEALTH_HEALTHY },
	{ "blue-unknown", BLUE_IS, HEALTH_UNKNOWN }, { "green-sick", GREEN_IS, HEALTH_UNHEALTHY },
	{ "green-well", GREEN_IS, HEALTH_HEALTHY },  { "green-unknown", GREEN_IS, HEALTH_UNKNOWN },
};

static void resume(struct fake_host *fake, struct cutover_request request, bool force)
{
	request.force = force;
	fake->route = (struct bgs_route){ .active = BGS_GREEN, .flips = 7 };
	fake->recorded = true;
	cutover_resume(&fake->cutover, &request, (struct bgs_route){ BGS_BLUE, 500, 6 }, 20000);
}

static bool run_setting(struct fake_host *fake, const char *word)
{
	for (size_t i = 0; i < ROWS(settings); i++) {
		if (strcmp(word, settings[i].word))
			continue;
		if (settings[i].what == GATE_SAYS)
			fake->verdict = (enum verdict)settings[i].value;
		else
			fake->health[settings[i].what == BLUE_IS ? BGS_BLUE : BGS_GREEN] =
				(enum health)settings[i].value;
		return true;
	}
	return false;
}

static bool run_beginning(struct fake_host *fake, struct cutover_request *request, const char *word)
{
	for (size_t i = 0; i < ROWS(beginnings); i++) {
		if (strcmp(word, beginnings[i].word))
			continue;
		assert_int_equal(fake->cutover.state, CUTOVER_IDLE);
		request->to = beginnings[i].to;
		request->force = beginnings[i].force;
		request->dry_run = beginnings[i].dry_run;
		fake_begin(fake, request);
		return true;
	}
	return false;
}

/* An operator's word; with a ! it must be refused, or fail. */
static bool run_order(struct fake_host *fake, const char *word)
{
	struct failure failure = {};
	bool refused = strchr(word, '!');
	int err;

	if (!strncmp(word, "promote", 7))
		err = cutover_promote(&fake->cutover, &failure);
	else if (!strncmp(word, "abort", 5))
		err = cutover_abort(&fake->cutover, &failure);
	else
		return false;
	assert_int_equal(err, refused ? -1 : 0);
	assert_true(!*failure.what == !refused);
	return true;
}

/* What a drain is asked for, and finds. */
static bool run_drain_word(struct fake_host *fake, struct cutover_request *request,
			   const char *word)
{
	if (!strncmp(word, "drains", 6))
		request->drains = true;
	if (!strcmp(word, "drains=inf"))
		request->drain.timeout_ms = DRAIN_FOREVER;
	else if (!strcmp(word, "keep"))
		request->drain.at_deadline = DEADLINE_KEEP;
	else if (!strcmp(word, "idle"))
		request->drain.close_idle_ms = 5000;
	else if (!strcmp(word, "busy"))
		fake->counts.established = 1;
	else if (!strcmp(word, "shaking"))
		fake->counts.handshaking = 1;
	else if (!strcmp(word, "empty"))
		fake->counts.established = 0;
	else if (!strcmp(word, "count-fails"))
		fake->count_fails = true;
	else if (!strcmp(word, "receives"))
		fake->receives = true;
	else
		return !strcmp(word, "drains");
	return true;
}

/* Green's, by itself. */
static void drain(struct fake_host *fake, struct cutover_request request)
{
	strcpy(request.verb, "drain");
	request.to = BGS_BLUE;
	request.drains = true;
	request.soak_ms = 0;
	cutover_drain(&fake->cutover, &request);
}

static void run_word(struct fake_host *fake, struct cutover_request *request, const char *word)
{
	if (run_setting(fake, word) || run_beginning(fake, request, word) ||
	    run_order(fake, word) || run_drain_word(fake, request, word))
		return;
	if (*word == '+')
		fake->now += strtoul(word + 1, NULL, 10);
	else if (!strcmp(word, "step"))
		fake_step(fake);
	else if (!strcmp(word, "supersede"))
		cutover_supersede(&fake->cutover, "the split was changed");
	else if (!strncmp(word, "resume", 6))
		resume(fake, *request, !strcmp(word, "resume-forced"));
	else if (!strcmp(word, "drain"))
		drain(fake, *request);
	else if (!strcmp(word, "again"))
		fake->again = &to_green;
	else if (!strcmp(word, "split"))
		fake->route.split_bp = 1000;
	else if (!strcmp(word, "soak=0"))
		request->soak_ms = 0;
	else if (!strcmp(word, "route-fails"))
		fake->route_fails = true;
	else if (!strcmp(word, "flip-fails"))
		fake->flip_fails = true;
	else if (!strcmp(word, "record-fails"))
		fake->record_fails = true;
	else if (!strcmp(word, "record-fails-late"))
		fake->late_record_fails = true;
	else
		fail_msg("no such word: %s", word);
}

static void run_script(struct fake_host *fake, const char *events)
{
	struct cutover_request request = to_green;
	char words[256], *rest = words;

	assert_true(snprintf(words, sizeof(words), "%s", events) < (int)sizeof(words));
	fake_init(fake);
	for (char *word; (word = strsep(&rest, " "));)
		run_word(fake, &request, word);
}

static void assert_trace(const char *name, const char *trace, const char *expected)
{
	size_t length = strlen(expected);

	while (length && expected[length - 1] == ' ')
		length--;
	if (strlen(trace) != length || strncmp(trace, expected, length))
		fail_msg("'%s':\n  it did    %s\n  expected  %s", name, trace, expected);
}

static void test_every_way_through_it(void **state)
{
	struct fake_host fake;

	(void)state;
	for (size_t i = 0; i < ROWS(scripts); i++) {
		const struct script *script = &scripts[i];

		run_script(&fake, script->events);
		assert_trace(script->name, fake.trace, script->trace);
		assert_row(fake.route.active == script->active, script->name);
		assert_row(fake.route.split_bp == script->split, script->name);
	}
}

/* What a caller may rely on, whatever the way was. */
static void test_an_idle_one_has_ended_and_has_no_deadline(void **state)
{
	struct fake_host fake;

	(void)state;
	for (size_t i = 0; i < ROWS(scripts); i++) {
		const char *name = scripts[i].name;
		bool idle;

		run_script(&fake, scripts[i].events);
		idle = fake.cutover.state == CUTOVER_IDLE;
		assert_row(idle == !cutover_deadline(&fake.cutover), name);
		assert_row(fake.cutover.state != CUTOVER_SWITCHING, name);
		if (!idle || !fake.ends)
			continue;
		assert_row(!cutover_is_due(&fake.cutover), name);
		assert_row(!fake.record_is_open, name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way_through_it),
		cmocka_unit_test(test_an_idle_one_has_ended_and_has_no_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
