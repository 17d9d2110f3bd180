/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cutovers under events in random order, against what must hold in any order.
 * The seed is fixed: a failure is found again.
 */
#include <stdio.h>

#include "lib/fake_host.h"
#include "lib/test.h"

#define EVENTS 400000
#define SEED 0x9e3779b97f4a7c15ULL

struct model {
	struct fake_host fake; /* the first: its callback finds us */
	struct bgs_route start; /* where new connections went when the cutover began */
	bool resumed, alone; /* `alone`: a drain by itself */
	struct cutover_request again; /* begun from within an end, now and then */
	unsigned int seen[OUTCOME_FAILED + 1]; /* how often each outcome was */
	unsigned int dry, anew, back_failed;
	unsigned long long random;
};

/* xorshift64 */
static unsigned int draw(struct model *model, unsigned int below)
{
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return (unsigned int)(model->random >> 33) % below;
}

static bool same_way(struct bgs_route a, struct bgs_route b)
{
	return a.active == b.active && a.split_bp == b.split_bp;
}

static bool goes_to(struct bgs_route route, enum bgs_color to)
{
	return route.active == to && !route.split_bp;
}

/* How many stores each end allows, and where they must have led. */
static void check_way(const struct model *model)
{
	const struct fake_host *fake = &model->fake;
	const struct cutover *cutover = &fake->cutover;
	bool stays = same_way(fake->route, model->start);
	bool there = goes_to(fake->route, cutover->request.to);
	/* of stores that may be this one's */
	unsigned int forward = model->resumed || model->alone ? 0 : 1;

	assert_true(fake->flips <= forward + 1);
	assert_true(same_way(cutover->before, model->start) || cutover->outcome == OUTCOME_FAILED);
	switch (cutover->outcome) {
	case OUTCOME_CUT:
	case OUTCOME_KEPT:
		assert_true(cutover->drain.state == DRAIN_KEPT || cutover->drain.cut ||
			    (model->alone && cutover->receives));
		assert_true(fake->flips == forward && cutover->changed == !model->alone);
		break;
	case OUTCOME_COMPLETE:
		if (model->alone) {
			assert_true(stays && !fake->flips && !cutover->changed);
			assert_false(cutover->receives);
			break;
		}
		assert_true(cutover->request.dry_run ? stays : there);
		assert_true(fake->flips == (cutover->changed ? forward : 0));
		break;
	case OUTCOME_REFUSED:
		assert_true(stays && !fake->flips && !cutover->request.force);
		break;
	case OUTCOME_ROLLED_BACK:
		assert_true(stays && fake->flips == forward + 1 && cutover->was_healthy);
		assert_int_equal(fake->health[cutover->request.to], HEALTH_UNHEALTHY);
		assert_int_not_equal(fake->health[!cutover->request.to], HEALTH_UNHEALTHY);
		break;
	case OUTCOME_ABORTED:
		assert_true(stays && (!fake->flips || fake->flips == forward + 1));
		assert_true(!fake->flips || !model->alone);
		break;
	case OUTCOME_SUPERSEDED:
		assert_true(cutover->changed ? there : stays);
		assert_true(fake->flips == (cutover->changed ? forward : 0));
		break;
	case OUTCOME_FAILED:
		assert_true(cutover->changed ? there : stays);
		assert_true(fake->route_fails || fake->flip_fails || fake->record_fails ||
			    (model->alone && cutover->drain.state == DRAIN_FAILED));
		assert_true(fake->flips == (cutover->changed ? forward : 0));
		break;
	}
}

static void check_end(struct fake_host *fake)
{
	struct model *model = (struct model *)fake;
	const struct cutover *cutover = &fake->cutover;

	check_way(model);
	assert_true(cutover->duration == fake->now - cutover->began);
	assert_true(!cutover_is_due(cutover) && !cutover_deadline(cutover));
	/* Nothing is looked after any more, and it is safe only when nothing is left. */
	assert_int_not_equal(cutover->drain.state, DRAIN_WAITING);
	if (cutover->drain.state == DRAIN_SAFE)
		assert_true(connections_is_zero(&cutover->drain.counts));
	if (cutover->request.dry_run) {
		assert_true(!cutover->changed && !fake->flips);
		/* It has said and written nothing at all. */
		assert_true(!strncmp(fake->trace, "end:", 4));
	} else {
		assert_false(fake->record_is_open);
	}
	if (cutover->outcome == OUTCOME_REFUSED || cutover->outcome == OUTCOME_FAILED)
		assert_true(*cutover->failure.what && *cutover->failure.next);
	if (cutover->outcome != OUTCOME_COMPLETE)
		assert_true(*cutover->text);
	model->seen[cutover->outcome]++;
	model->dry += cutover->request.dry_run;
	model->back_failed += cutover->outcome == OUTCOME_FAILED && cutover->changed;
	/* Whatever comes from here on is another one's. */
	model->start = fake->route;
	model->resumed = model->alone = false;
	model->anew += fake->again != NULL;
	*fake->trace = '\0';
}

static void draw_request(struct model *model, struct cutover_request *request)
{
	*request = (struct cutover_request){
		.verb = "set",
		.to = draw(model, BGS_COLORS),
		.dry_run = !draw(model, 6),
		.force = !draw(model, 4),
		.soak_ms = draw(model, 5) ? draw(model, 60000) : 0,
		.ready_timeout_ms = draw(model, 30000),
		.drains = draw(model, 2),
		.drain = { .timeout_ms = draw(model, 8) ? draw(model, 9000) : DRAIN_FOREVER,
			   .at_deadline = draw(model, 2),
			   .close_idle_ms = draw(model, 2),
			   .over_ms = draw(model, 2) * 5000 },
	};
}

static void begin(struct model *model)
{
	struct fake_host *fake = &model->fake;
	struct cutover_request request;

	draw_request(model, &request);
	draw_request(model, &model->again);
	if (!draw(model, 3))
		fake->route.split_bp = draw(model, 3) ? 0 : 1 + draw(model, BGS_SPLIT_MAX);
	model->start = fake->route;
	*fake->trace = '\0';
	fake->again = draw(model, 4) ? NULL : &model->again;
	fake_begin(fake, &request);
}

static void resume(struct model *model)
{
	struct fake_host *fake = &model->fake;
	struct cutover_request request;

	draw_request(model, &request);
	request.dry_run = false;
	model->start = (struct bgs_route){ !request.to, draw(model, 2) * 500, fake->route.flips };
	model->resumed = true;
	fake->route = (struct bgs_route){ .active = request.to, .flips = fake->route.flips + 1 };
	fake->flips = 0;
	fake->recorded = true;
	fake->record_is_open = true;
	*fake->trace = '\0';
	cutover_resume(&fake->cutover, &request, model->start, draw(model, 60000));
}

static void drain_alone(struct model *model)
{
	struct fake_host *fake = &model->fake;
	struct cutover_request request;

	draw_request(model, &request);
	request.to = fake->route.active;
	request.dry_run = request.force = false;
	request.drains = true;
	request.soak_ms = 0;
	model->start = fake->route;
	model->alone = true;
	fake->flips = 0;
	fake->record_is_open = true; /* nothing is written down before the end */
	*fake->trace = '\0';
	cutover_drain(&fake->cutover, &request);
}

/* Past its deadline it may tell one alarm, and then it is over, or has gone on. */
static void run_out(struct fake_host *fake)
{
	unsigned long long deadline = cutover_deadline(&fake->cutover);
	unsigned int ends = fake->ends;

	if (!deadline)
		return;
	if (fake->now < deadline)
		fake->now = deadline;
	if (fake->cutover.state == CUTOVER_DRAINING) {
		/* It looks at connections, and asks for a later moment or is over. */
		cutover_drain_step(&fake->cutover);
		assert_true(cutover_is_due(&fake->cutover) ||
			    cutover_deadline(&fake->cutover) >= deadline);
		fake_step(fake);
		return;
	}
	assert_true(cutover_is_due(&fake->cutover));
	fake_step(fake);
	if (fake->cutover.state == CUTOVER_SOAKING && fake->ends == ends &&
	    cutover_deadline(&fake->cutover) == deadline)
		fake_step(fake);
	assert_true(fake->ends > ends || fake->cutover.state == CUTOVER_DRAINING ||
		    cutover_deadline(&fake->cutover) > deadline);
}

static void give_order(struct model *model)
{
	struct fake_host *fake = &model->fake;
	enum cutover_state before = fake->cutover.state;
	bool may_promote = cutover_is_watching(&fake->cutover) && fake->cutover.request.soak_ms;
	struct failure failure = {};
	int err;

	switch (draw(model, 3)) {
	case 0:
		err = cutover_promote(&fake->cutover, &failure);
		assert_int_equal(err, may_promote ? 0 : -1);
		break;
	case 1:
		err = cutover_abort(&fake->cutover, &failure);
		if (before == CUTOVER_IDLE)
			assert_int_equal(failure.code, EXIT_USAGE);
		if (err)
			assert_true(*failure.what && *failure.next);
		break;
	default:
		cutover_supersede(&fake->cutover, "somebody else changed it");
	}
}

static void disturb(struct model *model)
{
	struct fake_host *fake = &model->fake;

	fake->route_fails = !draw(model, 16);
	fake->flip_fails = !draw(model, 8);
	fake->record_fails = !draw(model, 8);
	fake->late_record_fails = !draw(model, 4);
	fake->route.flips += 2 * draw(model, 2); /* somebody else went there and back */
	fake->receives = !draw(model, 8);
	fake->count_fails = !draw(model, 16);
	fake->counts = (struct connection_counts){ .handshaking = !draw(model, 4),
						   .accept_queue = draw(model, 4),
						   .established = draw(model, 3) };
}

static void happen(struct model *model)
{
	struct fake_host *fake = &model->fake;
	bool idle = fake->cutover.state == CUTOVER_IDLE;

	switch (draw(model, 16)) {
	case 0 ... 1:
		fake->verdict = draw(model, 3);
		break;
	case 2 ... 5:
		fake->health[draw(model, BGS_COLORS)] = draw(model, 3);
		break;
	case 6 ... 7:
		fake->now += draw(model, 10000);
		break;
	case 8:
		run_out(fake);
		break;
	case 9:
		disturb(model);
		break;
	case 10:
		if (!draw(model, 3))
			give_order(model);
		break;
	case 11 ... 12:
		if (idle && draw(model, 8))
			begin(model);
		else if (idle && draw(model, 3))
			resume(model);
		else if (idle && !fake->route.split_bp)
			drain_alone(model);
		break;
	default:
		fake_step(fake);
	}
}

static void test_what_holds_in_any_order(void **state)
{
	static struct model model = { .random = SEED };

	(void)state;
	fake_init(&model.fake);
	model.fake.ended = check_end;
	for (unsigned int i = 0; i < EVENTS; i++)
		happen(&model);
	for (size_t outcome = 0; outcome < ROWS(model.seen); outcome++) {
		print_message("%-12s %u\n", cutover_outcome_name(outcome), model.seen[outcome]);
		assert_true(model.seen[outcome] > 100); /* or the run has shown nothing */
	}
	assert_true(model.dry > 100 && model.anew > 100 && model.back_failed > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_holds_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
